"""Which bars an engine heard too late to decide on, by the record of its turns."""

from pathlib import Path

from bus.clock import SystemClock
from bus.journals import DiskJournals
from schema.frame import position
from schema.house import Inputs
from schema.streams import STREAMS
from schema.units import MINUTE_NS
from services.rrr.parity_heard import BAR, late_bars
from tests.services.engine.engine_made import START_NS, SYMBOL, bar


def test_a_bar_that_was_heard_more_than_two_bars_late_is_told_with_its_delay(
    tmp_path: Path,
) -> None:
    bars = [bar(START_NS + number * MINUTE_NS) for number in range(3)]
    places = [position(1, number + 1) for number in range(3)]
    delays_ns = (0, 2 * MINUTE_NS, 3 * MINUTE_NS)
    journals = DiskJournals(tmp_path, SystemClock())
    writer = journals.writer(STREAMS["engine.intent"], journals.open_epoch("engine"), "code")
    for turn, (one, pos, late_ns) in enumerate(zip(bars, places, delays_ns, strict=True)):
        now_ns = one.ts_event + late_ns
        heard = Inputs(
            ts_event=now_ns, turn=turn, now_ns=now_ns, code="", slices=((BAR, pos, pos),)
        )
        writer.append([heard])
    writer.close("over")
    told = {(BAR, pos): one for pos, one in zip(places, bars, strict=True)}
    key = (SYMBOL, "1m", bars[2].open_ns)
    assert late_bars(tmp_path, told) == {key: 3 * MINUTE_NS}
