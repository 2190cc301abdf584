"""What became of an order by hand: told in a line, and a refusal is a failure of the verb."""

from collections.abc import Iterator

import pytest

from bus.errors import HouseError
from bus.house import House
from services.rrr.hand_end import told_end
from tests.services.bare import bare_house
from tests.services.rrr.trade_day import Day, bought, denied, entry_id, intent, send, verdict


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


def test_a_filled_order_is_told_with_what_was_paid(house: House) -> None:
    day = Day(house)
    order_id = bought(day)
    day.keep()
    assert told_end(house, order_id).startswith("FILLED, 0.00300 of 0.00300 for 180.003")


def test_an_order_that_rests_is_told_without_a_trade(house: House) -> None:
    day, order_id = Day(house), entry_id(house)
    wish = intent(order_id, order_type="limit", limit_px=5_900_000)
    yes = verdict(order_id, day.say(wish))
    send(day, wish, yes, day.say(yes))
    day.keep()
    assert told_end(house, order_id) == "ACCEPTED"


def test_an_order_that_was_denied_fails_with_its_reason(house: House) -> None:
    day, order_id = Day(house), entry_id(house)
    no = day.say(verdict(order_id, day.say(intent(order_id)), approved=False, code="NO"))
    day.say(denied(order_id, no))
    day.keep()
    with pytest.raises(HouseError, match="DENIED: MAX_ORDER_NOTIONAL 25000 of 20000"):
        told_end(house, order_id)
