"""A writer that commits without end and says on its standard output what it has committed.

`python -m tests.services.writer_child DIRECTORY`; one trade and one bar a minute, so that a second
of work passes several months.
"""

import os
import random
import sys
from pathlib import Path

from bus.clock import SystemClock
from bus.lease import Lease
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import BAR, LIMITS, MINUTE_NS, TRADE, at, bar, kept, trade

FIRST_NS = at("2020-01-30T00:00:00")


def main(directory: Path) -> None:
    """Commit batches of random sizes from where the shard says until killed."""
    clock = SystemClock()
    lease = Lease(directory / "shard_market.lease")
    lease.wait(clock)
    store = MarketStore(Months(directory, "w"), lease, clock, LIMITS)
    pos = store.cursors().get(TRADE, -1) + 1
    chance = random.Random(pos)
    while True:
        batch = range(pos, pos + chance.randint(1, 400))
        times = [FIRST_NS + index * MINUTE_NS for index in batch]
        trades = [trade(index, ts_ns) for index, ts_ns in zip(batch, times, strict=True)]
        bars = [bar(ts_ns) for ts_ns in times]
        store.commit(kept(*trades, *bars), {TRADE: batch[-1], BAR: batch[-1]})
        store.idle()
        pos = batch[-1] + 1
        os.write(1, b"%d\n" % batch[-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
