"""The rows of the views over months, made a batch at a time, of nothing but what is asked for.

A batch is read whole before its first row is shown, so that whoever stops in the middle holds no
transaction; what a writer says meanwhile can change bars that come, never those between them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

from bus.bars import FOREVER_NS, BarReader
from bus.columns import BAR_COLUMNS, SCALES, Bars, Ints, Ticks, decimal_texts, iso_texts
from bus.month_names import IDX_BITS, TICKS, TRADE_ID_BITS
from bus.reading import Value
from bus.view_asks import MOST, Asked
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MINUTE_NS, MS_NS, to_text

Row = tuple[Value, ...]

BAR_NAMES = (
    *("symbol", "timeframe", "open_ms", "time", "open", "high", "low", "close"),
    *("volume", "quote_volume", "trades", "source", "vwap"),
)
VWAP_OF = frozenset({"volume", "quote_volume"})
TICK_NAMES = ("symbol", "trade_id", "ts_ms", "time", "price", "qty", "side")
SOURCES = ("trades", "rest")
SIDES = ("buy", "sell")

BATCH_FIRST = 256
BATCH_MAX = 8192
WINDOW_NS = MINUTE_NS
WINDOW_MAX_NS = 6 * 60 * MINUTE_NS
FEW, MANY = 512, 4096
IDS_MAX = 100_000


Numbers = dict[tuple[str, str], int]
"""A number for each series that was shown: with its key it is the number of a row."""


def bar_rows(numbers: Numbers, reader: BarReader, asked: Asked) -> Iterator[Row]:
    """Yield the rows of `bars`, by symbol, timeframe and time."""
    return chain.from_iterable(_bar_batches(numbers, reader, asked))


def tick_rows(numbers: Numbers, reader: BarReader, asked: Asked) -> Iterator[Row]:
    """Yield the rows of `ticks`, by symbol and time."""
    return chain.from_iterable(_tick_batches(numbers, reader, asked))


def _bar_batches(numbers: Numbers, reader: BarReader, asked: Asked) -> Iterator[Iterable[Row]]:
    names = [name for name in _names(reader, asked) if name[1] != TICKS]
    left = MOST if asked.limit is None else asked.limit
    if asked.once:
        left = len(names)
    wanted = {*asked.columns} | (VWAP_OF if "vwap" in asked.columns else set())
    columns = [name for name in BAR_COLUMNS if name in wanted]
    for symbol, timeframe in names:
        base = numbers.setdefault((symbol, timeframe), len(numbers)) << IDX_BITS
        for bars in _pages(reader, (symbol, timeframe), asked, columns, left):
            table = _bar_table(bars, base, symbol, timeframe, asked.columns)
            yield reversed(list(table)) if asked.descending else table
            left -= len(bars)
            if left <= 0 or asked.once:
                break
        if left <= 0:
            return


def _pages(
    reader: BarReader, name: tuple[str, str], asked: Asked, columns: Sequence[str], left: int
) -> Iterator[Bars]:
    first_ns, stop_ns = _span(asked)
    size = min(left, BATCH_FIRST) if asked.limit is None else min(left, BATCH_MAX)
    size = 1 if asked.once else size
    for month in _months(reader, first_ns, stop_ns, descending=asked.descending):
        while True:
            span = (first_ns, stop_ns)
            bars = reader.page(month, name, span, columns, size, newest=asked.descending)
            if len(bars):
                yield bars
            if len(bars) < size:
                break
            if asked.descending:
                stop_ns = int(bars.open_ns[0])
            else:
                first_ns = int(bars.open_ns[-1]) + 1
            size = min(size * 2, BATCH_MAX)


def _tick_batches(numbers: Numbers, reader: BarReader, asked: Asked) -> Iterator[Iterable[Row]]:
    left = MOST if asked.limit is None else asked.limit
    for symbol in [symbol for symbol, kind in _names(reader, asked) if kind == TICKS]:
        base = numbers.setdefault((symbol, TICKS), len(numbers)) << TRADE_ID_BITS
        for ticks in _windows(reader, symbol, asked):
            yield _tick_table(ticks, base, symbol, asked)
            left -= len(ticks)
            if left <= 0:
                return
            if asked.once and len(ticks):
                break


def _windows(reader: BarReader, symbol: str, asked: Asked) -> Iterator[Ticks]:
    first_ns, stop_ns = _span(asked)
    ids = (max(0, asked.ids[0]), asked.ids[1])
    if ids[1] - ids[0] < IDS_MAX:
        yield reader.ticks(symbol, first_ns, stop_ns, ids)
        return
    width_ns = WINDOW_NS
    while first_ns < stop_ns:
        at_ns = reader.tick_edge_ns(symbol, first_ns, stop_ns, newest=asked.descending)
        if at_ns is None:
            return
        if asked.descending:
            stop_ns = min(stop_ns, at_ns + 1)
            span = (max(first_ns, stop_ns - width_ns), stop_ns)
            stop_ns = span[0]
        else:
            first_ns = max(first_ns, at_ns)
            span = (first_ns, min(stop_ns, first_ns + width_ns))
            first_ns = span[1]
        ticks = reader.ticks(symbol, *span, ids)
        yield ticks
        width_ns = _next_width_ns(width_ns, len(ticks))


def _next_width_ns(width_ns: int, found: int) -> int:
    if found > MANY:
        return max(WINDOW_NS, width_ns // 2)
    return min(WINDOW_MAX_NS, width_ns * 2) if found < FEW else width_ns


def _names(reader: BarReader, asked: Asked) -> list[tuple[str, str]]:
    if asked.nothing or asked.limit == 0:
        return []
    if asked.symbols is not None:
        timeframes = (*TIMEFRAMES_NS, TICKS)
        found = [(one, tf) for one in asked.symbols for tf in timeframes if asked.wants(one, tf)]
    else:
        found = [name for name in reader.series(*_span(asked)) if asked.wants(*name)]
    return sorted(found, reverse=asked.descending)


def _months(reader: BarReader, first_ns: int, stop_ns: int, *, descending: bool) -> Iterator[int]:
    # Looked up anew at each step: a month may begin, or go into the archive, while one reads.
    done = 0
    while True:
        left = [
            month
            for month in reader.months(first_ns, stop_ns)
            if not done or (month < done if descending else month > done)
        ]
        if not left:
            return
        done = left[-1] if descending else left[0]
        yield done


def _span(asked: Asked) -> tuple[int, int]:
    """Return [first, stop) in ns of the ms that are asked for."""
    first_ms, last_ms = asked.ms
    return max(0, first_ms) * MS_NS, min(FOREVER_NS, (last_ms + 1) * MS_NS)


def _bar_table(
    bars: Bars, base: int, symbol: str, timeframe: str, wanted: Sequence[str]
) -> Iterable[Row]:
    count = len(bars)
    shown: list[Iterable[Value]] = []
    for name in BAR_NAMES:
        match name:
            case _ if name not in wanted:
                shown.append(repeat(None, count))
            case "symbol":
                shown.append(repeat(symbol, count))
            case "timeframe":
                shown.append(repeat(timeframe, count))
            case "open_ms":
                shown.append(_whole(bars.open_ns // MS_NS))
            case "time":
                shown.append(iso_texts(bars.open_ns))
            case "trades":
                shown.append(_whole(bars[name]))
            case "vwap":
                shown.append(_vwaps(bars))
            case "source":
                shown.append([SOURCES[one] for one in _whole(bars[name])])
            case _:
                shown.append(decimal_texts(bars[name], bars.exponents[SCALES[name]]))
    shown.append(_whole(bars.open_ns // TIMEFRAMES_NS[timeframe] + base))
    return zip(*shown, strict=True)


def _vwaps(bars: Bars) -> Iterator[Value]:
    """Yield what a unit cost on average, in the decimals of prices; None where none is known."""
    px_exp, qty_exp, quote_exp = bars.exponents
    up, down = 10 ** (px_exp + qty_exp), 10**quote_exp
    sums = zip(bars["volume"].tolist(), bars["quote_volume"].tolist(), strict=True)
    for volume, money in sums:
        whole = volume * down
        yield to_text((2 * money * up + whole) // (2 * whole), px_exp) if whole and money else None


def _tick_table(ticks: Ticks, base: int, symbol: str, asked: Asked) -> Iterable[Row]:
    count, wanted = len(ticks), asked.columns
    shown: list[Iterable[Value]] = []
    for name in TICK_NAMES:
        match name:
            case _ if name not in wanted:
                shown.append(repeat(None, count))
            case "symbol":
                shown.append(repeat(symbol, count))
            case "trade_id":
                shown.append(_whole(ticks.trade_id))
            case "ts_ms":
                shown.append(_whole(ticks.ts_ns // MS_NS))
            case "time":
                shown.append(iso_texts(ticks.ts_ns))
            case "price":
                shown.append(decimal_texts(ticks["px"], ticks.exponents[0]))
            case "qty":
                shown.append(decimal_texts(ticks["qty"], ticks.exponents[1]))
            case _:
                shown.append([SIDES[one] for one in _whole(ticks["side"])])
    shown.append(_whole(ticks.trade_id + base))
    rows = list(zip(*shown, strict=True))
    return rows[::-1] if asked.descending else rows


def _whole(numbers: Ints) -> list[int]:
    found: list[int] = numbers.tolist()
    return found
