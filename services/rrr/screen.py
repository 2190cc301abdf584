"""`rrr status` for people: one screen of plain text, which needs no terminal."""

from typing import Any

HEAD = ("SERVICE", "STATE", "PID", "UP", "RESTARTS", "MEMORY", "LAG", "")
POSITIONS = ("SYMBOL", "QTY", "AVG PRICE", "UNREALIZED")
STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
MODES = {"synthetic": "local", "replay": "local"}
SIMULATED = "SIMULATED MARKET AND MONEY"
MONEY = {"paper": "REAL MARKET, SIMULATED MONEY", "live": "REAL MARKET AND MONEY"}


def screen(report: dict[str, Any]) -> str:
    """Return the whole screen."""
    ready = "READY" if report["ready"] else "NOT READY"
    lines = [_trading(report), *(stop_line(stop) for stop in report["stops"])]
    lines += [f"{world_line(report['world'], report['mode'])}   {ready}", ""]
    lines += [*_books(report), ""]
    lines += table([HEAD, *(_service(service) for service in report["services"])])
    shards = [_shard(shard) for shard in report["shards"]]
    lines += ["", *table([("SHARD", "OK", "BEHIND", "SIZE"), *shards])]
    return "\n".join(lines)


def world_line(world: str, mode: str = "") -> str:
    """Return which world this is, and whether its market and money are real."""
    mode = mode or mode_of(world)
    return f"World: {world} ({mode})   {MONEY.get(mode, SIMULATED)}"


def mode_of(world: str) -> str:
    """Return the mode that a world's name tells."""
    first = world.partition("-")[0]
    return MODES.get(first, first)


def stop_line(stop: dict[str, str]) -> str:
    """Return what stops trading, and what starts it again."""
    since = f", since {stop['since']}" if stop["since"] else ""
    return (
        f"  {stop['scope']}: {stop['what']}{since}, by {stop['by']}: "
        f"{stop['why']} -> {stop['release']}"
    )


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows as aligned lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


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


def _books(report: dict[str, Any]) -> list[str]:
    risk, counts = report["risk"], report["orders"]
    state = f"   Risk: {risk['state']} {risk['reason']}".rstrip() if risk["state"] else ""
    lines = [f"Equity: {report['equity']}{state}"]
    rows = [
        (one["symbol"], one["qty"], one["avg_price"], one["unrealized"])
        for one in report["positions"]
    ]
    lines += table([POSITIONS, *rows]) if rows else ["Positions: none"]
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return [*lines, f"Orders: {told}"]


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
    )
