"""What two runs differ in: figures, what they were made of, and the first round trip apart."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from schema.house import RunTrade
from schema.units import iso, to_text
from services.backtest.picture import Picture

Report = dict[str, Any]

ABOUT = ("strategy", "symbol", "timeframe", "first", "last", "bars", "filling", "file")
COUNTS = ("orders", "fills", "denied", "trades", "equity_final")
MONEY_EXP = 8


def difference(a: Picture, b: Picture) -> Report:
    """Return all in which two runs differ, and their figures side by side."""
    one, other = a.report, b.report
    return {
        "a": one["run_id"],
        "b": other["run_id"],
        "figures": {name: _figure(one, other, name) for name in _figures(one, other)},
        "about": _unlike({n: one[n] for n in ABOUT}, {n: other[n] for n in ABOUT}),
        **{part: _unlike(one[part], other[part]) for part in ("params", "settings", "digests")},
        "first_diverging_trade": parting(a.trades, b.trades),
    }


def parting(a: Sequence[RunTrade], b: Sequence[RunTrade]) -> Report | None:
    """Return the first round trip that is not the same in both; None when all are."""
    for number, (one, other) in enumerate(zip_longest(a, b)):
        if _facts(one) != _facts(other):
            return {"number": number, "a": _told(one), "b": _told(other)}
    return None


def _figures(one: Report, other: Report) -> list[str]:
    return list(dict.fromkeys([*one["metrics"], *other["metrics"], *COUNTS]))


def _figure(one: Report, other: Report, name: str) -> tuple[Any, Any, Any]:
    a, b = (run["metrics"].get(name, run.get(name)) for run in (one, other))
    return a, b, None if a is None or b is None else b - a


def _unlike(one: Report, other: Report) -> dict[str, tuple[Any, Any]]:
    names = sorted({*one, *other})
    pairs = {name: (one.get(name, ""), other.get(name, "")) for name in names}
    return {name: (a, b) for name, (a, b) in pairs.items() if a != b}


def _facts(trade: RunTrade | None) -> tuple[Any, ...] | None:
    # Neither fees nor the places among the bars: two spans of one market are the same trades.
    if trade is None:
        return None
    times_ns = (trade.opened_ns, trade.closed_ns)
    return (trade.symbol, trade.side, *times_ns, trade.qty, trade.entry_px, trade.exit_px)


def _told(trade: RunTrade | None) -> Report | None:
    if trade is None:
        return None
    return {
        "symbol": trade.symbol,
        "side": trade.side,
        "opened": iso(trade.opened_ns),
        "closed": iso(trade.closed_ns),
        "qty": to_text(trade.qty, trade.qty_exp),
        "entry": trade.entry_px,
        "exit": trade.exit_px,
        "gain": to_text(trade.gain, MONEY_EXP),
        "why_in": trade.entry_tag,
        "why_out": trade.exit_tag,
    }
