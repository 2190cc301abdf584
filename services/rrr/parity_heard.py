"""When an engine heard the bars of a day: the record of its turns tells."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path

from bus.intake import read_body
from bus.journal import open_reader
from schema.head import Cause
from schema.house import Inputs
from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from schema.streams import STREAMS, owned_by
from services.backtest.parity_day import BarKey
from services.engine.core import FRESH_BARS
from services.rrr.digging import directory_of

BAR = STREAMS["ingest.bar"].number
Turn = tuple[int, int, int]
"""First and last position of the bars that were heard, and when."""


def late_bars(journals: Path, bars: Mapping[Cause, Bar]) -> dict[BarKey, int]:
    """Return the bars that were too old to decide on when they were heard, and by how many ns."""
    turns = sorted(_turns(journals))
    firsts = [first for first, _, _ in turns]
    found: dict[BarKey, int] = {}
    for (_, pos), bar in bars.items():
        at = bisect_right(firsts, pos) - 1
        if at < 0 or pos > turns[at][1]:
            continue
        late_ns = turns[at][2] - bar.ts_event
        if late_ns > FRESH_BARS * TIMEFRAMES_NS[bar.timeframe]:
            found[bar.symbol, bar.timeframe, bar.open_ns] = late_ns
    return found


def _turns(journals: Path) -> Iterator[Turn]:
    for stream in owned_by("engine"):
        if not stream.journaled:
            continue
        reader, after = open_reader(directory_of(journals, stream), stream), 0
        try:
            while frames := reader.read(after):
                after = frames[-1].last
                for frame in frames:
                    for one in read_body(stream, frame.body):
                        if isinstance(one, Inputs):
                            yield from (
                                (first, last, one.now_ns)
                                for number, first, last in one.slices
                                if number == BAR
                            )
        finally:
            reader.close()
