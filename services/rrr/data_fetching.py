"""One series from the exchange into its history: asked page by page, kept as chunks of an import.

A batch of pages goes through all that a file of bars goes through, so that a bar that cannot be
taken is told line by line, and its provenance is the question and the hash of its answers.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from bus.clock import Clock
from bus.errors import ShardError
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MS_NS, iso
from services.ingest.edge_history import Door, Row
from services.rrr.data_bars import gaps_of, series_of
from services.rrr.data_digits import Ints
from services.rrr.data_layouts import BARE, BINANCE_COLUMNS, Layout
from services.rrr.data_report import Entry, Outcome, Report
from services.rrr.data_rows import Reader
from services.rrr.data_sources import Source
from services.rrr.data_taking import Subject, describe, take
from services.rrr.data_windows import (
    SETTLED_NS,
    Asked,
    Span,
    absent,
    asked_before,
    note_asked,
    windows,
)
from services.rrr.progress import Advance
from services.writer.history import History

LAYOUT = Layout("binance", BARE["binance"], BINANCE_COLUMNS, 0)
BATCH_ROWS = 40_000
GAPS = 3
NO_BARS: Ints = np.zeros(0, np.int64)


class Wish(msgspec.Struct, frozen=True):
    """One series from a time to a time."""

    symbol: str
    timeframe: str
    span_ns: Span
    newest_first: bool = False
    again: bool = False  # what the exchange did not have before, too

    @property
    def tf_ns(self) -> int:
        return TIMEFRAMES_NS[self.timeframe]


class Fetched(msgspec.Struct):
    """What became of one series; absent are intervals without a bar between `since` and `until`."""

    exchange: str
    symbol: str
    timeframe: str
    since: str = ""
    until: str = ""
    pages: int = 0
    bars: int = 0
    added: int = 0
    equal: int = 0
    differing: int = 0  # they stay
    bad: int = 0
    absent: int = 0
    gaps: list[Entry] = []  # the largest
    reports: list[str] = []


class Batch:
    """Answers that wait to be taken."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.spans: list[Span] = []
        self.hash = hashlib.sha256()

    def add(self, span: Span, body: bytes, rows: list[Row]) -> None:
        """Take one answer."""
        self.spans.append(span)
        self.hash.update(body)
        self.rows += rows


class Fetching:
    """Fetches series of one exchange into its history."""

    def __init__(self, door: Door, history: History, exchange: str, clock: Clock) -> None:
        self._door = door
        self._history = history
        self._exchange = exchange
        self._clock = clock

    def plan(self, wish: Wish, first_ns: int) -> list[Span]:
        """Return the questions of a series whose first bar opens at a time, in their order."""
        span = (max(wish.span_ns[0], first_ns), wish.span_ns[1])
        known = () if wish.again else asked_before(self._history.imports, *_name(wish))
        missing = absent(self._opens(wish), span, wish.tf_ns, known)
        found = list(windows(missing, wish.tf_ns))
        return found[::-1] if wish.newest_first else found

    def first_ns(self, wish: Wish) -> int | None:
        """Return when the first bar opens that the exchange has of a span; None without one."""
        _, rows = self._door.klines(wish.symbol, wish.timeframe, wish.span_ns, 1)
        return rows[0][0] * MS_NS if rows else None

    def fetch(self, wish: Wish, plan: list[Span], now_ns: int, advance: Advance) -> Fetched:
        """Ask all of a plan; what came before a failure is taken all the same."""
        done = Fetched(self._exchange, *_name(wish))
        batch = Batch()
        try:
            for span in plan:
                batch.add(span, *self._door.klines(*_name(wish), span))
                done.pages += 1
                advance(f"{wish.symbol} {wish.timeframe} {iso(span[0])[:10]}", 1)
                if len(batch.rows) >= BATCH_ROWS:
                    self._take(wish, batch, now_ns, done)
                    batch = Batch()
        finally:
            self._take(wish, batch, now_ns, done)
        return done

    def tell_absent(self, wish: Wish, first_ns: int, done: Fetched) -> None:
        """Say what there is of a span, and what the exchange does not have of it."""
        span = (max(wish.span_ns[0], first_ns), wish.span_ns[1])
        done.since, done.until = iso(span[0]), iso(span[1])
        done.absent = len(absent(self._opens(wish), span, wish.tf_ns))
        opens_ns = self._opens(wish)
        inside = opens_ns[(opens_ns >= span[0]) & (opens_ns < span[1])]
        _, done.gaps = gaps_of(inside // wish.tf_ns, wish.tf_ns, GAPS)

    def _opens(self, wish: Wish) -> Ints:
        try:
            reader = self._history.there.reader()
            reader.look()
            return reader.between(*_name(wish), *wish.span_ns, ()).open_ns
        except ShardError:
            if any((self._history.place / "db").iterdir()):
                raise
            return NO_BARS  # The first that is fetched of this exchange.

    def _take(self, wish: Wish, batch: Batch, now_ns: int, done: Fetched) -> None:
        if batch.rows:
            self._apply(wish, batch, now_ns, done)
        settled_ns = now_ns - max(SETTLED_NS, wish.tf_ns)
        stretches = [(first_ns, min(stop_ns, settled_ns)) for first_ns, stop_ns in batch.spans]
        opens_ns = self._opens(wish)
        note_asked(
            self._history.imports,
            (
                Asked(*_name(wish), *span, self._clock.wall_ns())
                for span in stretches
                if len(absent(opens_ns, span, wish.tf_ns))
            ),
        )

    def _apply(self, wish: Wish, batch: Batch, now_ns: int, done: Fetched) -> None:
        outcome = Outcome(self._question(wish, batch), batch.hash.hexdigest())
        subject = Subject(self._exchange, *_name(wish), LAYOUT, "")
        path = self._history.imports / f"{outcome.sha256}.report.jsonl"
        with Report(path) as report:
            reader = Reader(LAYOUT, report)
            rows = reader.rows(_lines(batch.rows), 1)
            outcome.rows = reader.read
            if len(rows.lines):
                series = series_of(rows, wish.timeframe, now_ns, report, spaced=False)
                describe(outcome, subject, series, report)
                if series.columns.shape[1]:
                    take(
                        Source(Path(outcome.source)), series, subject, outcome, report,
                        self._history.take, self._clock, replace=False,
                    )  # fmt: skip
            outcome.bad = report.count("bad")
            report.keep(outcome)
        _sum(done, outcome)

    def _question(self, wish: Wish, batch: Batch) -> str:
        first_ns = min(first for first, _ in batch.spans)
        stop_ns = max(stop for _, stop in batch.spans)
        place = self._door.place.replace("://", ":")  # As a path it would lose one of two slashes.
        return (
            f"{place}/klines {wish.symbol} {wish.timeframe} [{iso(first_ns)}, {iso(stop_ns)}) "
            f"in {len(batch.spans)} answers"
        )


def span_of(since_ns: int, until_ns: int, tf_ns: int, now_ns: int) -> Span:
    """Return the opening times of closed bars within two times."""
    stop_ns = min(until_ns, now_ns - tf_ns + 1)
    first_ns = max(0, since_ns)
    return -(-first_ns // tf_ns) * tf_ns, -(-stop_ns // tf_ns) * tf_ns


def _name(wish: Wish) -> tuple[str, str]:
    return wish.symbol, wish.timeframe


def _lines(rows: list[Row]) -> bytes:
    """Return rows as a file has them; what no number has, as a comma, makes a row a bad one."""
    compact = msgspec.json.encode(rows)
    return compact[2:-2].replace(b"],[", b"\n").replace(b'"', b"") + b"\n"


def _sum(done: Fetched, outcome: Outcome) -> None:
    done.bars += outcome.bars
    done.added += outcome.added
    done.equal += outcome.equal
    done.differing += outcome.differing
    done.bad += outcome.bad
    if outcome.bad or outcome.differing:
        done.reports = [*done.reports, outcome.report]
