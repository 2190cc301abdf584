"""Journals of an owner that was killed again and again, damage in them, and who reads them."""

import random
from itertools import count
from pathlib import Path

import msgspec

from bus.holes import Accepted, Repairs, keep_repairs, repairs
from bus.intake import Lane
from bus.segments import bases, segment_path
from bus.service import each
from schema.frame import HEADER_BYTES, Kind, unpack
from schema.head import Message
from schema.streams import Stream
from tests.bus.rigs import B, DiskRig, numbers
from tests.schema.samples import sample

DAY_NS = 86_400 * 10**9
LIVES = 3


def said(stream: Stream, n: int) -> Message:
    """Return a message of a stream that its number tells apart."""
    message: Message = msgspec.structs.replace(sample(stream.messages[0]), ts_event=n)
    return message


def written(root: Path, stream: Stream = B) -> DiskRig:
    """Write the lives of an owner that was killed each time: each two segments, the last open."""
    rig, n = DiskRig(root, stream), count(1)
    for _ in range(LIVES):
        writer = rig.start()
        for _ in range(2):
            for _ in range(6):
                writer.append([said(stream, next(n)) for _ in range(1 + next(n) % 2)])
            rig.clock.advance(DAY_NS)
        writer._release()
    return rig


def records(path: Path) -> list[tuple[int, int, int, int]]:
    """Return begin, end, first and last position of each record that holds any."""
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        frame = unpack(data, at)
        end = at + HEADER_BYTES + len(frame.body)
        if frame.count:
            found.append((at, end, frame.pos, frame.last))
        at = end
    return found


def spoil(path: Path, begin: int, end: int, rng: random.Random) -> None:
    """Turn bits over in a stretch of a file."""
    data = bytearray(path.read_bytes())
    for at in {begin, end - 1, *(rng.randrange(begin, end) for _ in range(3))}:
        data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))


def heard(rig: DiskRig, cursor: int) -> list[int]:
    """Return what a consumer behind a cursor hears; it raises what stops the consumer."""
    lane, found = Lane(rig.stream, rig.journals, cursor), list[int]()
    while lane.behind:
        found += numbered(lane)
    return found


def numbered(lane: Lane) -> list[int]:
    """Return what tells the messages of one slice apart."""
    heard = each(lane.catch_up())
    return [one.message.ts_event for one in heard if isinstance(one.message, Message)]


def all_of(rig: DiskRig) -> dict[int, int]:
    """Return each message by its position, wherever damage does not stand before it."""
    found: dict[int, int] = {}
    for base in bases(rig.folder):
        data, at = segment_path(rig.folder, base).read_bytes(), 0
        while at < len(data):
            frame = unpack(data, at)
            at += HEADER_BYTES + len(frame.body)
            if frame.kind == Kind.DATA:
                found |= dict(enumerate(numbers(rig.stream, frame.body), frame.pos))
    return found


def accept(rig: DiskRig, first: int, last: int) -> None:
    """Do what a person does who lets every reader pass one hole."""
    decided = repairs(rig.folder)
    one = Accepted(first, last, "somebody", "why", 1)
    keep_repairs(rig.folder, Repairs(decided.salvaged, (*decided.accepted, one)))
