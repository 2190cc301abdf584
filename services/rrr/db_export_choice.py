"""Which rows of a table a person means by symbol, timeframe and time."""

from typing import Any

import msgspec

from bus.month_names import IDX_BITS, TRADE_ID_BITS
from bus.reading import Value
from schema.units import MINUTE_NS, SECOND_NS, iso
from services.writer.dump import Choice, Snapshot, Span, Table

TIMES = ("ts_ns", "opened_ns", "wall_ns")
"""The column that says when, the first of these that a table has."""

KEYED = {"bar": IDX_BITS, "tick": TRADE_ID_BITS, "tick_mark": IDX_BITS}
"""Tables whose key begins with a series, and how many bits follow it."""

NOTHING = Choice(where="0")


class Selection(msgspec.Struct, frozen=True):
    """What a person asked for; times are ns since 1970, the end is not in it."""

    symbol: str | None = None
    timeframe: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def told(self) -> dict[str, str]:
        """Return it for a manifest."""
        times = {"since": self.since_ns, "until": self.until_ns}
        names = {"symbol": self.symbol, "timeframe": self.timeframe}
        found = {name: iso(at_ns) for name, at_ns in times.items() if at_ns is not None}
        return found | {name: text for name, text in names.items() if text is not None}

    def span(self) -> Span:
        """Return the times as a half-open stretch."""
        since_ns = self.since_ns if self.since_ns is not None else -(1 << 62)
        return since_ns, self.until_ns if self.until_ns is not None else 1 << 62


class Series(msgspec.Struct, frozen=True, array_like=True):
    """A series of one file of the market."""

    id: int
    symbol: str
    timeframe: str
    tf_s: int
    px_exp: int
    qty_exp: int
    quote_exp: int


def series_of(snapshot: Snapshot, selection: Selection) -> list[Series]:
    """Return the series of a file that are asked for, by their numbers."""
    sql = "SELECT id, symbol, timeframe, tf_s, px_exp, qty_exp, quote_exp FROM shard.series"
    rows: list[Any] = [row for some in snapshot.batches(f"{sql} ORDER BY id") for row in some]
    found = [Series(*row) for row in rows]
    return [
        one
        for one in found
        if selection.symbol in {None, one.symbol} and selection.timeframe in {None, one.timeframe}
    ]


def choose(snapshot: Snapshot, table: Table, selection: Selection) -> Choice:
    """Return which rows of a table are asked for; what speaks of none of it is taken whole."""
    if selection.whole:
        return Choice()
    if snapshot.kind.monthly and (table.name in KEYED or table.key == ("series",)):
        return _of_series(snapshot, table, selection)
    terms: list[tuple[str, Value]] = []
    for name in ("symbol", "timeframe"):
        wanted = getattr(selection, name)
        if wanted is not None and name in table.columns:
            terms.append((f'"{name}" = ?', wanted))
    terms += _times(table, selection)
    where = " AND ".join(term for term, _ in terms) or "1"
    return Choice(where=where, bindings=tuple(value for _, value in terms))


def chosen_series(table: Table, series: Series, selection: Selection) -> Choice | None:
    """Return which rows of one series a keyed table has; None where it keeps none of it."""
    if (table.name == "bar") != (series.tf_s > 0):
        return None
    terms = _times(table, selection)
    return Choice(
        where=" AND ".join(term for term, _ in terms) or "1",
        bindings=tuple(value for _, value in terms),
        spans=(_keys(table.name, series, selection),),
        times=selection.span() if terms else None,
    )


def _of_series(snapshot: Snapshot, table: Table, selection: Selection) -> Choice:
    found = series_of(snapshot, selection)
    if table.name in KEYED:
        found = [one for one in found if (table.name == "bar") == (one.tf_s > 0)]
        spans = tuple(_keys(table.name, one, selection) for one in found)
    else:
        spans = tuple((one.id, one.id) for one in found)
    terms = _times(table, selection) if table.name == "tick" else []
    where = " AND ".join(term for term, _ in terms) or "1"
    bindings = tuple(value for _, value in terms)
    return Choice(where, bindings, spans, selection.span() if terms else None)


def _times(table: Table, selection: Selection) -> list[tuple[str, Value]]:
    column = next((name for name in TIMES if name in table.columns), None)
    if column is None:
        return []
    bounds: list[Any] = [("<", selection.until_ns), (">=", selection.since_ns)]
    return [(f'"{column}" {sign} ?', at_ns) for sign, at_ns in bounds if at_ns is not None]


def _keys(name: str, series: Series, selection: Selection) -> Span:
    bits = KEYED[name]
    low, high = series.id << bits, (series.id << bits) | ((1 << bits) - 1)
    if name == "tick":
        return low, high
    step_ns = series.tf_s * SECOND_NS if name == "bar" else MINUTE_NS
    if selection.since_ns is not None:  # A bar by its open time; a minute that is cut is not it.
        low = max(low, (series.id << bits) + -(-selection.since_ns // step_ns))
    if selection.until_ns is not None:
        high = min(high, (series.id << bits) + -(-selection.until_ns // step_ns) - 1)
    return low, high
