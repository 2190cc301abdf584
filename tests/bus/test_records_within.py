"""Messages that hold the bytes of whole records: whoever seeks is not led astray by them."""

from pathlib import Path

import pytest

from bus.record import packed
from bus.segments import WINDOW_BYTES
from schema.frame import Kind, position
from schema.house import Inputs
from schema.messages import encode
from schema.streams import Stream
from tests.bus.rigs import A, B, C, DiskRig, said

MESSAGES = 2000


def holding(stream: Stream, pos: int, n: int) -> Inputs:
    """Return a message that holds a record of its own stream, valid in every byte."""
    forged = packed(stream, Kind.DATA, pos, (1, 1), encode([said(n)]), 1)
    local = ((0, b"x" * 40 + forged + b"y" * 200),)
    return Inputs(ts_event=n, turn=n, now_ns=n, code="", slices=(), local=local)


@pytest.mark.parametrize("stream", [A, B, C])
def test_a_record_within_a_message_is_no_place_to_read_from(tmp_path: Path, stream: Stream) -> None:
    rig = DiskRig(tmp_path, stream)
    writer = rig.start()
    for first in range(0, MESSAGES, 10):
        for n in range(first, first + 10):
            writer.append([holding(stream, position(1, 1), n)])
    last = writer.last
    writer._release()
    assert rig.newest().stat().st_size > 4 * WINDOW_BYTES
    for after in (*range(position(1, 50), last, 61), last - 1):
        reader = rig.journals.reader(stream)
        frames = reader.read(after, 1)
        assert [frame.pos for frame in frames] == [after + 1]
        assert reader.holes == 0
        reader.close()
