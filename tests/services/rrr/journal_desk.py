"""Journals of a bare house, and the verbs that look after them, run within the test."""

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from bus.clock import ManualClock
from bus.errors import HouseError
from bus.house import House
from bus.journals import DiskJournals
from bus.segments import bases, segment_path
from schema.frame import HEADER_BYTES, unpack
from schema.head import Message
from schema.streams import STREAMS, Stream
from services.rrr import rrr
from tests.schema.samples import sample
from tests.services.bare import bare_house

NOON_NS = 1_700_000_000_000_000_000
DAY_NS = 86_400 * 10**9
FEED = STREAMS["ingest.feed"]
SEGMENTS = 4
MESSAGES = SEGMENTS * 5


class Told:
    """How a verb ended and what it said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The objects of its lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Desk:
    """A house with journals of two lives, each of two days."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock = ManualClock(NOON_NS)
        self.journals = DiskJournals(house.journal_dir, self.clock)
        house.run.mkdir(parents=True, exist_ok=True)

    def folder(self, stream: Stream = FEED) -> Path:
        return self.house.journal_dir / stream.owner / stream.channel

    def segment(self, index: int, stream: Stream = FEED) -> Path:
        return segment_path(self.folder(stream), bases(self.folder(stream))[index])

    def write(self, stream: Stream = FEED) -> list[Message]:
        """Let an owner live and be killed twice; return what it said."""
        said, n = list[Message](), count(1)
        for _ in range(SEGMENTS // 2):
            writer = self.journals.writer(stream, self.journals.open_epoch(stream.owner), "code")
            for _ in range(2):
                for _ in range(5):
                    kind = stream.messages[next(n) % len(stream.messages)]
                    said.append(msgspec.structs.replace(sample(kind), ts_event=next(n)))
                    writer.append(said[-1:])
                self.clock.advance(DAY_NS)
            writer._release()
        return said

    def spoil(self, index: int, stream: Stream = FEED) -> tuple[int, int, int]:
        """Damage a record in the middle of a segment; return begin, end and position."""
        path, rng = self.segment(index, stream), random.Random(index)
        begin, end, pos = records(path)[2]
        data = bytearray(path.read_bytes())
        data[rng.randrange(begin, end)] ^= 1
        path.write_bytes(bytes(data))
        return begin, end, pos

    def rrr(self, *words: str, typed: str = "") -> Told:
        """Run a verb of `rrr bus`."""
        done = CliRunner().invoke(rrr, ["bus", *words], input=typed)
        if isinstance(done.exception, HouseError):
            return Told(done.exception.exit_code, done.stdout, str(done.exception))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return Told(done.exit_code, done.stdout, done.stderr)


def records(path: Path) -> list[tuple[int, int, int]]:
    """Return begin, end and position of each record that holds messages."""
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        frame = unpack(data, at)
        end = at + HEADER_BYTES + len(frame.body)
        if frame.count:
            found.append((at, end, frame.pos))
        at = end
    return found


@contextmanager
def journal_desk() -> Iterator[Desk]:
    """Yield the desk, in its house."""
    before = Path.cwd()
    with bare_house() as house:
        os.chdir(house.root)
        try:
            yield Desk(house)
        finally:
            os.chdir(before)
