"""A frame that counts otherwise than it holds moves nobody's position in silence."""

import pytest

from bus.errors import ProtocolError
from bus.intake import Lane
from bus.memory import MemoryJournals
from bus.past import Past
from bus.record import packed
from bus.service import each
from schema.frame import Kind, position, unpack
from schema.messages import encode
from schema.streams import STREAMS
from tests.bus.rigs import MemoryRig
from tests.bus.toy import intent

INTENT = STREAMS["engine.intent"]
HERE = position(1, 0)


def miscounted(count: int) -> bytes:
    """Return a frame of two messages that counts others."""
    body = encode([intent(1), intent(2)])
    return packed(INTENT, Kind.DATA, HERE + 1, (0, 0), body, count)


@pytest.mark.parametrize("count", [1, 3, 512])
def test_a_lane_refuses_what_it_cannot_place(count: int) -> None:
    lane = Lane(INTENT, MemoryRig(INTENT).memory, HERE)
    with pytest.raises(ProtocolError, match=f"the {count} messages that the frame counts, found 2"):
        lane.live(unpack(miscounted(count)))


def test_what_is_counted_right_is_heard(memory: MemoryJournals) -> None:
    lane = Lane(INTENT, memory, HERE)
    heard = list(each(lane.live(unpack(miscounted(2)))))
    assert [one.pos for one in heard] == [HERE + 1, HERE + 2]


def test_recovery_refuses_it_too(memory: MemoryJournals) -> None:
    memory.tape(INTENT).frames.append(unpack(miscounted(5)))
    with pytest.raises(ProtocolError, match="other code"):
        list(Past(memory, lambda: None).since(INTENT, HERE))


@pytest.fixture
def memory() -> MemoryJournals:
    return MemoryRig(INTENT).memory
