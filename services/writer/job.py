"""`python -m services.writer.job JSON`: one long piece of work on a shard, at low priority.

Each `run` takes what it is told and a function that it calls as it goes on; it returns what it did,
for people. What it begins and does not end, the next one clears away.
"""

import os
import select
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module

import msgspec

from bus.clock import Clock, SystemClock
from bus.errors import HouseError
from services.writer.jobs import ALIVE, Finished, Job

RUNS = {
    "archive": "services.writer.archiving",
    "backup": "services.writer.backup",
}
"""Where the `run` of each job is."""

Progress = Callable[[float], None]
"""Is told the share that is done, 0 to 1; may raise to end the work."""

Run = Callable[[Mapping[str, str], Progress], str]

SIGN_NS = 1_000_000_000
STDIN, STDOUT = 0, 1
ORPHAN_CODE = 70
TEXT_CHARS_MAX = 4096


def main(asked: str) -> None:
    """Do one job, and write what it came to on standard output as one JSON object."""
    os.nice(19)
    os.umask(0o077)
    job = msgspec.json.decode(asked, type=Job)
    run: Run = import_module(RUNS[job.name]).run
    try:
        text, ok = run(job.args, Watch(SystemClock())), True
    except (HouseError, OSError) as error:
        text, ok = str(error), False
    done = Finished(job=job, ok=ok, text=text[:TEXT_CHARS_MAX])
    os.set_blocking(STDOUT, True)
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(done))


class Watch:
    """Ends the work once nobody asks for it any more; else tells now and then that it goes on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_ns = 0
        os.set_blocking(STDOUT, False)

    def __call__(self, _share: float) -> None:
        ready, _, _ = select.select([STDIN], [], [], 0)
        if ready and not os.read(STDIN, 1):
            sys.stderr.write("the writer that asked for this is gone\n")
            sys.exit(ORPHAN_CODE)
        if self._clock.mono_ns() - self._told_ns >= SIGN_NS:
            self._told_ns = self._clock.mono_ns()
            with suppress(BlockingIOError):  # A busy writer reads later.
                os.write(STDOUT, ALIVE)


if __name__ == "__main__":
    main(sys.argv[1])
