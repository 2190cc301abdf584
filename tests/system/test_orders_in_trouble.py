"""Processes die at every step of an order while the exchange fails: nothing is lost or doubled."""

import signal
import struct
from collections.abc import Iterator

import pytest

from bus.segments import cut
from schema.orders import OrderSubmitted
from services.venue.faults_kinds import PLACE
from tests.chaos.orders_cells import sample
from tests.chaos.orders_house import TradingHouse
from tests.chaos.orders_proof import breaches, unsettled
from tests.chaos.orders_storm import rage
from tests.system.journals import messages

pytestmark = pytest.mark.slow

SEED = 7
CELLS = 9
HELD_MS = 8_000
"""Longer than any request may be under way: its deadline has passed by then."""
FRAME_LENGTH = struct.Struct("<I")
LENGTH_PLACE = 28
TRIES_S = 60
BOOT = '\n\ndef boot_id() -> str:\n    return "after the power cut"\n'


@pytest.fixture
def house() -> Iterator[TradingHouse]:
    made = TradingHouse()
    try:
        made.begin()
        yield made
    finally:
        made.close()


def test_deaths_at_every_step_under_faults_leave_equal_books() -> None:
    report = rage(sample(SEED, CELLS), SEED)
    assert report.wrong == {}
    assert report.never_reached == []
    assert report.cells == CELLS


def test_an_order_whose_intent_was_lost_with_the_power_stands_by_itself(
    house: TradingHouse,
) -> None:
    house.fault("set", "lost_ack", "count=1")
    (order_id,) = house.until("an order", lambda: submitted(house))[:1]
    assert house.settled(lambda: was_sent(house, order_id))
    for process in house.processes():
        process.kill()
    house.until("all are gone", lambda: not house.processes())
    assert intents_cut(house, order_id)
    epoch = house.root / "bus" / "epoch.py"
    epoch.write_text(epoch.read_text() + BOOT)
    house.up()
    require_at_rest(house)
    said = messages(house.journal_dir(), "gateway.order")
    assert order_id in {m.client_order_id for m in said if isinstance(m, OrderSubmitted)}
    assert requests_for(house, order_id) == 1


def test_a_gateway_that_slept_between_sync_and_send_sends_nothing_when_it_wakes(
    house: TradingHouse,
) -> None:
    order_id = house.until("it is held in between", lambda: held_in_between(house), TRIES_S)
    warden = [one for one in house.processes() if "services.warden" in " ".join(one.cmdline())]
    for process in warden:  # It would start another gateway in the place of one that hangs.
        process.suspend()
    house.clock.pause_ms(HELD_MS)
    assert requests_for(house, order_id) == 0
    assert house.send("gateway", signal.SIGCONT)
    for process in warden:
        process.resume()
    require_at_rest(house)
    assert requests_for(house, order_id) == 0
    said = messages(house.journal_dir(), "gateway.order")
    fates = [type(m).__name__ for m in said if getattr(m, "client_order_id", "") == order_id]
    assert fates[0] == "OrderSubmitted"
    assert len(fates) > 1, "its fate is told"


def submitted(house: TradingHouse) -> list[str]:
    return [m.client_order_id for m in house.heard(20) if isinstance(m, OrderSubmitted)]


def was_sent(house: TradingHouse, order_id: str) -> bool:
    return requests_for(house, order_id) > 0


def requests_for(house: TradingHouse, order_id: str) -> int:
    lines = house.requests()
    return sum(line.client_id == order_id and line.call in PLACE for line in lines)


def require_at_rest(house: TradingHouse) -> None:
    """Wait until all is compared and at rest, and require that every law was kept."""
    house.until("all is at rest", lambda: not unsettled(house))
    assert breaches(house) == []


def intents_cut(house: TradingHouse, order_id: str) -> int:
    """Take the intent of an order, and all behind it, out of the engine's journal."""
    newest = max((house.journal_dir() / "engine" / "intent").glob("*.seg"))
    data = newest.read_bytes()
    place = 0
    while place < len(data):
        (length,) = FRAME_LENGTH.unpack_from(data, place + LENGTH_PLACE)
        if order_id.encode() in data[place : place + length]:
            cut(newest, place)
            return len(data) - place
        place += length
    return 0


def held_in_between(house: TradingHouse) -> str:
    """Stop the gateway as soon as its journal grows; return an order that it did not send yet."""
    newest = max((house.journal_dir() / "gateway" / "order").glob("*.seg"))
    before = newest.stat().st_size
    while newest.stat().st_size == before:
        pass
    house.send("gateway", signal.SIGSTOP)
    sent = {line.client_id for line in house.requests()}
    said = messages(house.journal_dir(), "gateway.order")
    waiting = [m.client_order_id for m in said if isinstance(m, OrderSubmitted)]
    if waiting and waiting[-1] not in sent:
        house.clock.pause_ms(100)  # A request that is on its way has come by then.
        if not was_sent(house, waiting[-1]):
            return waiting[-1]
    house.send("gateway", signal.SIGCONT)
    return ""
