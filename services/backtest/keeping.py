"""Says what a run was on `backtest.result`, from where the writer of its shard takes it.

One run says it at a time, under a lease; while the house is down, what was said waits in the
journal.
"""

from bus.build import code_hash
from bus.clock import Clock
from bus.house import House, settle_world
from bus.journals import DiskJournals
from bus.lease import hold_place
from schema.house import BacktestResult
from schema.streams import STREAMS
from services.backtest import NAME, SAYS
from services.backtest.record import Record, words_of


def keep(house: House, record: Record, clock: Clock) -> BacktestResult:
    """Keep a run in the world of a house; JournalError when the disk does not take it."""
    if not (house.world_dir / "world.json").exists():
        settle_world(house)
    lease = hold_place(house.run, NAME, clock)
    try:
        return _say(house, record, clock)
    finally:
        lease.release()


def _say(house: House, record: Record, clock: Clock) -> BacktestResult:
    journals = DiskJournals(house.journal_dir, clock)
    stream, epoch = STREAMS[SAYS[0]], journals.open_epoch(NAME)
    writer = journals.writer(stream, epoch, code_hash(house, NAME))
    result, *rest = words_of(record, house.world, clock.wall_ns())
    assert isinstance(result, BacktestResult)
    for word in (result, *rest):
        writer.append([word])
    writer.sync()
    writer.close("the run is over")
    return result
