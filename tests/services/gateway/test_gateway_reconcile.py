"""The comparison with the exchange: what was missed is found, what differs is said."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from bus.service import Limited
from schema.exchange import (
    AccountSeen,
    AskAccount,
    AskOpenOrders,
    AskOrder,
    AskTrades,
    StreamDown,
    StreamUp,
)
from schema.house import PeerSeen, Started
from schema.lifecycle import State
from schema.orders import BalanceSeen, Deposit, Fill, OrderUnconfirmed, Reconciled
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def test_the_first_sight_of_the_account_opens_the_books_and_no_other_does(desk: Desk) -> None:
    (opening,) = desk.of(Deposit)
    assert (opening.asset, opening.amount, opening.venue_id) == ("USDT", 100_000, "opening")
    for grade in ("exact", "folded"):
        desk.restart(grade)
        desk.put(LISTED)
        desk.live_ms(1_000)
    assert len(desk.of(Deposit)) == 1


def test_trades_of_before_the_books_were_opened_are_history() -> None:
    desk = Desk()
    desk.account.add("long ago", "buy", Decimal(1))
    desk.account.market_ms = desk.now_ns // 1_000_000 - 1
    desk.account.fill("long ago", "1")
    desk.boot()
    assert desk.of(Fill) == []
    assert desk.books.halted == {}
    assert [(m.asset, m.amount) for m in desk.of(Deposit)] == [("USDT", 49950), ("BTC", 1)]


def test_every_comparison_is_said_and_the_next_one_comes_by_itself(desk: Desk) -> None:
    assert [m.differences for m in desk.of(Reconciled)] == [0]
    desk.live_ms(61_000)
    assert len(desk.of(Reconciled)) == 3


def test_a_fill_that_nobody_pushed_is_found_and_an_older_one_too(desk: Desk) -> None:
    first, second = desk.place(desk.limit()), desk.place(desk.limit())
    desk.account.fill(first.client_order_id, "0.01000")
    desk.fill(second, "0.01000")  # This one is newer, and told.
    assert desk.standing(first) is State.ACCEPTED
    desk.live_ms(6_000)
    assert desk.standing(first) is State.FILLED
    assert [fill.client_order_id for fill in desk.of(Fill)] == [
        second.client_order_id,
        first.client_order_id,
    ]


def test_an_order_that_the_list_of_open_orders_lacks_is_asked_for(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.account.end(intent.client_order_id, "EXPIRED")
    desk.put(StreamDown(reason="the server hung up"))
    desk.put(StreamUp())
    desk.settle()
    assert desk.standing(intent) is State.EXPIRED
    assert desk.of(Reconciled)[-1].open_orders == 0


def test_an_order_that_vanishes_is_neither_dead_nor_doubted(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.account.hidden.add(intent.client_order_id)
    desk.live_ms(65_000)
    assert desk.standing(intent) is State.ACCEPTED
    desk.account.hidden.clear()
    desk.fill(intent, "0.01000")
    assert desk.standing(intent) is State.FILLED


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_a_death_with_open_orders_loses_nothing_that_happened_meanwhile(
    desk: Desk, grade: str
) -> None:
    orders = [desk.place(desk.limit()) for _ in range(20)]
    for intent in orders[:5]:
        desk.account.fill(intent.client_order_id, "0.01000")
    for intent in orders[5:8]:
        desk.account.fill(intent.client_order_id, "0.00300")
        desk.account.end(intent.client_order_id)
    desk.restart(grade)
    desk.put(LISTED)
    assert desk.core.trouble(desk.now_ns) == "orders and balances are not reconciled yet"
    desk.settle()
    assert desk.core.trouble(desk.now_ns) is None
    assert [desk.standing(intent) for intent in orders] == [
        *[State.FILLED] * 5,
        *[State.CANCELED] * 3,
        *[State.ACCEPTED] * 12,
    ]
    assert desk.of(Reconciled)[-1].fills_found == 8
    assert desk.of(OrderUnconfirmed) == []
    assert desk.books.positions[SYMBOL].n == 5 * 1000 + 3 * 300


def test_lists_of_trades_are_read_to_their_end_page_by_page(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    for _ in range(7):
        desk.account.fill(intent.client_order_id, "0.00100")
    desk.account.page = 2
    desk.live_ms(6_000)
    assert [fill.cum_qty for fill in desk.of(Fill)] == [100 * n for n in range(1, 8)]


def test_the_beginning_of_a_list_moves_on_two_comparisons_behind(desk: Desk) -> None:
    desk.bought()
    desk.live_ms(29_000)
    desk.bought()
    newest = desk.account.trades[0].trade_id
    desk.live_ms(61_000)
    desk.pass_ms(5_000)
    asks = [e.from_id for e in desk.effects if isinstance(e, AskTrades)]
    assert asks
    assert int(asks[0]) >= int(newest)
    desk.settle()
    assert len(desk.of(Fill)) == 2


def test_a_question_without_an_answer_is_asked_again_and_never_means_none(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.restart()
    desk.put(LISTED)
    for _ in range(3):
        asked = [e for e in desk.effects if isinstance(e, AskAccount | AskOpenOrders | AskTrades)]
        assert asked
        desk.effects.clear()
        for effect in asked:
            desk.silence(effect, "HTTP 503")
        assert desk.core.trouble(desk.now_ns) is not None
        desk.pass_ms(5_100)
    desk.settle()
    assert desk.core.trouble(desk.now_ns) is None
    assert desk.standing(intent) is State.ACCEPTED


def test_an_answer_to_an_older_question_does_not_end_a_newer_one(desk: Desk) -> None:
    desk.put(StreamUp())
    (ask,) = [e for e in desk.effects if isinstance(e, AskAccount)]
    older = desk.account.answer(AskAccount(effect_id="account 0"))
    desk.put(older)
    desk.put(desk.account.answer(AskOpenOrders(effect_id="open 0")))
    assert {"account", "open"} <= set(desk.core.state.windows.asked)
    assert ask.effect_id != "account 0"
    desk.settle()
    assert desk.core.trouble(desk.now_ns) is None


def test_money_that_moved_by_itself_is_said_once_it_is_certain(desk: Desk) -> None:
    desk.account.free["USDT"] -= Decimal("12.34")
    desk.live_ms(31_000)
    assert desk.of(BalanceSeen) == []
    desk.live_ms(61_000)
    (seen,) = desk.of(BalanceSeen)
    assert (seen.asset, seen.difference, seen.exp) == ("USDT", -1234, 2)
    assert (seen.free, seen.locked) == (9_998_766, 0)
    assert desk.of(Reconciled)[-1].differences == 1
    desk.account.free["USDT"] += Decimal("12.34")
    desk.live_ms(91_000)
    assert [m.difference for m in desk.of(BalanceSeen)] == [-1234, 0]
    assert desk.of(Reconciled)[-1].differences == 0


def test_trading_makes_no_difference_however_it_is_watched(desk: Desk) -> None:
    for _ in range(4):
        desk.bought()
        desk.live_ms(20_000)
        desk.fill(desk.place(desk.intent("sell", reduce_only=True)), "0.01000")
        desk.live_ms(20_000)
    assert desk.of(BalanceSeen) == []
    assert len(desk.of(Fill)) == 8


def test_a_key_that_may_withdraw_or_not_trade_is_trouble(desk: Desk) -> None:
    for may, said in (((True, True), "withdraw"), ((False, False), "may not trade")):
        desk.pass_ms(31_000)
        (ask,) = [e for e in desk.effects if isinstance(e, AskAccount)]
        seen = desk.account.answer(ask)
        assert isinstance(seen, AccountSeen)
        can_trade, can_withdraw = may
        desk.effects.remove(ask)
        desk.put(msgspec.structs.replace(seen, can_trade=can_trade, can_withdraw=can_withdraw))
        desk.settle()
        trouble = desk.core.trouble(desk.now_ns)
        assert isinstance(trouble, Limited)  # What was bought can be protected and sold.
        assert said in trouble


def test_a_symbol_that_is_listed_later_is_compared_before_it_is_traded() -> None:
    desk = Desk()
    desk.put(Started(epoch=1, grade="fresh"), PeerSeen(service="risk", state="READY"))
    desk.tell_clock()
    desk.settle()
    assert desk.core.trouble(desk.now_ns) == "no instrument is known yet"
    desk.put(LISTED)
    assert desk.waits(AskAccount) == 1
    desk.settle()
    desk.place(desk.limit())
    assert desk.waits(AskOrder) == 0
