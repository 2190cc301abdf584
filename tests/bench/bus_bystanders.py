"""Who else may be at a stream, and who does without its journal: processes of `bus_watched`.

`python -m tests.bench.bus_bystanders journal|socket|kept|unkept DIRECTORY`. Watchers look at every
frame and decode none: what they do with a message is their own affair, and their own time.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bus.clock import SystemClock
from bus.journal import open_reader
from bus.journals import DiskJournals, Journals
from bus.log import Log
from bus.pulse import Pulse
from bus.record import Before, JournalWriter
from bus.runner import Runner
from bus.service import Parts
from bus.wire import Subscriber, Wire
from schema.frame import unpack
from schema.streams import STREAMS, Stream
from tests.bench.bus_service import Plan, Speaker

NAME = "ingest.trade"
LOOK_MS = 5

_clock = SystemClock()


class UnkeptWriter(JournalWriter):
    """Numbers and packs as every writer does, and writes nothing down."""

    def begin(self) -> None:
        """Open the epoch."""
        self._open("", 0, "")

    def _write(self, frames: Sequence[bytes], wall_ns: int) -> None:
        pass

    def _flush(self) -> None:
        pass

    def _duplicate(self) -> int:
        return -1

    def _seal(self) -> None:
        pass

    def _release(self) -> None:
        pass


class Unkept(DiskJournals):
    """The journals of a house that keeps none."""

    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        writer = UnkeptWriter(stream, epoch, _clock, Before())
        writer.begin()
        return writer


def _speak(top: Path, journals: Journals) -> None:
    core = Speaker("ingest", Plan())
    wire, log = Wire(top, core.name), Log(top, core.name, "bench", _clock, (1 << 20, 2))
    log.console = -1
    runner = Runner(Parts(core), wire, journals, Pulse(core.name, wire, _clock), log)
    runner.start()
    while True:
        runner.turn()
        runner.wait()


def _watch_journal(directory: Path) -> None:
    reader = open_reader(directory, STREAMS[NAME])
    after = reader.last()
    _say_line("here")
    while True:
        frames = reader.read(after, 1 << 20)
        if frames:
            after = frames[-1].last
        else:
            _clock.pause_ms(LOOK_MS)


def _watch_socket(run: Path) -> None:
    ear = Subscriber(run, (NAME,))
    _say_line("here")
    while True:
        for raw in ear.receive(LOOK_MS):
            unpack(raw)


def _say_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    kind, top = sys.argv[1], Path(sys.argv[2])
    if kind == "journal":
        _watch_journal(top)
    elif kind == "socket":
        _watch_socket(top)
    else:
        _speak(top, {"kept": DiskJournals, "unkept": Unkept}[kind](top / "journal", _clock))
