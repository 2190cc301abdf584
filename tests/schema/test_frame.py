"""The frame: what was packed comes back, and damage is never taken for a frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.frame import (
    FRAME_BYTES_MAX,
    HEADER_BYTES,
    Frame,
    FrameError,
    epoch_of,
    length_of,
    pack,
    position,
    topic,
    unpack,
)

I64 = st.integers(0, 2**63 - 1)
U32 = st.integers(0, 2**32 - 1)
FRAMES = st.builds(
    Frame,
    stream=st.from_regex(r"[a-z]{1,10}\.[a-z]{1,10}", fullmatch=True),
    kind=st.integers(0, 255),
    flags=st.integers(0, 2**16 - 1),
    pos=st.builds(position, st.integers(0, 2**23 - 1), st.integers(0, 2**40 - 2**32 - 1)),
    ts_ns=I64,
    mono_ns=I64,
    count=U32,
    schema=U32,
    body=st.binary(max_size=200),
)


@given(FRAMES, st.binary(max_size=50), st.binary(max_size=50))
def test_a_frame_comes_back_wherever_it_stands(frame: Frame, before: bytes, behind: bytes) -> None:
    data = before + pack(frame) + behind
    assert unpack(data, len(before)) == frame
    assert length_of(data, len(before)) == HEADER_BYTES + len(frame.body)


@given(FRAMES, st.data())
def test_a_flipped_bit_is_found(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(pack(frame))
    # The topic is not under the checksum: a wrong one is heard by nobody, or by who asked for it.
    bit = data.draw(st.integers(24 * 8, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        unpack(bytes(raw))


@given(FRAMES, st.integers(0, 24 * 8 - 1))
def test_a_flipped_bit_of_the_topic_is_another_stream_or_none(frame: Frame, bit: int) -> None:
    raw = bytearray(pack(frame))
    raw[bit // 8] ^= 1 << bit % 8
    try:
        found = unpack(bytes(raw)).stream
    except FrameError:
        return
    assert found != frame.stream


@given(FRAMES, st.data())
def test_a_cut_frame_is_found(frame: Frame, data: st.DataObject) -> None:
    raw = pack(frame)
    with pytest.raises(FrameError):
        unpack(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=300))
def test_garbage_is_a_frame_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(raw)


def test_a_topic_is_no_prefix_of_another() -> None:
    assert not topic("ingest.trades").startswith(topic("ingest.trade"))


@pytest.mark.parametrize("name", ["", "x" * 24])
def test_a_topic_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(FrameError, match="expected 1 to 23"):
        topic(name)


def test_a_frame_that_is_too_large_is_refused() -> None:
    frame = Frame("a.b", 1, 0, 0, 0, 0, 1, 0, bytes(FRAME_BYTES_MAX))
    with pytest.raises(FrameError, match="at most 1048576"):
        pack(frame)


@pytest.mark.parametrize(
    ("pos", "count"), [(-1, 1), (2**40 - 1, 1), (2**63 - 1, 0), (5, 2**32 - 1)]
)
def test_positions_of_a_frame_lie_in_one_epoch(pos: int, count: int) -> None:
    raw = pack(Frame("ingest.bar", 1, 0, pos, 0, 0, count, 0, b""))
    lawful = (pos, count) in {(5, 2**32 - 1), (2**63 - 1, 0)}
    if lawful:
        assert unpack(raw).last == pos + count - 1
    else:
        with pytest.raises(FrameError, match="positions of one epoch"):
            unpack(raw)


@given(st.integers(0, 2**22), st.integers(0, 2**40 - 1))
def test_a_position_holds_its_epoch(epoch: int, n: int) -> None:
    assert epoch_of(position(epoch, n)) == epoch
    assert position(epoch, n) < position(epoch + 1, 0) < 2**63
