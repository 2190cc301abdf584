"""A day that was played again, as a page to read."""

from typing import TYPE_CHECKING, Any

from schema.units import iso
from services.rrr.screen import table, world_line

if TYPE_CHECKING:
    from services.backtest.parity import Difference, Played, Report

HEAD = ("NO", "TIME", "SYMBOL", "WHAT", "CAUSE", "HOUSE", "RUN", "WHY")
DECIDED = ("DECISIONS", "house", "run", "same")
MONEY = ("house", "run", "difference", "signal", "latency", "fill", "fee")
SHORT = 12
DIGEST_CHARS = 8
SIDE_CHARS = 48


def as_text(report: "Report") -> str:
    """Return the whole report."""
    lines = [world_line(report.world), f"{report.strategy} on {report.day}", ""]
    lines += [f"({note})" for note in report.notes]
    lines += [line for part in report.stretches for line in _stretch(part)]
    shown = [one for one in report.differences if not one.small]
    if shown:
        lines += ["", *table([HEAD, *(_row(one) for one in shown)])]
    if left := len(report.differences) - len(shown):
        lines += ["", f"({left} of less than half a basis point are left out; --json has them)"]
    lines += ["", *_summary(report)]
    return "\n".join(lines)


def _stretch(part: "Played") -> list[str]:
    source = f"{part.file} {part.digest[:DIGEST_CHARS]}"
    params = " ".join(f"{name}={value}" for name, value in part.params.items())
    span = f"{iso(part.from_ns)} to {iso(part.until_ns)}: {source} {params}".rstrip()
    if part.note:
        return [span, f"  not compared: {part.note}; {part.left_out} decisions"]
    begin = f"  from {iso(part.start_ns + 1)} on, when it held nothing and was worth"
    left = f"; {part.left_out} decisions before" if part.left_out else ""
    return [span, f"{begin} {part.worth:.8g}{left}; fills on {part.tape}"]


def _row(one: "Difference") -> tuple[str, ...]:
    number = str(one.number) if one.number else ""
    cause = one.cause + (f" (of {one.follows})" if one.follows else "")
    sides = (_side(one.house), _side(one.run))
    what = f"{one.sort} {_money(one.money)}".strip()
    return (number, one.at, one.symbol, what, cause, *sides, one.why)


def _side(told: dict[str, Any] | None) -> str:
    if told is None:
        return "nothing"
    if "action" in told:
        size = f" {told['kind']} {told['size']:g}" if told["kind"] else ""
        prices = [f" {name} {told[name]}" for name in ("limit", "stop", "take") if name in told]
        return _cut(f"{told['action']}{size}{''.join(prices)} {told['reason']}".rstrip())
    if "decided_ms" in told:
        steps = (told["decided_ms"], told["submitted_ms"], told["filled_ms"])
        return "/".join("-" if ms is None else str(ms) for ms in steps) + f" ms at {told['price']}"
    return " ".join(f"{name} {value}" for name, value in told.items())


def _cut(text: str) -> str:
    return text if len(text) <= SIDE_CHARS else f"{text[: SIDE_CHARS - 1]}…"


def _summary(report: "Report") -> list[str]:
    counts = report.decisions
    rows = [DECIDED, ("", *(str(counts[name]) for name in DECIDED[1:]))]
    causes = ", ".join(f"{count} {name}" for name, count in report.causes.items() if count)
    close = counts["close"]
    told = [f"({close} of the same at another size or stop, by less than 1%)"] if close else []
    lines = [*table(rows), *told, f"Differences: {causes or 'none'}"]
    for name, waits in report.latency_ms.items():
        lines.append(f"{name}: median {waits['median']:.0f} ms, at most {waits['most']:.0f} ms")
    money = [tuple(name.upper() for name in MONEY), tuple(report.money[name] for name in MONEY)]
    return [*lines, "", *table(money)]


def _money(text: str) -> str:
    whole, point, decimals = text.partition(".")
    return f"{whole}{point}{decimals[:SHORT]}"
