"""Bytes of chance, and whole ones with chance in them: a documented answer, whatever they are.

`make fuzz` runs the same targets for as long as one likes, led by what they reach.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.audit import audit
from bus.clock import ManualClock
from bus.errors import HouseError
from bus.hub import Hub
from bus.intake import Intake, Lane
from bus.memory import MemoryJournals
from bus.record import packed
from bus.segments import bases, segment_path
from bus.service import each
from schema.frame import Frame, FrameError, Kind, pack, unpack
from schema.messages import encode
from tests.bus.rigs import B, DiskRig
from tests.bus.strips import strip_of
from tests.fuzz.dice import CHANGE
from tests.fuzz.targets import TARGETS

EXAMPLES = 40
EXAMPLES_SLOW = 1000

DEEP = b"\x91" * 200_000
LONG = b"\xdd\xff\xff\xff\xff"
GARBLED = b"\x91\x95\xa1\xff\xa1\xff\xa1\xff"
KNOWN = (b"", b"\xc1", DEEP, LONG, GARBLED, b"9" * 5000, b"\xff" * 80, b"\x91\x90", b"{}", b"1\n")
"""What once was a finding, or what one would try first."""


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("data", KNOWN, ids=range(len(KNOWN)))
def test_what_one_would_try_first_gives_a_documented_answer(name: str, data: bytes) -> None:
    TARGETS[name](data)
    TARGETS[name](b"\0\0\0\0" + data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES)
@given(data=st.binary(max_size=600))
def test_any_bytes_give_a_documented_answer(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES_SLOW)
@given(data=st.binary(max_size=4000))
def test_many_bytes_give_a_documented_answer(name: str, data: bytes) -> None:
    TARGETS[name](data)


def test_a_header_that_promises_much_costs_nothing() -> None:
    header = bytearray(72)
    header[24:28] = b"BUS1"
    for promised in (1 << 20, (1 << 20) + 1, (1 << 32) - 1):
        header[28:32] = promised.to_bytes(4, "little")
        with pytest.raises(FrameError):
            unpack(bytes(header))


def test_a_sign_of_life_that_is_none_ends_no_hearer() -> None:
    clock, place = ManualClock(1), Hub().join(())
    intake = Intake(place, MemoryJournals(clock), ("warden.process",), clock)
    frame = Frame("warden.process", Kind.HEARTBEAT, 0, 1, 0, 0, 1, 0, encode([CHANGE]))
    place.inbox.append(pack(frame))
    assert [heard.message for heard in each(intake.take())] == [CHANGE]


@pytest.mark.parametrize("kind", [Kind.EPOCH, Kind.EOF])
@pytest.mark.parametrize("body", [b"\x90", GARBLED, DEEP], ids=["empty", "garbled", "deep"])
def test_a_mark_that_cannot_be_read_is_told_by_the_audit(
    tmp_path: Path, kind: Kind, body: bytes
) -> None:
    rig = DiskRig(tmp_path, B)
    writer = rig.start()
    writer._release()
    rig.start()._release()
    first = segment_path(rig.folder, bases(rig.folder)[0])
    strip = strip_of(B, first.read_bytes())
    count = 0 if kind == Kind.EOF else 1
    broken = packed(B, kind, strip.lasts[-1] + 1, (1, 1), body, count)
    first.write_bytes(strip.data[: strip.starts[-2]] + broken)
    assert audit(rig.folder, B).problems
    lane = Lane(B, rig.journals, 0)
    with pytest.raises(HouseError):  # And it is not passed by whoever reads it.
        follow(lane)


def follow(lane: Lane) -> None:
    while lane.behind:
        lane.catch_up()
