"""How a run of `rrr backtest` looks on a terminal, from its report as JSON has it."""

from collections.abc import Iterable, Sequence
from typing import Any

from bus.plain import printable
from schema.house import RunTrade
from schema.units import iso, to_text
from services.backtest.telling import cents, label, value
from services.rrr.screen import table as aligned

Report = dict[str, Any]

MONEY_EXP = 8
TAGS_SHOWN = 12
TAG_HEAD = ("TRIPS", "WIN RATE", "MEAN", "TOTAL", "FEES")
TRADE_HEAD = (
    *("#", "SYMBOL", "SIDE", "OPENED", "CLOSED", "QTY", "ENTRY", "EXIT", "GAIN", "FEES"),
    *("WHY IN", "WHY OUT"),
)


def shown(report: Report) -> str:
    """Return the whole table of a run."""
    held = ", ".join(f"{text} {asset}" for asset, text in report["balances"].items())
    quote, metrics = report["quote_asset"], report["metrics"]
    bars = f"{report['bars']} bars of {report['timeframe']}, fills: {report['filling']}"
    head = [
        f"Run {report['run_id']}: {report['strategy']} on {report['symbol']}",
        f"{report['first']} to {report['last']}, {bars}",
        f"equity {report['opening']} -> {report['final']} {quote}; the account holds {held}",
    ]
    market = report["buy_and_hold"]
    rows = [("", "RUN", "BUY & HOLD")]
    rows += [(label(n), value(n, x), value(n, market.get(n, ""))) for n, x in metrics.items()]
    rows += [(name, str(report[name]), "") for name in ("orders", "fills", "denied")]
    rows += [(f"  {code}", str(count), "") for code, count in report["denials"].items()]
    rows += [(f"refused: {why}", str(count), "") for why, count in _refusals(report)]
    if report["open_trades"]:
        rows.append(("still open", str(report["open_trades"]), ""))
    failed = [f"the strategy failed: {failure}" for failure in report["failures"]]
    lines = [*head, "", *columns(rows, "lrr"), *_tags("ENTRY", report["by_entry"])]
    lines += [*_tags("EXIT", report["by_exit"]), *failed]
    return "\n".join(map(printable, lines))


def _refusals(report: Report) -> list[tuple[str, int]]:
    return list(report.get("refusals", {}).items())  # A run of an older house has none.


def trades_shown(trades: Iterable[RunTrade]) -> list[str]:
    """Return round trips as lines."""
    rows = [TRADE_HEAD, *(_trade(number, trade) for number, trade in enumerate(trades))]
    return columns(rows, "rlllllrrrrll") if len(rows) > 1 else ["no round trip"]


def compared(difference: Report) -> str:
    """Return what two runs differ in."""
    rows: list[tuple[str, ...]] = [("", "A", "B", "B - A")]
    for name, (a, b, gap) in difference["figures"].items():
        rows.append((label(name), value(name, a), value(name, b), value(name, gap, sign="+")))
    lines = [f"A {difference['a']}", f"B {difference['b']}", "", *columns(rows, "lrrr")]
    for part in ("about", "params", "settings", "digests"):
        found = [(name, str(a), str(b)) for name, (a, b) in difference[part].items()]
        if found:
            lines += ["", *aligned([(part.upper(), "A", "B"), *found])]
    return "\n".join(map(printable, [*lines, "", *_parting(difference["first_diverging_trade"])]))


def changed(difference: Report) -> list[str]:
    """Return the figures alone in which two runs differ, one a line."""
    return [
        f"{label(name)}: {value(name, a)} -> {value(name, b)} ({value(name, gap, sign='+')})"
        for name, (a, b, gap) in difference["figures"].items()
        if a != b
    ]


def columns(rows: Sequence[tuple[str, ...]], sides: str) -> list[str]:
    """Return rows as aligned lines, each column to its left or right side."""
    plain = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*plain, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if side == "r" else text.ljust(width)
            for text, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in plain
    ]


def _tags(head: str, tagged: list[Report]) -> list[str]:
    if not tagged:
        return []
    rows: list[tuple[str, ...]] = [(f"{head} TAG", *TAG_HEAD)]
    for one in tagged[:TAGS_SHOWN]:
        money = (cents(str(one["mean"])), cents(one["total"]), cents(one["fees"]))
        rows.append((one["tag"] or "-", str(one["trips"]), f"{one['win_rate']:.2%}", *money))
    more = len(tagged) - TAGS_SHOWN
    rest = [f"and {more} tags more: --json has them"] if more > 0 else []
    return ["", *columns(rows, "lrrrrr"), *rest]


def _trade(number: int, trade: RunTrade) -> tuple[str, ...]:
    return (
        str(number),
        trade.symbol,
        trade.side,
        iso(trade.opened_ns),
        iso(trade.closed_ns),
        to_text(trade.qty, trade.qty_exp),
        f"{trade.entry_px:.8g}",
        f"{trade.exit_px:.8g}",
        cents(to_text(trade.gain, MONEY_EXP)),
        cents(to_text(trade.fees, MONEY_EXP)),
        trade.entry_tag,
        trade.exit_tag,
    )


def _parting(found: Report | None) -> list[str]:
    if found is None:
        return ["every round trip is the same"]
    lines = [f"the first round trip that differs is number {found['number']}:"]
    for name in ("a", "b"):
        one = found[name]
        told = "none" if one is None else "  ".join(f"{key}={text}" for key, text in one.items())
        lines.append(f"  {name.upper()}  {told}")
    return lines
