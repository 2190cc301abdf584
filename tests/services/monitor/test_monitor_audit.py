"""The audit of the books: a clean account alarms nobody, and each planted fault is named."""

from collections.abc import Callable
from typing import Any

import pytest

from schema import orders, trading
from schema.head import Message
from tests.services.monitor.account import (
    SYMBOL,
    House,
    about,
    approval,
    fill,
    money,
    submitted,
    wish,
)

ORDER = wish()
OTHER = wish(2)
ROUND_TRIP = (
    money(), submitted(ORDER), fill(ORDER, "t1"), fill(ORDER, "t2", fee_asset="BTC", fee=1000),
    fill(ORDER, "t3", fee_asset="BNB"), submitted(OTHER), fill(OTHER, "t4", qty=300),
)  # fmt: skip


@pytest.fixture
def house() -> House:
    house = House()
    assert house.wait(6) == []
    return house


def test_a_clean_account_alarms_nobody(house: House) -> None:
    for message in ROUND_TRIP:
        house.say(message)
        assert house.wait(3) == []
    assert house.wait(60) == []
    assert house.figures() == (4, 0)


def test_a_fill_that_the_engine_missed_makes_the_books_differ(house: House) -> None:
    house.say(*ROUND_TRIP[:3])
    house.say(fill(ORDER, "t2"), deaf=True)
    assert house.wait(2) == []
    house.state_books()
    alarms = house.wait(6)
    assert alarms == [("BooksDiffer", SYMBOL, "firing"), ("BooksDiffer", "USDT", "firing")]
    assert house.figures() == (2, 2)
    position, cash = (alert.summary for alert in house.monitor.state.firing.values())
    assert "adds up to 0.002, the engine says 0.001, which is -0.001 off" in position
    assert "the engine says 9935.9999999, which is 64.0000001 off" in cash
    house.say(fill(ORDER, "t2"))
    assert ("BooksDiffer", SYMBOL, "resolved") in house.wait(1)
    assert ("OrderBreach", SYMBOL, "firing") in [
        (alert.name, alert.scope, alert.state) for alert in house.monitor.state.firing.values()
    ]


def test_a_fill_that_the_engine_missed_is_found_though_it_states_nothing(house: House) -> None:
    house.say(*ROUND_TRIP[:3])
    house.silent = True
    house.say(fill(ORDER, "t2"), deaf=True)
    assert house.wait(5) == []
    assert ("BooksDiffer", SYMBOL, "firing") in house.wait(7)


def test_a_fill_that_the_engine_booked_twice_makes_the_books_differ(house: House) -> None:
    house.say(*ROUND_TRIP[:3])
    house.err(symbol_qty=100)
    assert house.wait(6) == [("BooksDiffer", SYMBOL, "firing")]
    house.err(symbol_qty=-100)
    assert house.wait(1) == [("BooksDiffer", SYMBOL, "resolved")]


def test_one_unit_of_cash_makes_the_books_differ(house: House) -> None:
    house.say(*ROUND_TRIP)
    house.err(cash=-1)
    assert house.wait(6) == [("BooksDiffer", "USDT", "firing")]
    assert "-0.00000001 off" in house.firing()["BooksDiffer"]


def test_an_engine_that_lags_or_is_gone_is_no_difference(house: House) -> None:
    house.say(*ROUND_TRIP[:3])
    house.say(fill(ORDER, "t2"), deaf=True)
    house.read = 3
    house.state_books()
    assert house.wait(120) == []
    house.ledger = House().ledger
    house.silent = True
    house.beating.discard("engine")
    house.say(fill(ORDER, "t3"), deaf=True)
    alarms = house.wait(60)
    assert {name for name, _, _ in alarms} == {"ServiceDead"}


def test_a_difference_that_passes_is_no_alarm(house: House) -> None:
    house.say(*ROUND_TRIP[:3])
    house.err(cash=-1)
    assert house.wait(4) == []
    house.err(cash=1)
    assert house.wait(20) == []


def test_books_of_single_strategies_are_not_compared(house: House) -> None:
    house.say(*ROUND_TRIP[:3])
    zeros: dict[str, Any] = dict.fromkeys(
        ("cost", "realized", "fees", "mark_px", "px_exp", "quote_exp"), 0
    )
    single = trading.Position(
        ts_event=0, symbol=SYMBOL, strategy="pulse", qty=9, qty_exp=0, **zeros
    )
    house.monitor.audit.take(single, 1)
    assert house.wait(10) == []


Fault = Callable[[], Message]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: fill(ORDER, "t1"), "its trade t1 was said twice"),
        (lambda: fill(ORDER, "t2", qty=201), "0.00301 was filled of 0.003"),
        (lambda: fill(wish(9), "t2"), "it was filled and never submitted"),
        (lambda: fill(ORDER, "t2", side="sell"), "a buy of BTC/USDT was filled as a sell"),
        (lambda: submitted(ORDER), "its id and verdict were used before"),
        (
            lambda: submitted(OTHER, approval(OTHER, approved=False, code="ORDER_RATE")),
            "although risk denied it: ORDER_RATE",
        ),
        (lambda: submitted(OTHER, approval(ORDER)), f"of the order {ORDER.client_order_id}"),
        (lambda: submitted(OTHER, approval(OTHER, order_hash=b"?")), "approved another order"),
        (
            lambda: submitted(wish(2, qty=301), approval(OTHER)),
            "its verdict approved another order than the one that was sent",
        ),
        (lambda: submitted(OTHER, approval(OTHER, by="engine")), "its verdict is by engine"),
    ],
)
def test_an_order_that_breaks_a_law_is_an_alarm_until_a_person_resumes(
    house: House, fault: Fault, says: str
) -> None:
    house.say(*ROUND_TRIP[:3])
    house.say(fault())
    assert house.wait(1) == [("OrderBreach", SYMBOL, "firing")]
    assert says in house.firing()["OrderBreach"]
    house.restart()
    assert house.wait(20) == []
    assert says in house.firing()["OrderBreach"]
    house.say(orders.InstrumentResumed(ts_event=0, symbol=SYMBOL, by="ann", reason="seen"))
    assert house.wait(1) == [("OrderBreach", SYMBOL, "resolved")]


def test_an_order_that_was_also_denied_as_a_duplicate_is_still_watched(house: House) -> None:
    denied = about(orders.OrderDenied, ORDER, code="DUPLICATE_ORDER", detail="", by="gateway")
    house.say(*ROUND_TRIP[:2], denied)
    for number in range(10, 1100):
        house.say(submitted(wish(number)), about(orders.OrderExpired, wish(number)))
    house.say(fill(ORDER, "t9", qty=301))
    assert ("OrderBreach", SYMBOL, "firing") in house.wait(1)
    assert "was filled of 0.003" in house.firing()["OrderBreach"]


def test_only_a_persons_resume_ends_a_breach(house: House) -> None:
    house.say(fill(ORDER), deaf=True)
    house.say(orders.KillLevel(ts_event=0, level="ACTIVE", by="gateway", reason="start"))
    assert ("OrderBreach", SYMBOL, "firing") in house.wait(1)
    house.say(orders.KillLevel(ts_event=0, level="ACTIVE", by="ann", reason="seen"))
    assert ("OrderBreach", SYMBOL, "resolved") in house.wait(1)


def test_what_ended_long_ago_may_still_be_filled_late(house: House) -> None:
    house.say(money(), submitted(ORDER), about(orders.OrderCanceled, ORDER))
    for number in range(10, 1100):
        house.say(submitted(wish(number)), about(orders.OrderExpired, wish(number)))
    house.say(fill(ORDER, "late", late=True))
    assert house.wait(10) == []


def test_an_order_without_an_answer_is_named_until_there_is_evidence(house: House) -> None:
    house.say(submitted(ORDER), about(orders.OrderUnconfirmed, ORDER, reason="no answer in 5 s"))
    house.say(about(orders.InstrumentHalted, ORDER, reason="an order is lost"))
    assert house.wait(9) == [("InstrumentHalted", SYMBOL, "firing")]
    assert house.wait(2) == [("OrderUnconfirmed", ORDER.client_order_id, "firing")]
    house.say(about(orders.OrderRejected, ORDER, code="NEVER_ARRIVED", detail=""))
    assert house.wait(1) == [("OrderUnconfirmed", ORDER.client_order_id, "resolved")]
    house.say(orders.InstrumentResumed(ts_event=0, symbol=SYMBOL, by="ann", reason="found"))
    assert house.wait(1) == [("InstrumentHalted", SYMBOL, "resolved")]


def test_the_kill_level_is_named_while_it_holds(house: House) -> None:
    for level in ("REDUCING", "HALTED", "ACTIVE"):
        house.say(orders.KillLevel(ts_event=0, level=level, by="ann", reason="storm"))
        alarms = house.wait(1)
        assert alarms[:1] == ([("KillLevel", level, "firing")] if level != "ACTIVE" else
                              [("KillLevel", "HALTED", "resolved")])  # fmt: skip
    assert house.firing() == {}


def test_a_balance_that_differs_is_named_until_it_does_not(house: House) -> None:
    seen: dict[str, Any] = {"asset": "USDT", "free": 90, "locked": 10, "exp": 2}
    house.say(orders.BalanceSeen(ts_event=0, **seen, difference=-5))
    assert house.wait(3) == [("BalanceDiffers", "USDT", "firing")]
    assert "the venue has 1.00 USDT, which is -0.05 off" in house.firing()["BalanceDiffers"]
    house.say(orders.BalanceSeen(ts_event=0, **seen, difference=0))
    assert house.wait(1) == [("BalanceDiffers", "USDT", "resolved")]


def test_a_balance_that_is_not_what_was_said_is_named_until_one_is(house: House) -> None:
    house.say(money(100, exp=0), money(7, exp=0, book="external"))
    seen: dict[str, Any] = {"asset": "USDT", "locked": 0, "difference": 0, "exp": 2}
    house.say(orders.BalanceSeen(ts_event=0, free=10_712, **seen))
    house.wait(20)
    assert "0.12 further apart than it says" in house.firing()["BooksDiffer"]
    house.say(orders.BalanceSeen(ts_event=0, free=10_700, **seen))
    house.wait(20)
    assert house.firing() == {}


def test_funding_that_the_engine_does_not_have_is_a_difference(house: House) -> None:
    house.say(money(), submitted(wish()), fill(wish()))
    house.say(money(-5, kind="funding", symbol=SYMBOL, venue_id="f1"))
    house.wait(20)
    assert "funding" in house.firing()["BooksDiffer"]


def test_until_all_is_read_again_nothing_is_said_and_nothing_ends(house: House) -> None:
    house.say(orders.KillLevel(ts_event=0, level="HALTED", by="ann", reason="storm"))
    house.wait(1)
    house.monitor_state = "CATCHING_UP"
    house.said.clear()
    house.restart()
    assert house.wait(20) == []
    assert list(house.firing()) == ["KillLevel"]
    house.monitor_state = "READY"
    assert house.wait(1) == [("KillLevel", "HALTED", "resolved")]
