"""One file of bars into the history: read whole, then kept as chunks, then applied month by month.

What came of it is an `Outcome`, and line by line in the report beside the chunks.
"""

from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec
import numpy as np

from bus.clock import Clock
from bus.errors import HouseError
from schema.setting_types import TIMEFRAMES_NS
from schema.units import iso
from services.rrr.data_bars import Series, series_of, values_text
from services.rrr.data_layouts import Layout, LayoutError, layout_of
from services.rrr.data_names import Named, is_known, joined, named
from services.rrr.data_report import GAPS_SHOWN, Outcome, Report
from services.rrr.data_rows import Reader, Rows
from services.rrr.data_rows import joined as joined_rows
from services.rrr.data_sources import Source, SourceError, blocks
from services.writer.history_apply import Taken
from services.writer.history_chunks import BARS_MAX, Chunk, Origin
from services.writer.history_compare import Compared

ROWS_MAX = 8_000_000
"""Rows of one file: fifteen years of minutes, in less than two gigabytes of memory."""

HEAD_BYTES = 1 << 16
ALONE_IN = {"bitfinex": "bitfinex"}
"""Layouts that one exchange alone has: its bars are not another's because nobody said whose."""

HEAD_LINES = 20

Apply = Callable[[Chunk, Origin], Iterator[Taken]]
"""Takes a chunk into the history, or compares it alone; yields what became of each month."""


class Wanted(msgspec.Struct, frozen=True):
    """What a person said of the files; empty where the files are asked."""

    symbol: str = ""
    timeframe: str = ""
    exchange: str = ""
    format: str = ""
    replace: bool = False
    otherwise: str = ""  # the exchange where nothing else names one


class Subject(msgspec.Struct, frozen=True):
    """Whose bars a file holds, and how it is laid out."""

    exchange: str
    symbol: str
    timeframe: str
    layout: Layout
    day: str


def exchange_of(source: Source, layout: Layout, wanted: Wanted) -> str:
    """Return the exchange whose history a file belongs to."""
    said = _named(source)
    exchange = wanted.exchange or said.exchange or ALONE_IN.get(layout.name) or wanted.otherwise
    settled = ":" in (wanted.symbol or said.symbol)  # A perpetual: Binance has a market for them.
    usdm = settled and exchange == "binance" and not wanted.exchange
    return "binanceusdm" if usdm else exchange


def subject_of(source: Source, first: bytes, wanted: Wanted) -> Subject:
    """Return whose bars a file holds, by options, its columns and its name; else LayoutError."""
    said = _named(source)
    if said.other:
        raise LayoutError(
            f"by its name it holds {said.other}", "Only bars of trades are taken into the history"
        )
    base = (wanted.symbol or said.symbol).partition("/")[0]
    asked = wanted.format or ("lean" if said.day else "")
    layout = layout_of(first, "" if asked == "cryptodatadownload" else asked, base)
    symbol = wanted.symbol or _of_column(first, layout) or said.symbol
    if not symbol:
        raise LayoutError("its symbol is not known", "Say it: --symbol BTC/USDT")
    timeframe = wanted.timeframe or said.timeframe
    if not is_known(timeframe):
        known = " ".join(TIMEFRAMES_NS)
        what = (
            f"its timeframe {timeframe} is not kept" if timeframe else "its timeframe is not known"
        )
        raise LayoutError(f"{what}: expected one of {known}", "Say it: --timeframe 1m")
    day = said.day if layout.name == "lean" else ""
    return Subject(exchange_of(source, layout, wanted), symbol, timeframe, layout, day)


def read_bars(
    source: Source,
    subject: Subject,
    now_ns: int,
    report: Report,
    outcome: Outcome,
    went: Callable[[int], None],
) -> Series:
    """Return the bars of a file; LayoutError when it has none that can be taken."""
    reader = Reader(subject.layout, report, subject.day)
    parts: list[Rows] = []
    line, kept = 1, 0
    for block in blocks(source):
        skipped, rest = _behind(block, subject.layout.skip - (line - 1))
        part = reader.rows(rest, line + skipped)
        line += block.count(b"\n")
        kept += len(part.lines)
        parts.append(part)
        went(len(block))
        _require_sense(source, kept, reader.read)
    outcome.rows = reader.read
    if not kept:
        raise LayoutError("none of its rows can be taken", "Its report has the reason for each")
    rows = joined_rows(parts)
    parts.clear()  # Years of minutes are kept once.
    series = series_of(rows, subject.timeframe, now_ns, report)
    if not series.columns.shape[1]:
        raise LayoutError("none of its rows can be taken", "Its report has the reason for each")
    return series


def chunks_of(series: Series, symbol: str) -> Iterator[Chunk]:
    """Yield the bars of a series in whole months, as many as one chunk holds."""
    opens_ns = series.columns[0] * TIMEFRAMES_NS[series.timeframe]
    months = opens_ns.astype("M8[ns]").astype("M8[M]")
    edges = [*np.flatnonzero(np.diff(months) != np.timedelta64(0, "M")) + 1, len(months)]
    start = cut = 0
    for edge in edges:
        if edge - start > BARS_MAX:
            yield _chunk(series, symbol, start, cut)
            start = cut
        cut = int(edge)
    yield _chunk(series, symbol, start, cut)


def take(
    source: Source,
    series: Series,
    subject: Subject,
    outcome: Outcome,
    report: Report,
    apply: Apply,
    clock: Clock,
    *,
    replace: bool,
) -> None:
    """Apply the bars of a file, and say what became of them."""
    recorded = True
    for chunk in chunks_of(series, subject.symbol):
        origin = Origin(source.shown, outcome.sha256, clock.wall_ns(), replace)
        for taken in apply(chunk, origin):
            outcome.added += taken.added
            outcome.equal += taken.equal
            outcome.replaced += taken.replaced
            outcome.months.append(taken.month)
            recorded &= taken.recorded
            if taken.compared is not None:
                _tell_differing(taken.compared, series.timeframe, report, replaced=replace)
    outcome.status = "already imported" if recorded else "imported"
    outcome.differing = 0 if replace else report.count("differs")


def describe(outcome: Outcome, subject: Subject, series: Series | None, report: Report) -> None:
    """Put what is known of a file into its outcome."""
    outcome.exchange, outcome.symbol = subject.exchange, subject.symbol
    outcome.timeframe, outcome.format = subject.timeframe, subject.layout.name
    outcome.bad, outcome.rounded = report.count("bad"), report.count("rounded")
    outcome.same, outcome.duplicates = report.count("same"), report.count("duplicate")
    outcome.dates_differ, outcome.prices_odd = report.count("date"), report.count("price")
    outcome.restored, outcome.shown = report.restored, report.shown
    if series is not None:
        tf_ns = TIMEFRAMES_NS[series.timeframe]
        outcome.bars = int(series.columns.shape[1])
        outcome.first, outcome.last = (iso(int(series.columns[0, at]) * tf_ns) for at in (0, -1))
        outcome.order, outcome.out_of_order = series.order, series.out_of_order
        outcome.missing, outcome.gaps = series.missing, series.gaps[:GAPS_SHOWN]
        outcome.exponents = series.exponents
        assert outcome.rows == outcome.bars + outcome.bad + outcome.same + outcome.duplicates


def head(source: Source) -> bytes:
    """Return the first lines of a file."""
    first = b""
    with closing(blocks(source)) as found:
        for block in found:
            first += block
            if first.count(b"\n") > HEAD_LINES:
                break
    return first[: first.rfind(b"\n", 0, HEAD_BYTES) + 1] or first


def _named(source: Source) -> Named:
    if not source.entry:
        return named(source.path.name, source.path.parent.name)
    inner = named(source.entry.rpartition("/")[2])
    outer = named(source.path.name, source.path.parent.name)
    pairs = {
        field: getattr(inner, field) or getattr(outer, field)
        for field in ("symbol", "timeframe", "exchange", "other", "day")
    }
    return Named(**pairs)


def _of_column(first: bytes, layout: Layout) -> str:
    at = layout.columns.get("symbol")
    rows = first.splitlines()[layout.skip : layout.skip + 1]
    if at is None or not rows:
        return ""
    fields = rows[0].split(layout.delimiter)
    text = fields[at].decode(errors="replace").strip(' "').upper() if at < len(fields) else ""
    return text if "/" in text else joined(text)


def _behind(block: bytes, lines: int) -> tuple[int, bytes]:
    """Return how many of the lines to skip are in a block, and what is behind them."""
    start = skipped = 0
    while skipped < lines and (end := block.find(b"\n", start)) >= 0:
        start, skipped = end + 1, skipped + 1
    return skipped, block[start:]


def _require_sense(source: Source, kept: int, read: int) -> None:
    if kept > ROWS_MAX:
        raise SourceError(
            f"{source.shown} has more than {ROWS_MAX:,} rows", "Part it, for instance by year"
        )
    if not kept and read > ROWS_MAX // 100:
        raise LayoutError(f"none of its first {read:,} rows can be taken", "Is it a file of bars?")


def _chunk(series: Series, symbol: str, start: int, stop: int) -> Chunk:
    columns = np.ascontiguousarray(series.columns[:, start:stop])
    return Chunk(symbol, series.timeframe, series.exponents, columns)


def _tell_differing(compared: Compared, timeframe: str, report: Report, *, replaced: bool) -> None:
    tf_ns = TIMEFRAMES_NS[timeframe]
    for mine, other in compared.met.T[compared.differing[compared.met[0]]].tolist():
        report.differs(
            int(compared.columns[0, mine]) * tf_ns,
            values_text(compared.columns[1:, mine].tolist(), compared.exponents),
            values_text(compared.there[1:, other].tolist(), compared.exponents),
            replaced=replaced,
        )


def refused(outcome: Outcome, error: HouseError) -> Outcome:
    """Return the outcome of a file that was not taken."""
    outcome.status, outcome.reason = "refused", str(error)
    return outcome
