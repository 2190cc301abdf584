"""`rrr status` for people: one screen of plain text, which needs no terminal."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from bus.plain import printable

HEAD = ("SERVICE", "STATE", "PID", "UP", "RESTARTS", "MEMORY", "LAG", "")
LARGE = 100
"""Of dollars, and of an equity above this, two decimals tell enough; `--json` has all of them."""

STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
MODES = {"synthetic": "local", "replay": "local"}
SIMULATED = "SIMULATED MARKET AND MONEY"
STANDIN = "standin"
REHEARSAL = "A REHEARSAL: A STAND-IN'S MARKET, SIMULATED MONEY"
MONEY = {"paper": "REAL MARKET, SIMULATED MONEY", "live": "REAL MARKET AND MONEY"}


def screen(report: dict[str, Any]) -> str:
    """Return the whole screen."""
    ready = "READY" if report["ready"] else "NOT READY"
    lines = [_trading(report), *(stop_line(stop) for stop in report["stops"])]
    lines += _alerts(report)
    lines += [f"{world_line(report['world'], report['mode'])}   {ready}", *_time(report), ""]
    lines += [*_books(report), ""]
    lines += table([HEAD, *(_service(service) for service in report["services"])])
    shards = [_shard(shard) for shard in report["shards"]]
    lines += ["", *table([("SHARD", "OK", "BEHIND", "SIZE", "BACKUP"), *shards])]
    return "\n".join(lines)


def world_line(world: str, mode: str = "") -> str:
    """Return which world this is, and whether its market and money are real."""
    mode = mode or mode_of(world)
    money = REHEARSAL if STANDIN in world.split("-") else MONEY.get(mode, SIMULATED)
    return f"World: {world} ({mode})   {money}"


def mode_of(world: str) -> str:
    """Return the mode that a world's name tells."""
    first = world.partition("-")[0]
    return MODES.get(first, first)


def stop_line(stop: dict[str, str]) -> str:
    """Return what stops trading, and what starts it again."""
    since = f", since {_seconds(stop['since'])}" if stop["since"] else ""
    return printable(
        f"  {stop['scope']}: {stop['what']}{since}, by {stop['by']}: "
        f"{stop['why']} -> {stop['release']}"
    )


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows as aligned lines."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def numbers(head: str, values: Sequence[str]) -> list[str]:
    """Return a column of numbers under its head, their decimal points below one another."""
    parts = [value.partition(".") for value in values]
    left, right = max(len(part[0]) for part in parts), max(len(part[2]) for part in parts)
    shown = [
        whole.rjust(left) + (point or " " * bool(right)) + decimals.ljust(right)
        for whole, point, decimals in parts
    ]
    width = max(len(head), len(shown[0]))
    return [text.rjust(width) for text in (head, *shown)]


def duration(seconds: float) -> str:
    """Return a stretch of time in its largest unit."""
    for size, unit in STEPS:
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return "0s"


def mebibytes(size: int) -> str:
    """Return a size in MiB."""
    return f"{size / (1 << 20):.1f} MiB"


def _trading(report: dict[str, Any]) -> str:
    return f"Trading: {'YES' if report['trading'] else 'NO'}"


def _alerts(report: dict[str, Any]) -> list[str]:
    alerts = report.get("alerts", [])
    lines = [
        f"  {one['name']} {one['scope']}, since {_seconds(one['since'])}: {one['summary']}"
        for one in alerts
        if one["name"] != "KillLevel"  # A stop tells it, with its release.
    ]
    head = "Alerts: (docs/runbook.md has a page for each)"
    return [head, *map(printable, lines)] if lines else []


def _time(report: dict[str, Any]) -> list[str]:
    clock = report["market_time"]
    if not clock["now"] or clock["scale"] == 1:
        return []
    return [f"Market time: {_seconds(clock['now'])}, {clock['scale']:g} times as fast as yours"]


def _books(report: dict[str, Any]) -> list[str]:
    cents = "USD" in report["quote"] or abs(Decimal(report["equity"])) >= LARGE
    places = 2 if cents else 8
    lines = [_equity(report, places), *_risk(report)]
    lines += _positions(report, places)
    told = ", ".join(f"{count} {name}" for name, count in report["orders"].items())
    others = report.get("external_orders", 0)
    external = f", {others} external (`rrr adopt --list`)" if others else ""
    return [*lines, f"Orders: {told}{external}"]


def _equity(report: dict[str, Any], places: int) -> str:
    if not report["quote"]:
        return "Equity: nothing is booked yet"
    equity, cash = (_money(report[name], places) for name in ("equity", "cash"))
    return f"Equity: {equity} {report['quote']}, of it {cash} in cash"


def _risk(report: dict[str, Any]) -> list[str]:
    risk = report["risk"]
    away = [one for one in report["services"] if one["name"] == "risk" and not one["rss_bytes"]]
    if away:
        return [f"Risk: {away[0]['state']}"]
    told = any(risk["reason"] in stop["why"] for stop in report["stops"])
    why = "" if told or risk["state"] == "ACTIVE" else risk["reason"]
    return [printable(f"Risk: {risk['state']} {why}").rstrip()] if risk["state"] else []


def _positions(report: dict[str, Any], places: int) -> list[str]:
    rows = report["positions"]
    if not rows:
        return ["Positions: none"]
    symbols = ["SYMBOL", *(one["symbol"] for one in rows)]
    columns = [
        numbers("QTY", [one["qty"] for one in rows]),
        numbers("AVG PRICE", [_short(one["avg_price"]) for one in rows]),
        numbers("VALUE", [_worth(one["value"], places) for one in rows]),
        numbers("UNREALIZED", [_worth(one["unrealized"], places) for one in rows]),
    ]
    return table(list(zip(symbols, *columns, strict=True)))


def _worth(text: str | None, places: int) -> str:
    return "no price" if text is None else _money(text, places)


def _money(text: str, places: int) -> str:
    # Half a cent of a loss is no loss to see: no minus before a zero.
    cents = Decimal(text).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return f"{cents + 0:.{places}f}"


def _short(text: str) -> str:
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _seconds(moment: str) -> str:
    return f"{moment[:19]}Z" if len(moment) > len("2026-01-01T00:00:00Z") else moment


def _service(service: dict[str, Any]) -> tuple[str, ...]:
    runs = service["rss_bytes"] > 0
    return (
        service["name"],
        service["state"],
        str(service["pid"]) if service["pid"] else "-",
        duration(service["uptime_s"]) if runs else "-",
        str(service["restarts"]),
        mebibytes(service["rss_bytes"]) if runs else "-",
        f"{service['lag_ms']} ms" if runs else "-",
        service["reason"],
    )


def _shard(shard: dict[str, Any]) -> tuple[str, ...]:
    behind_s = shard["behind_s"]
    return (
        shard["name"],
        "yes" if shard["ok"] else "NO",
        "?" if behind_s is None else f"{behind_s} s",
        mebibytes(shard["bytes"]),
        "none" if shard["backup_age_s"] is None else f"{duration(shard['backup_age_s'])} ago",
    )
