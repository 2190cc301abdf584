"""A publisher at full rate: `python -m tests.services.rrr.loud_child RUN JOURNALS COUNT`.

It says a line when it begins, and one with its memory before and after when all is said.
"""

import json
import sys
from pathlib import Path

from bus.clock import SystemClock
from bus.journals import DiskJournals
from bus.pulse import rss_bytes
from bus.wire import Wire
from schema.streams import STREAMS
from tests.services.rrr.trade_day import feed

BATCH = 20


def tell(told: dict[str, int]) -> None:
    """Write a line to whoever started this."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main(run: Path, journals: Path, count: int) -> None:
    """Say so many messages, as fast as they can be appended and sent."""
    clock = SystemClock()
    wire, kept = Wire(run, "ingest"), DiskJournals(journals, clock)
    writer = kept.writer(STREAMS["ingest.feed"], kept.open_epoch("ingest"), "code")
    before = rss_bytes()
    tell({"begun": writer.last})
    for start in range(0, count, BATCH):
        for frame in writer.append([feed(f"S{start + n}") for n in range(BATCH)]):
            wire.send(frame)
    tell({"said": count, "grown": rss_bytes() - before})
    writer.close("done")
    wire.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
