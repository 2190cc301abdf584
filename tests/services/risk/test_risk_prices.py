"""What a price must be, and how old: what is refused, next to what passes."""

from typing import Any

import pytest
from msgspec import structs

from schema.market import FeedStatus
from tests.services.risk.risk_desk import (
    BTC,
    ETH,
    MARK,
    NOON_NS,
    ONE,
    SELL,
    Desk,
    deposit,
    instrument,
    quote,
)


@pytest.fixture
def desk() -> Desk:
    return Desk().open()


def test_a_price_is_good_for_as_long_as_the_setting_says(desk: Desk) -> None:
    desk.wait(10)
    assert desk.ask().approved
    desk.wait(0.001)
    found = desk.ask()
    assert (found.code, found.detail) == ("STALE_DATA", "age_ms=10001 limit_ms=10000")


def test_a_position_may_be_closed_on_a_price_ten_times_as_old(desk: Desk) -> None:
    desk.buy(2 * ONE)
    desk.wait(100)
    assert desk.ask(ONE, **SELL).approved
    desk.wait(0.001)
    assert desk.ask(ONE, **SELL).code == "STALE_DATA"


def test_a_symbol_without_a_price_is_refused() -> None:
    desk = Desk()
    desk.tell(instrument())
    desk.tell(deposit(1000))
    assert desk.ask().code == "STALE_DATA"


def test_a_feed_that_is_not_trusted_stops_new_risk_alone(desk: Desk) -> None:
    desk.buy()
    desk.tell(FeedStatus(ts_event=NOON_NS, symbol=BTC, state="STALE", reason="silence"))
    assert desk.ask().code == "STALE_DATA"
    assert desk.ask(symbol=ETH).approved
    assert desk.ask(**SELL).approved
    desk.tell(FeedStatus(ts_event=NOON_NS, symbol=BTC, state="OK", reason=""))
    assert desk.ask().approved


@pytest.mark.parametrize(
    ("changes", "far"),
    [
        ({"order_type": "limit", "limit_px": MARK * 103 // 100}, {"limit_px": MARK * 104 // 100}),
        ({"order_type": "limit", "limit_px": MARK * 97 // 100}, {"limit_px": MARK * 96 // 100}),
        ({"order_type": "limit_maker", "limit_px": MARK}, {"limit_px": MARK // 10}),
        ({"ref_px": MARK * 103 // 100}, {"ref_px": MARK * 104 // 100}),
        (
            {
                "order_type": "stop_limit",
                "stop_px": MARK * 2,
                "limit_px": MARK * 2 * 103 // 100,
                "qty": ONE // 10,
            },
            {"limit_px": MARK * 2 * 104 // 100},
        ),
    ],
)
def test_a_price_outside_the_collar_is_refused(
    desk: Desk, changes: dict[str, Any], far: dict[str, Any]
) -> None:
    assert desk.ask(**changes).approved
    assert desk.ask(**changes | far).code == "PRICE_OUTSIDE_COLLAR"


@pytest.mark.parametrize(
    ("side", "kind", "ahead_px"),
    [
        ("sell", "stop", MARK - 1),
        ("buy", "stop", MARK + 1),
        ("sell", "take_profit", MARK + 1),
        ("buy", "take_profit", MARK - 1),
    ],
)
def test_a_trigger_lies_on_its_side_of_the_market(
    desk: Desk, side: str, kind: str, ahead_px: int
) -> None:
    desk.buy()
    assert desk.ask(side=side, order_type=kind, stop_px=ahead_px).approved
    found = desk.ask(side=side, order_type=kind, stop_px=MARK)
    assert found.code == "PRICE_OUTSIDE_COLLAR"


def test_an_exposure_without_a_price_stops_new_risk(desk: Desk) -> None:
    desk.buy()
    del desk.risk.state.windows.quotes[BTC]
    found = desk.ask(symbol=ETH)
    assert (found.code, found.detail) == ("STALE_DATA", f"symbol={BTC} quote=none")


def test_a_book_with_one_side_has_no_price(desk: Desk) -> None:
    one_sided = structs.replace(quote(BTC, MARK, desk.now_ns), ask_px=0)
    desk.wait(11)
    desk.tell(one_sided)
    assert desk.ask().code == "STALE_DATA"
    assert desk.risk.state.windows.quotes[BTC].ask_px == MARK + 1
