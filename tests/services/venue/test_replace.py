"""One order in another's place: what the venue does, and what it answers, part by part."""

from typing import Any

import pytest

from schema.listing import instrument_of
from schema.setting_types import PLAY_KEY
from services.venue.orders import Report
from services.venue.payload import symbol_row
from tests.services.venue.bank import Bank, signed
from tests.services.venue.scripted import FACTS, START_MS, UNIT, has

CALL = "POST order/cancelReplace"
OLD = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 1,
    "price": 90, "newClientOrderId": "old",
}  # fmt: skip
NEW = {
    **OLD, "price": 91, "newClientOrderId": "new", "cancelReplaceMode": "STOP_ON_FAILURE",
    "cancelOrigClientOrderId": "old",
}  # fmt: skip
UNKNOWN = {"code": -2011, "msg": "Unknown order sent."}
RESTRICTED = {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
TAKES = {"code": -2010, "msg": "Order would immediately match and take."}
MAKER = {"type": "LIMIT_MAKER", "timeInForce": None, "price": 102}


@pytest.fixture
def bank() -> Bank:
    made = Bank()
    made.ask("POST order", **OLD)
    return made


def replace(bank: Bank, **changes: object) -> tuple[int, Any]:
    return bank.send(CALL, PLAY_KEY, signed(**NEW | changes))


def names(bank: Bank) -> set[str]:
    return {order.client_id for order in bank.desk.records.all_open()}


def told(bank: Bank) -> list[tuple[str, str, str]]:
    changes = bank.desk.drain()
    reports: list[Report] = changes.reports if changes is not None else []
    return [(one.kind, one.order.client_id, one.cancel_id) for one in reports]


def test_one_request_cancels_the_one_and_places_the_other(bank: Bank) -> None:
    told(bank)
    status, found = replace(bank, cancelNewClientOrderId="away", cancelRestrictions="ONLY_NEW")
    assert status == 200
    assert (found["cancelResult"], found["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    gone, new = found["cancelResponse"], found["newOrderResponse"]
    assert (gone["origClientOrderId"], gone["clientOrderId"]) == ("old", "away")
    assert (gone["status"], new["status"], new["clientOrderId"]) == ("CANCELED", "NEW", "new")
    assert (new["price"], new["fills"]) == ("91.00000000", [])
    assert names(bank) == {"new"}
    assert told(bank) == [("CANCELED", "old", "away"), ("NEW", "new", "")]
    assert has(bank.desk, "USDT")[1] == 91 * UNIT


def test_an_order_is_named_by_its_number_too(bank: Bank) -> None:
    (old,) = bank.desk.records.all_open()
    assert replace(bank, cancelOrigClientOrderId=None, cancelOrderId=old.id)[0] == 200
    assert names(bank) == {"new"}
    assert replace(bank, cancelOrderId=old.id, newClientOrderId="next")[0] == 400


def test_the_money_of_the_old_one_pays_for_the_new(bank: Bank) -> None:
    assert bank.ask("POST order", **OLD | {"quantity": 10, "newClientOrderId": "much"})
    assert has(bank.desk, "USDT")[0] == 10 * UNIT
    assert replace(bank, cancelOrigClientOrderId="much", quantity=10, price=91)[0] == 200
    assert has(bank.desk, "USDT") == (0, 1_000 * UNIT)
    assert names(bank) == {"old", "new"}
    dear = {"cancelOrigClientOrderId": "new", "newClientOrderId": "dear", "quantity": 10}
    status, found = replace(bank, **dear, price=92)
    assert (status, found["data"]["newOrderResponse"]["code"]) == (409, -2010)
    assert names(bank) == {"old"}


def test_a_cancel_that_fails_stops_the_rest(bank: Bank) -> None:
    status, found = replace(bank, cancelOrigClientOrderId="nobody")
    assert (status, found["code"]) == (400, -2022)
    assert found["msg"] == "Order cancel-replace failed."
    assert found["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": UNKNOWN,
        "newOrderResponse": None,
    }
    assert names(bank) == {"old"}


def test_a_new_one_that_fails_leaves_the_old_one_cancelled(bank: Bank) -> None:
    status, found = replace(bank, **MAKER)
    assert (status, found["code"]) == (409, -2021)
    assert found["msg"] == "Order cancel-replace partially failed."
    data = found["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert data["cancelResponse"]["status"] == "CANCELED"
    assert data["newOrderResponse"] == TAKES
    assert names(bank) == set()


def test_failure_may_be_allowed_and_then_the_new_one_stands_alone(bank: Bank) -> None:
    allowed = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrigClientOrderId": "nobody"}
    status, found = replace(bank, **allowed)
    assert (status, found["code"]) == (409, -2021)
    assert found["data"]["cancelResponse"] == UNKNOWN
    assert found["data"]["newOrderResponse"]["clientOrderId"] == "new"
    assert names(bank) == {"old", "new"}
    status, found = replace(bank, **allowed, **MAKER, newClientOrderId="next")
    assert (status, found["code"]) == (400, -2022)
    assert (found["data"]["cancelResponse"], found["data"]["newOrderResponse"]) == (UNKNOWN, TAKES)


@pytest.mark.parametrize(
    ("traded", "only", "status"),
    [
        (False, "ONLY_NEW", 200),
        (True, "ONLY_NEW", 400),
        (False, "ONLY_PARTIALLY_FILLED", 400),
        (True, "ONLY_PARTIALLY_FILLED", 200),
        (True, None, 200),
    ],
)
def test_a_cancel_may_be_restricted_to_what_has_or_has_not_traded(
    bank: Bank, *, traded: bool, only: str | None, status: int
) -> None:
    if traded:
        bank.desk.advance(START_MS + 15)
        (old,) = bank.desk.records.all_open()
        assert old.status == "PARTIALLY_FILLED"
    found = replace(bank, cancelRestrictions=only)
    assert found[0] == status
    if status == 400:
        assert found[1]["data"]["cancelResponse"] == RESTRICTED
        assert names(bank) == {"old"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": "91.001"}, -1013),
        ({"quantity": "0.0001"}, -1013),
        ({"price": None}, -1102),
        ({"cancelReplaceMode": None}, -1102),
        ({"cancelReplaceMode": "SOMEHOW"}, -1130),
        ({"cancelRestrictions": "SOME"}, -1130),
        ({"orderRateLimitExceededMode": "NEVER"}, -1130),
        ({"cancelOrigClientOrderId": None}, -1102),
        ({"strange": 1}, -1104),
        ({"symbol": "XYZ"}, -1121),
    ],
)
def test_what_cannot_be_read_or_passes_no_filter_changes_nothing(
    bank: Bank, changes: dict[str, object], code: int
) -> None:
    status, found = replace(bank, **changes)
    assert (status, found["code"]) == (400, code)
    assert "data" not in found
    assert names(bank) == {"old"}


def test_filters_count_both_before_anything_is_done(bank: Bank) -> None:
    stop = {"type": "STOP_LOSS", "price": None, "timeInForce": None, "stopPrice": 120}
    for number in range(5):
        bank.ask("POST order", **OLD | stop | {"newClientOrderId": f"s{number}", "quantity": "0.1"})
    full = stop | {"cancelOrigClientOrderId": "s0", "quantity": "0.1", "stopPrice": 125}
    status, found = replace(bank, **full)
    assert (status, found) == (400, {"code": -1013, "msg": "Filter failure: MAX_NUM_ALGO_ORDERS"})
    assert "s0" in names(bank)


def test_the_listing_says_that_it_may_be_done() -> None:
    assert symbol_row(FACTS)["cancelReplaceAllowed"] is True
    assert instrument_of(symbol_row(FACTS), 0).cancel_replace
    row = {**symbol_row(FACTS), "cancelReplaceAllowed": False}
    assert not instrument_of(row, 0).cancel_replace
    del row["cancelReplaceAllowed"]
    assert not instrument_of(row, 0).cancel_replace
