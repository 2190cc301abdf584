"""Takes two chunks into a history, and dies like a kill -9 at the step that it is told.

A step is a call that reaches the disk or the shard: `python history_child.py PLACE STEP`.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.services.writer.history_desk import chunk, held, origin

CALLS = frozenset(
    {"execute", "executemany", "fsync", "open", "write", "replace", "unlink", "mkdir", "pragma"}
    | {"wal_checkpoint", "close", "flush", "rename", "ftruncate", "pwrite"}
)


class Death:
    """Comes at the n-th step, before it is done."""

    def __init__(self, step: int) -> None:
        self._left = step

    def __call__(self, frame: FrameType, event: str, what: Any) -> None:
        if event == "c_call" and what.__name__ in CALLS:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main(place: Path, step: int) -> None:
    """Take what every run takes."""
    sys.setprofile(Death(step))
    with held(place) as history:
        for number, one in enumerate((chunk(), chunk(25, step=1))):
            for _ in history.take(one, origin(number)):
                pass
    sys.setprofile(None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
