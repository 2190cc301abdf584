"""The bar of each timeframe that is not closed yet, as the committed rows of the month make it.

It is made of minutes: of the bar of a minute where one is there, else of the minute's trades. So it
can be folded along with what is written and, whenever something does not follow what came before,
be read again from the shard: both give the same. A symbol stands at its last trade, or at the end
of its last bar when that is later; a timeframe is shown from its first bar in the month on.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bus.month_names import IDX_BITS, IDX_MASK, TICKS, TRADE_ID_BITS, TRADE_ID_MASK
from bus.shard import Connection
from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS, MINUTE_NS
from services.writer.coverage import BY_KEY, Row, Stretch
from services.writer.live_parts import Part, joined, live_row, of_bar_rows, of_bars, of_trades
from services.writer.market import Series
from services.writer.poison import POISON

Named = Mapping[tuple[str, str], Series]

SHOWN = (
    "INSERT INTO bar_live VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series) DO UPDATE SET "
    "idx = excluded.idx, o = excluded.o, h = excluded.h, l = excluded.l, c = excluded.c, "
    "v = excluded.v, q = excluded.q, n = excluded.n, ts_ns = excluded.ts_ns"
)
WAITING_MAX = 8
"""More bars of one symbol between two looks are read again instead: they come by the thousand."""


class Symbol(msgspec.Struct):
    """One symbol: what is folded of its day, and where it stands."""

    name: str
    ticks: Series | None = None
    bars: dict[str, Series] = {}
    minutes: dict[int, Part] = {}  # of trades: minutes without a bar
    closed: dict[str, Part] = {}  # of 1m bars: by longer timeframe, those of its last window
    waiting: list[Row] = []  # 1m bars that are not in `closed` yet
    last_minute: int = -1  # of its last 1m bar
    last_trade: tuple[int, int] = (-1, 0)  # id and time of the trade with the highest id
    end_ns: int = 0  # of its last bar
    known: bool = False  # False: it is to be read again


class LiveBars:
    """All symbols of the newest month."""

    def __init__(self) -> None:
        self._symbols: dict[str, Symbol] = {}
        self._by_series: dict[int, tuple[Symbol, str]] = {}
        self._changed: dict[str, Symbol] = {}

    def forget(self) -> None:
        """Read everything again before it is shown next: nothing that is held may be true."""
        self._symbols, self._by_series, self._changed = {}, {}, {}

    @property
    def changed(self) -> bool:
        """Whether some bar is not shown as it is."""
        return bool(self._changed)

    def know(self, named: Named) -> None:
        """Learn the series of the month; what is not known yet is read when it is shown."""
        for (name, timeframe), series in named.items():
            if series.number in self._by_series:
                continue
            symbol = self._symbols.setdefault(name, Symbol(name))
            if timeframe == TICKS:
                symbol.ticks = series
            else:
                symbol.bars[timeframe] = series
            symbol.known = False
            self._by_series[series.number] = symbol, timeframe
            self._changed[name] = symbol

    def take_bars(self, written: Iterable[Stretch]) -> None:
        """Fold bars that were just written."""
        for one in written:
            symbol, timeframe = self._by_series[one.series]
            self._changed[symbol.name] = symbol
            tf_ns = TIMEFRAMES_NS[timeframe]
            end_ns = ((one.rows[-1][0] & IDX_MASK) + 1) * tf_ns
            symbol.end_ns = max(symbol.end_ns, end_ns)
            if timeframe == "1m":
                room = len(symbol.waiting) + len(one.rows) <= WAITING_MAX
                symbol.known = symbol.known and one.fresh and room
                symbol.waiting = [*symbol.waiting, *one.rows] if symbol.known else []
                symbol.last_minute = max(symbol.last_minute, one.rows[-1][0] & IDX_MASK)

    def take_ticks(self, written: Iterable[Stretch]) -> None:
        """Fold trades that were just written."""
        for one in written:
            symbol, _ = self._by_series[one.series]
            self._changed[symbol.name] = symbol
            symbol.known = symbol.known and one.fresh and _fold(symbol, one.rows)

    def show(self, db: Connection) -> None:
        """Write every bar that is not shown as it is, within the caller's transaction."""
        gone, rows = [], []
        for symbol in self._changed.values():
            if not (symbol.known and _close(symbol)):
                _read(db, symbol)
            _forget_old(symbol)
            for timeframe, series in symbol.bars.items():
                row = _row(symbol, timeframe, series)
                rows += [row] if row is not None else []
                gone += [(series.number,)] if row is None else []
        db.executemany("DELETE FROM bar_live WHERE series = ?", gone)
        db.executemany(SHOWN, rows)

    def shown(self) -> None:
        """Remember that what was written last is committed."""
        self._changed = {}


def _fold(symbol: Symbol, rows: Sequence[Row]) -> bool:
    minutes, last_minute = symbol.minutes, symbol.last_minute
    in_order = True
    for key, at_ns, px, qty, _ in rows:
        minute = at_ns // MINUTE_NS
        in_order = in_order and minute > last_minute
        part = minutes.get(minute)
        trade_id = key & TRADE_ID_MASK
        if part is None:
            minutes[minute] = Part(minute, minute, px, px, px, px, qty, px * qty, 1, at_ns)
        else:
            part.close = px
            part.high = max(part.high, px)
            part.low = min(part.low, px)
            part.volume += qty
            part.quote += px * qty
            part.trades += 1
            part.until_ns = max(part.until_ns, at_ns)
        in_order = in_order and trade_id > symbol.last_trade[0]
        symbol.last_trade = max(symbol.last_trade, (trade_id, at_ns))
    return in_order  # What comes late belongs before, or into a minute that its bar stands for.


def _close(symbol: Symbol) -> bool:
    rows, symbol.waiting = symbol.waiting, []
    for row in rows:
        minute = row[0] & IDX_MASK
        symbol.minutes.pop(minute, None)
        for timeframe in symbol.bars.keys() - {"1m"}:
            length = TIMEFRAMES_NS[timeframe] // MINUTE_NS
            before = symbol.closed.get(timeframe)
            if before is not None and before.last >= minute:
                return False  # It belongs before what is there.
            part = of_bar_rows([row])
            same = before is not None and before.first // length == minute // length
            symbol.closed[timeframe] = joined([before, part]) if before and same else part
    return True


def _forget_old(symbol: Symbol) -> None:
    first = _day(symbol)
    old = [minute for minute in symbol.minutes if minute < first]
    for minute in old:
        del symbol.minutes[minute]


def _day(symbol: Symbol) -> int:
    """Return the minute with which the day begins that a symbol stands in."""
    return max(symbol.last_trade[1], symbol.end_ns) // DAY_NS * (DAY_NS // MINUTE_NS)


def _read(db: Connection, symbol: Symbol) -> None:
    symbol.minutes, symbol.closed, symbol.waiting, symbol.last_minute = {}, {}, [], -1
    symbol.last_trade, symbol.end_ns = _last_trade(db, symbol), _end_ns(db, symbol)
    barred = _read_bars(db, symbol)
    if symbol.ticks is not None:
        for minute, low, high in _marks(db, symbol.ticks, _day(symbol)):
            if minute not in barred:
                symbol.minutes.update(_minute(db, minute, low, high))
    symbol.known = True


def _read_bars(db: Connection, symbol: Symbol) -> set[int]:
    series = symbol.bars.get("1m")
    if series is None:
        return set()
    base = series.number << IDX_BITS
    rows: list[Any] = db.execute(
        "SELECT k, o, h, l, c, v, q, n, src FROM bar WHERE k BETWEEN ? AND ? ORDER BY k",
        (base | _day(symbol), base | IDX_MASK),
    ).fetchall()
    if rows:
        symbol.last_minute = rows[-1][0] & IDX_MASK
    for timeframe in symbol.bars.keys() - {"1m"}:
        length = TIMEFRAMES_NS[timeframe] // MINUTE_NS
        first = base | symbol.last_minute // length * length
        if window := rows[bisect_left(rows, first, key=BY_KEY) :]:
            symbol.closed[timeframe] = of_bar_rows(window)
    return {row[0] & IDX_MASK for row in rows}


def _minute(db: Connection, minute: int, low: int, high: int) -> dict[int, Part]:
    rows: list[Any] = db.execute(
        "SELECT k, ts_ns, px, qty, side FROM tick WHERE k BETWEEN ? AND ? "
        "AND ts_ns >= ? AND ts_ns < ? ORDER BY k",
        (low, high, minute * MINUTE_NS, (minute + 1) * MINUTE_NS),
    ).fetchall()
    alone = Symbol("")
    _fold(alone, rows)
    return alone.minutes


def _marks(db: Connection, ticks: Series, first: int) -> list[tuple[int, int, int]]:
    base, ids = ticks.number << IDX_BITS, ticks.number << TRADE_ID_BITS
    rows = db.execute(
        "SELECT k, first_id, last_id FROM tick_mark WHERE k BETWEEN ? AND ?",
        (base | first, base | IDX_MASK),
    )
    return [(key & IDX_MASK, ids | first_id, ids | last_id) for key, first_id, last_id in rows]


def _last_trade(db: Connection, symbol: Symbol) -> tuple[int, int]:
    if symbol.ticks is None:
        return -1, 0
    found: list[Any] = db.execute(
        "SELECT trade_id, ts_ns FROM tick_hwm WHERE series = ?", (symbol.ticks.number,)
    ).fetchall()
    return found[0] if found else (-1, 0)


def _end_ns(db: Connection, symbol: Symbol) -> int:
    find = "SELECT last_idx FROM candlestick_metadata WHERE series = ?"
    return max(
        (
            (last + 1) * TIMEFRAMES_NS[timeframe]
            for timeframe, series in symbol.bars.items()
            for (last,) in db.execute(find, (series.number,))
        ),
        default=0,
    )


def _row(symbol: Symbol, timeframe: str, series: Series) -> Row | None:
    tf_ns = TIMEFRAMES_NS[timeframe]
    idx = max(symbol.last_trade[1], symbol.end_ns) // tf_ns
    first, end = idx * tf_ns // MINUTE_NS, (idx + 1) * tf_ns // MINUTE_NS
    closed = symbol.closed.get(timeframe)
    try:
        parts = [
            of_trades(part, symbol.ticks.exponents, series.exponents)
            for minute, part in symbol.minutes.items()
            if first <= minute < end and symbol.ticks is not None
        ]
        if closed is not None and first <= closed.first < end:
            parts.append(of_bars(closed, symbol.bars["1m"].exponents, series.exponents))
        return live_row(series.number, idx, joined(parts)) if parts else None
    except POISON:
        return None  # Its decimals cannot hold what they should: such a bar is refused, too.
