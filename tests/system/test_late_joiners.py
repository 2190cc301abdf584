"""A house that trades and is killed tells late joiners exactly what its journal comes to."""

from collections.abc import Iterator

import msgspec
import pytest

from bus.clock import SystemClock
from bus.control import Hello
from bus.journals import DiskJournals
from bus.wire import ask, ask_all
from schema.house import Heartbeat
from schema.orders import Fill, OrderSubmitted
from tests.sim.joining import ORDER, check_joining
from tests.system.checkout import Checkout
from tests.system.journals import messages

pytestmark = pytest.mark.slow

ANSWER_MS = 10_000


@pytest.fixture
def house() -> Iterator[Checkout]:
    """A house at sixty times the wall, so that it trades at once."""
    made = Checkout(RRR_CLOCK__SCALE="60")
    try:
        made.up()
        yield made
    finally:
        made.close()


def told(house: Checkout) -> int:
    """Have the gateway tell how things stand; return how many snapshots there are by then."""
    reader = DiskJournals(house.journal_dir(), SystemClock()).reader(ORDER)
    before = reader.snapshot()
    assert ask(house.run_dir, "gateway", "snapshot", (), ANSWER_MS).ok
    house.until("a snapshot", lambda: reader.snapshot() > before)
    reader.close()
    return check_joining(DiskJournals(house.journal_dir(), SystemClock()))


def traded(house: Checkout, kind: type) -> int:
    """Return how many messages of a kind stand among the orders."""
    said = messages(house.journal_dir(), ORDER.name)
    return sum(isinstance(message, kind) for message in said)


def test_every_snapshot_is_what_the_journal_before_it_comes_to(house: Checkout) -> None:
    house.until("a fill", lambda: traded(house, Fill))
    assert told(house) >= 1
    house.kill("gateway")
    submitted = traded(house, OrderSubmitted)
    house.until("another order", lambda: traded(house, OrderSubmitted) > submitted)
    assert told(house) >= 2


def test_everybody_says_who_it_is_and_when_it_is_ready(house: Checkout) -> None:
    names = sorted(house.pids())
    ready = ask_all(house.run_dir, names, "wait_ready", ("20000",), 25_000)
    for name, done in ready.items():
        assert done is not None, name
        assert done.ok, (name, done.text)
        assert msgspec.msgpack.decode(done.body, type=Heartbeat).service == name
    met = ask_all(house.run_dir, names, "hello", (), ANSWER_MS)
    hellos = [msgspec.json.decode(done.body, type=Hello) for done in met.values() if done]
    assert [hello.service for hello in hellos] == names
    assert len({(hello.world, hello.contract) for hello in hellos}) == 1
