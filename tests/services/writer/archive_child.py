"""A process that archives and retires a month, and is killed after so many steps."""

import os
import signal
import sys
from itertools import chain
from pathlib import Path

from bus.clock import ManualClock
from bus.migrations import KINDS
from bus.shard import open_writer
from services.writer.archive_files import live_path
from services.writer.archiving import archive_steps
from services.writer.retiring import retire_steps


def main(place: Path, month: int, world: str, dies_after: int) -> None:
    """Go on until death; say `done` when there was none."""
    clock = ManualClock()
    shard = open_writer(KINDS["market"], live_path(place, month), world)
    building = archive_steps(place, month, clock, lambda _share: None)
    for done, _ in enumerate(chain(building, retire_steps(place, month, shard, clock))):
        if done == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.stdout.write("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
