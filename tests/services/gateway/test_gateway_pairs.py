"""Two orders that leave as one request: both approved, in one turn, or neither of them."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import msgspec
import pytest

from schema.approval import order_hash
from schema.exchange import SendOrder
from schema.house import PeerSeen
from schema.joined import SendPair
from schema.orders import OrderSubmitted
from services.gateway.position import closable, reduces
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED, MS
from tests.services.gateway.pair_desk import (
    approve,
    changed,
    codes,
    guarded,
    halves,
    place,
    submitted,
)

SILENT = PeerSeen(service="risk", state="SILENT", reason="it gives no sign of life")


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from guarded()


def test_a_pair_leaves_as_one_request_with_both_records_before_it(desk: Desk) -> None:
    stop, target = pair = halves(desk)
    said = desk.put(*pair, *(desk.verdict(half) for half in pair))
    assert [type(one) for one in said] == [OrderSubmitted, OrderSubmitted]
    sent = desk.take(SendPair)
    assert (sent.stop, sent.target) == pair
    assert sent.effect_id == f"pair {stop.client_order_id}"
    assert {record.signed_ms for record in submitted(desk, pair)} == {sent.signed_ms}
    assert [record.verdict.by for record in submitted(desk, pair)] == ["risk", "risk"]
    assert desk.waits(SendOrder) == 0
    assert target.client_order_id in desk.books.open


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_in_whatever_order_its_four_words_come_it_leaves_with_the_last(
    desk: Desk, order: tuple[int, ...]
) -> None:
    pair = halves(desk)
    words = [*pair, *(desk.verdict(half) for half in pair)]
    for place_of in order[:3]:
        desk.put(words[place_of])
        assert (submitted(desk, pair), codes(desk, pair)) == ([], ["", ""])
    desk.put(words[order[3]])
    assert len(submitted(desk, pair)) == 2
    assert desk.take(SendPair).stop == pair[0]


@pytest.mark.parametrize("refused", [0, 1])
def test_what_risk_refuses_of_one_half_is_denied_of_both(desk: Desk, refused: int) -> None:
    pair = halves(desk)
    verdicts = [desk.verdict(half) for half in pair]
    verdicts[refused] = desk.verdict(pair[refused], approved=False, code="STALE_DATA")
    desk.put(*pair, *verdicts)
    wanted = ["CONTINGENT_DENIED", "CONTINGENT_DENIED"]
    wanted[refused] = "STALE_DATA"
    assert codes(desk, pair) == wanted
    assert desk.waits(SendPair) == 0


def test_a_half_that_comes_after_the_other_was_denied_is_denied_too(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(pair[0], desk.verdict(pair[0], approved=False, code="STALE_DATA"))
    assert codes(desk, pair) == ["STALE_DATA", ""]
    desk.put(desk.verdict(pair[1]))
    desk.put(pair[1])
    assert codes(desk, pair) == ["STALE_DATA", "CONTINGENT_DENIED"]


def test_a_half_whose_other_never_comes_is_not_sent_alone(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(pair[0], desk.verdict(pair[0], expires_ns=desk.now_ns + 60_000 * MS))
    desk.pass_ms(2_990)
    assert codes(desk, pair) == ["", ""]
    desk.pass_ms(20)
    assert codes(desk, pair) == ["CONTINGENT_DENIED", ""]
    desk.put(pair[1], desk.verdict(pair[1]))
    assert codes(desk, pair) == ["CONTINGENT_DENIED", "CONTINGENT_DENIED"]


def test_an_approval_that_expires_before_the_other_half_comes_ends_both(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(pair[1], desk.verdict(pair[1]))
    desk.pass_ms(1_001)
    assert codes(desk, pair) == ["", "COMMAND_EXPIRED"]
    desk.put(pair[0], desk.verdict(pair[0]))
    assert codes(desk, pair) == ["CONTINGENT_DENIED", "COMMAND_EXPIRED"]


def test_an_approval_that_expires_before_the_other_verdict_ends_both_by_itself(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(*pair, desk.verdict(pair[0]))
    desk.pass_ms(999)
    assert codes(desk, pair) == ["", ""]
    desk.pass_ms(2)
    assert codes(desk, pair) == ["COMMAND_EXPIRED", "CONTINGENT_DENIED"]


def test_verdicts_that_never_come_deny_both_when_they_are_no_longer_wanted(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(*pair)
    desk.pass_ms(3_001)
    assert codes(desk, pair) == ["COMMAND_EXPIRED", "CONTINGENT_DENIED"]


def test_a_verdict_of_a_half_that_never_came_denies_the_half_that_waits(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(pair[0], desk.verdict(pair[0], expires_ns=desk.now_ns + 25_000 * MS))
    desk.put(desk.verdict(pair[1], expires_ns=desk.now_ns + 5_000 * MS))
    desk.pass_ms(501)
    assert codes(desk, pair) == ["CONTINGENT_DENIED", "COMMAND_EXPIRED"]


def test_an_approval_of_other_orders_does_not_let_a_pair_go(desk: Desk) -> None:
    pair = halves(desk)
    altered = changed(pair, limit_px=5_300_000)
    desk.put(*altered, desk.verdict(pair[0]), desk.verdict(pair[1]))
    assert codes(desk, pair) == ["CONTINGENT_DENIED", "APPROVAL_INVALID"]


def test_cancelling_one_half_before_it_was_sent_withdraws_both(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(*pair, desk.verdict(pair[0]))
    desk.cancel(pair[1])
    assert codes(desk, pair) == ["CONTINGENT_DENIED", "COMMAND_EXPIRED"]
    desk.put(desk.verdict(pair[1]))
    assert desk.waits(SendPair) == 0


@pytest.mark.parametrize("heard", [0, 1, 2])
def test_while_risk_is_silent_a_pair_leaves_by_the_gateways_own_verdicts(
    desk: Desk, heard: int
) -> None:
    pair = halves(desk)
    desk.put(*pair, *(desk.verdict(half) for half in pair[:heard]), SILENT)
    records = submitted(desk, pair)
    assert [record.verdict.by for record in records] == ["risk"] * heard + ["gateway"] * (2 - heard)
    assert [order_hash(record.intent) for record in records] == [
        record.verdict.order_hash for record in records
    ]
    assert desk.take(SendPair).target == pair[1]


def test_while_risk_is_silent_a_half_alone_waits_for_the_other(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(SILENT, pair[0])
    assert (submitted(desk, pair), codes(desk, pair)) == ([], ["", ""])
    desk.put(pair[1])
    assert len(submitted(desk, pair)) == 2


@pytest.mark.parametrize("level", ["REDUCING", "HALTED"])
def test_below_active_a_pair_still_guards_a_position(desk: Desk, level: str) -> None:
    desk.command("kill", level, "enough")
    pair = halves(desk)
    approve(desk, pair)
    assert len(submitted(desk, pair)) == 2
    assert desk.take(SendPair).stop == pair[0]


def test_a_pair_larger_than_the_position_is_refused_whole(desk: Desk) -> None:
    pair = halves(desk, 1001)
    approve(desk, pair)
    assert codes(desk, pair) == ["REDUCE_ONLY_WOULD_INCREASE_POSITION", "CONTINGENT_DENIED"]


def test_a_second_pair_over_the_same_position_is_refused(desk: Desk) -> None:
    place(desk, halves(desk))
    pair = halves(desk)
    approve(desk, pair)
    assert codes(desk, pair) == ["REDUCE_ONLY_WOULD_INCREASE_POSITION", "CONTINGENT_DENIED"]


def test_the_two_halves_of_a_pair_count_once(desk: Desk) -> None:
    place(desk, halves(desk, 600))
    assert closable(desk.books, SYMBOL, "sell", 5) == 400
    assert reduces(desk.books, desk.intent("sell", 400))
    assert not reduces(desk.books, desk.intent("sell", 401))
    place(desk, halves(desk, 400))
    assert closable(desk.books, SYMBOL, "sell", 5) == 0


def test_of_a_pair_the_larger_rest_counts(desk: Desk) -> None:
    stop, _ = place(desk, halves(desk, 600))
    desk.account.orders[stop.client_order_id].tied = ""  # The exchange has not ended the other.
    desk.fill(stop, "0.00200")
    assert desk.books.open[stop.client_order_id].left == 400
    assert closable(desk.books, SYMBOL, "sell", 5) == 200  # 800 held, 600 may still be sold


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"order_type": "limit"}, "UNSUPPORTED_ORDER_TYPE"),
        ({"qty": 900}, "VALIDATION_FAILED"),
        ({"side": "buy"}, "VALIDATION_FAILED"),
        ({"leg": "exit"}, "VALIDATION_FAILED"),
        ({"leg": "stop"}, "VALIDATION_FAILED"),
        ({"reduce_only": False}, "VALIDATION_FAILED"),
        ({"limit_px": 4_800_000}, "VALIDATION_FAILED"),
        ({"symbol": "ETH/USDT"}, "VALIDATION_FAILED"),
    ],
)
def test_what_stands_in_no_pair_is_refused_whole(
    desk: Desk, fields: dict[str, Any], code: str
) -> None:
    pair = changed(halves(desk), **fields)
    approve(desk, pair)
    assert codes(desk, pair) == [code, "CONTINGENT_DENIED"]


def test_a_half_that_the_other_does_not_name_is_refused_alone(desk: Desk) -> None:
    pair = changed(halves(desk), oco="")
    approve(desk, pair)
    assert codes(desk, pair) == ["VALIDATION_FAILED", ""]
    assert desk.take(SendOrder).intent == pair[1]


def test_a_half_whose_other_has_left_before_is_refused(desk: Desk) -> None:
    stop, target = halves(desk)
    desk.approve(msgspec.structs.replace(target, oco=""))
    desk.approve(stop)
    assert codes(desk, (stop, target)) == ["CONTINGENT_DENIED", ""]


def test_where_the_exchange_takes_no_pairs_none_is_sent(desk: Desk) -> None:
    desk.put(LISTED)
    pair = halves(desk)
    approve(desk, pair)
    assert codes(desk, pair) == ["UNSUPPORTED_ORDER_TYPE", "CONTINGENT_DENIED"]


def test_an_order_that_names_itself_is_no_pair(desk: Desk) -> None:
    stop, _ = halves(desk)
    desk.approve(msgspec.structs.replace(stop, oco=stop.client_order_id))
    assert set(codes(desk, (stop, stop))) == {"UNSUPPORTED_ORDER_TYPE"}
    assert desk.waits(SendPair) == 0


def test_without_an_instrument_a_pair_cannot_be_judged(desk: Desk) -> None:
    desk.core.state.windows.instruments.clear()
    desk.turns.clear()
    pair = halves(desk)
    approve(desk, pair)
    assert codes(desk, pair) == ["INSTRUMENT_NOT_FOUND", "CONTINGENT_DENIED"]
