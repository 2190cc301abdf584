"""An order in another's place: what is sent, what is refused before, and what each answer means."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schema.exchange import AskOrder, OrderNotSent, SendCancel, SendOrder
from schema.house import PeerSeen
from schema.identity import client_order_id
from schema.joined import ReplaceDone, ReplaceRefused, SendReplace
from schema.lifecycle import State
from schema.orders import OrderCancelRejected, OrderPendingCancel, OrderRejected, OrderSubmitted
from schema.trading import OrderIntent
from services.gateway.position import closable
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED, WORLD
from tests.services.gateway.pair_desk import approve, codes, halves, place
from tests.services.gateway.replace_desk import (
    TAKING,
    denied,
    moved,
    placed,
    sent,
    stop,
    stopped,
)

REPLACED = ["OrderSubmitted", "OrderAccepted", "OrderPendingCancel"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from stopped()


def test_both_are_said_in_one_turn_before_the_one_request(desk: Desk) -> None:
    old = placed(desk)
    new = moved(desk, old)
    said = desk.approve(new)
    assert [type(message) for message in said] == [OrderPendingCancel, OrderSubmitted]
    assert desk.of(OrderPendingCancel)[-1].reason == f"replaced by {new.client_order_id}"
    effect = desk.take(SendReplace)
    assert effect.effect_id == f"replace {new.client_order_id}"
    assert (effect.intent, effect.replaced) == (new, old.client_order_id)
    assert effect.signed_ms == desk.of(OrderSubmitted)[-1].signed_ms
    desk.live_ms(2_000)
    assert desk.waits(SendCancel) == desk.waits(SendOrder) == desk.waits(SendReplace) == 0


def test_it_waits_for_its_verdict_like_any_other(desk: Desk) -> None:
    old = placed(desk)
    new = moved(desk, old)
    desk.put(new)
    assert desk.waits(SendReplace) == 0
    desk.put(desk.verdict(new))
    assert desk.waits(SendReplace) == 1


def test_done_ends_the_old_and_accepts_the_new(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.put(desk.account.answer(effect))
    assert desk.story(old) == [*REPLACED, "OrderCanceled"]
    assert desk.story(new) == ["OrderSubmitted", "OrderAccepted"]
    assert desk.books.stakes and next(iter(desk.books.stakes.values())).stop_px == new.stop_px


def test_done_without_the_new_one_leaves_neither(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    gone = desk.account.end(old.client_order_id).report()
    desk.put(
        ReplaceDone(
            effect_id=effect.effect_id, canceled=gone, reports=(), code=-2010, text="too poor"
        )
    )
    assert desk.story(old) == [*REPLACED, "OrderCanceled"]
    assert desk.story(new) == ["OrderSubmitted", "OrderRejected"]
    (rejected,) = desk.of(OrderRejected)
    assert (rejected.code, rejected.detail) == ("-2010", "too poor")


def refusal(effect: SendReplace, code: int = -2011, text: str = "Unknown") -> ReplaceRefused:
    return ReplaceRefused(
        effect_id=effect.effect_id,
        client_order_id=effect.intent.client_order_id,
        replaced=effect.replaced,
        symbol=effect.intent.symbol,
        code=code,
        text=text,
    )


def test_refused_leaves_the_old_one_as_it_was_and_asks_for_it(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.put(refusal(effect, -1013, "Filter failure: PRICE_FILTER"))
    assert desk.story(old) == [*REPLACED, "OrderCancelRejected"]
    assert desk.story(new) == ["OrderSubmitted", "OrderRejected"]
    assert desk.standing(old) is State.ACCEPTED
    assert desk.take(AskOrder).client_order_id == old.client_order_id
    desk.live_ms(3_000)
    assert desk.waits(SendCancel) == 0
    newer, effect = sent(desk, old)
    desk.put(desk.account.answer(effect))
    assert desk.standing(newer) is State.ACCEPTED


def test_refused_because_the_old_one_traded_books_its_trade(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.account.fill(old.client_order_id, "0.01000")
    desk.put(desk.account.answer(effect))
    desk.live_ms(1_000)
    assert desk.standing(new) is State.REJECTED
    assert desk.standing(old) is State.FILLED
    assert desk.books.positions["BTC/USDT"].n == 0
    assert not desk.books.halted


def test_unsent_is_as_if_it_had_never_been_wanted(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.put(
        OrderNotSent(
            effect_id=effect.effect_id,
            client_order_id=new.client_order_id,
            symbol=new.symbol,
            reason="its deadline has passed",
        )
    )
    assert desk.story(old) == [*REPLACED, "OrderCancelRejected"]
    assert desk.of(OrderCancelRejected)[0].code == "NOT_SENT"
    assert desk.standing(new) is State.REJECTED
    assert desk.standing(old) is State.ACCEPTED


def test_pushes_before_the_answer_make_the_answer_no_news(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    answer = desk.account.answer(effect)
    desk.push(desk.account.orders[old.client_order_id].report())
    desk.push(desk.account.orders[new.client_order_id].report())
    assert desk.put(answer) == []
    assert desk.standing(old) is State.CANCELED
    assert desk.standing(new) is State.ACCEPTED


def test_a_new_one_that_trades_at_once_is_booked_from_the_answer(desk: Desk) -> None:
    old = desk.place(desk.limit("sell", reduce_only=True, limit_px=6_000_000))
    new = desk.limit(
        "sell", reduce_only=True, limit_px=4_000_000, replaces=old.client_order_id, leg="exit"
    )
    desk.approve(new)
    effect = desk.take(SendReplace)
    desk.account.replace(effect)
    trade = desk.account.fill(new.client_order_id, "0.01000")
    orders = desk.account.orders
    desk.put(
        ReplaceDone(
            effect_id=effect.effect_id,
            canceled=orders[old.client_order_id].report(),
            reports=(orders[new.client_order_id].report(),),
            trades=(trade,),
        )
    )
    assert desk.story(new) == ["OrderSubmitted", "OrderAccepted", "Fill"]
    assert desk.standing(new) is State.FILLED


def test_old_and_new_count_by_the_larger_until_one_has_ended(desk: Desk) -> None:
    old = placed(desk, qty=400)
    new, effect = sent(desk, old, qty=1000)
    assert closable(desk.books, "BTC/USDT", "sell", 5) == 0
    desk.put(desk.account.answer(effect))
    assert closable(desk.books, "BTC/USDT", "sell", 5) == 0
    newer, effect = sent(desk, new, qty=300)
    assert closable(desk.books, "BTC/USDT", "sell", 5) == 0
    desk.put(desk.account.answer(effect))
    assert closable(desk.books, "BTC/USDT", "sell", 5) == 700
    assert denied(desk, newer) == []


def test_a_replacement_may_be_as_large_as_the_position_and_no_larger(desk: Desk) -> None:
    old = placed(desk)
    larger = moved(desk, old, qty=1001)
    desk.approve(larger)
    assert denied(desk, larger) == ["REDUCE_ONLY_WOULD_INCREASE_POSITION"]
    assert desk.standing(old) is State.ACCEPTED
    sent(desk, old)


def test_an_exchange_that_cannot_is_not_asked(desk: Desk) -> None:
    old = placed(desk)
    desk.put(LISTED)
    new = moved(desk, old)
    desk.approve(new)
    assert denied(desk, new) == ["UNSUPPORTED_ORDER_TYPE"]
    desk.put(TAKING)


def late(desk: Desk, old: OrderIntent, how: str) -> None:
    if how == "traded":
        desk.fill(old, "0.00400")
    elif how == "traded, unbooked":
        desk.account.fill(old.client_order_id, "0.00400")
        desk.push(desk.account.orders[old.client_order_id].report())
    elif how == "ended":
        desk.push(desk.account.end(old.client_order_id).report())
    elif how == "cancelled":
        desk.cancel(old)


@pytest.mark.parametrize("how", ["traded", "traded, unbooked", "ended", "cancelled"])
def test_too_late_denies_the_new_one_and_leaves_the_old(desk: Desk, how: str) -> None:
    old = placed(desk)
    late(desk, old, how)
    before = desk.standing(old)
    new = moved(desk, old, qty=100)
    desk.approve(new)
    assert denied(desk, new) == ["REPLACE_TOO_LATE"]
    assert desk.waits(SendReplace) == 0
    assert desk.standing(old) is before


def test_one_that_nobody_knows_or_that_waits_for_its_answer_is_too_late(desk: Desk) -> None:
    nobody = moved(desk, stop(desk), qty=100)
    desk.approve(nobody)
    old = stop(desk, qty=500)
    desk.approve(old)
    new = moved(desk, old, qty=500)
    desk.approve(new)
    assert denied(desk, nobody) == denied(desk, new) == ["REPLACE_TOO_LATE"]
    desk.silence(desk.take(SendOrder))
    unsure = moved(desk, old, qty=500)
    desk.approve(unsure)
    assert denied(desk, unsure) == ["REPLACE_TOO_LATE"]


def test_a_second_one_for_the_same_place_is_too_late(desk: Desk) -> None:
    old = placed(desk)
    sent(desk, old)
    second = moved(desk, old, 4_860_000)
    desk.approve(second)
    assert denied(desk, second) == ["REPLACE_TOO_LATE"]


OTHER = client_order_id(WORLD, "other", "BTC/USDT", "m", 1)


@pytest.mark.parametrize(
    "change",
    [{"leg": "exit"}, {"side": "buy", "reduce_only": False}, {"client_order_id": OTHER}],
)
def test_another_place_than_the_old_ones_is_no_place(desk: Desk, change: dict[str, Any]) -> None:
    old = placed(desk)
    px = 5_500_000 if "side" in change else 4_850_000
    new = msgspec.structs.replace(moved(desk, old, px), **change)
    desk.approve(new)
    assert denied(desk, new) == ["VALIDATION_FAILED"]
    assert desk.waits(SendReplace) == 0


def test_one_of_a_pair_is_not_replaced_and_none_replaces(desk: Desk) -> None:
    stops, _ = place(desk, halves(desk, 400))
    new = moved(desk, stops, qty=400)
    desk.approve(new)
    assert denied(desk, new) == ["REPLACE_TOO_LATE"]
    old = placed(desk, qty=600)
    left, right = halves(desk)
    both = (msgspec.structs.replace(left, replaces=old.client_order_id), right)
    approve(desk, both)
    assert codes(desk, both) == ["VALIDATION_FAILED", "CONTINGENT_DENIED"]


@pytest.mark.parametrize("level", ["REDUCING", "HALTED"])
def test_a_stop_may_move_while_new_risk_may_not(desk: Desk, level: str) -> None:
    old = placed(desk)
    entry = desk.place(desk.limit())
    desk.command("kill", level, "why")
    new, _ = sent(desk, old)
    assert denied(desk, new) == []
    more = desk.limit(qty=1000, limit_px=4_950_000, replaces=entry.client_order_id)
    desk.approve(more)
    assert denied(desk, more) != []


def test_a_stop_may_move_while_risk_is_silent(desk: Desk) -> None:
    old = placed(desk)
    desk.put(PeerSeen(service="risk", state="SILENT", reason="silent"))
    new = moved(desk, old)
    desk.put(new)
    assert desk.take(SendReplace).intent == new
    assert desk.of(OrderSubmitted)[-1].verdict.by == "gateway"
