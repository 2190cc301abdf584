"""While the engine is silent no position with a known stop stays without one, and never two."""

from typing import Any

import msgspec
import pytest

from schema.exchange import AskTop, SendOrder
from schema.joined import PairPlaced, SendPair
from schema.lifecycle import State
from services.gateway import guard
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED
from tests.services.gateway.guarded import (
    ALL,
    BOUND_MS,
    STOP_PX,
    die,
    engine,
    entered,
    guards,
    order_id,
    stop,
    told,
)

desk = pytest.fixture(opened)


def test_a_bare_position_gets_its_last_stop(desk: Desk) -> None:
    entry = entered(desk)
    die(desk)
    desk.live_ms(200, also=ALL)
    (made,) = guards(desk)
    assert (made.order_type, made.side, made.qty, made.stop_px) == ("stop", "sell", 1000, STOP_PX)
    assert (made.leg, made.strategy) == ("stop", "toy")
    assert made.client_order_id[:8] == entry.client_order_id[:8]  # The strategy's own.
    assert desk.standing(made) is State.ACCEPTED
    assert told(desk) == "engine silent: 1 stops kept"
    desk.live_ms(20_000, also=ALL)
    assert len(guards(desk)) == 1


def test_no_position_is_bare_longer_than_its_rule(desk: Desk) -> None:
    entered(desk)
    engine(desk, "STOPPED")
    desk.live_ms(2_900, also=ALL)
    assert not guards(desk)
    desk.live_ms(BOUND_MS - 2_900, also=ALL)
    assert desk.standing(guards(desk)[0]) is State.ACCEPTED


def test_an_engine_that_restarts_in_time_causes_nothing(desk: Desk) -> None:
    entered(desk)
    for state in ("DRAINING", "STOPPED", "STARTING", "RECOVERING"):
        engine(desk, state)
        desk.live_ms(700, also=ALL)
    engine(desk, "CATCHING_UP")
    desk.live_ms(10_000, also=ALL)
    assert not guards(desk)
    assert told(desk) == ""


def test_an_engine_that_was_never_heard_is_silent(desk: Desk) -> None:
    entered(desk)
    desk.restart(engine="")
    desk.live_ms(BOUND_MS, also=ALL)
    assert len(guards(desk)) == 1


def test_what_its_stop_covers_is_left_alone(desk: Desk) -> None:
    entered(desk)
    stop(desk)
    die(desk)
    desk.live_ms(5_000, also=ALL)
    assert not guards(desk)
    assert told(desk) == "engine silent: 1 stops kept"


def test_only_what_no_stop_covers_gets_another(desk: Desk) -> None:
    entered(desk)
    stop(desk, 400)
    die(desk)
    desk.live_ms(500, also=ALL)
    assert [made.qty for made in guards(desk)] == [600]


def test_a_pair_covers_its_position_and_is_not_touched(desk: Desk) -> None:
    entered(desk)
    stop_id, target_id = (order_id(n) for n in (901, 902))
    fields: dict[str, Any] = {"reduce_only": True, "qty": 1000}
    given = desk.intent("sell", order_type="stop", stop_px=STOP_PX, leg="stop", **fields)
    kept = msgspec.structs.replace(given, client_order_id=stop_id, oco=target_id)
    fields["order_type"] = "limit_maker"
    given = desk.limit("sell", limit_px=5_500_000, leg="target", **fields)
    target = msgspec.structs.replace(given, client_order_id=target_id, oco=stop_id)
    desk.put(
        msgspec.structs.replace(LISTED, oco=True, order_types=(*LISTED.order_types, "LIMIT_MAKER"))
    )
    desk.put(kept, target, desk.verdict(kept), desk.verdict(target))
    reports = tuple(desk.account.take(one).report() for one in (kept, target))
    desk.put(PairPlaced(effect_id=desk.take(SendPair).effect_id, reports=reports))
    die(desk)
    desk.live_ms(5_000, also=ALL)
    assert not guards(desk)
    assert desk.standing(kept) is State.ACCEPTED


def test_the_newest_word_on_a_stop_counts(desk: Desk) -> None:
    entered(desk)
    newest = desk.place(
        desk.intent("sell", order_type="stop", stop_px=4_950_000, reduce_only=True, leg="stop")
    )
    desk.push(desk.account.end(newest.client_order_id).report())
    die(desk)
    desk.live_ms(500, also=ALL)
    assert [made.stop_px for made in guards(desk)] == [4_950_000]


def test_a_price_beyond_the_stop_closes_at_once(desk: Desk) -> None:
    entered(desk)
    desk.account.bid = "48900.00"
    die(desk)
    desk.live_ms(100, also=ALL)
    (made,) = guards(desk)
    assert (made.order_type, made.time_in_force, made.qty) == ("limit", "IOC", 1000)
    assert made.limit_px == 4_890_000 * 95 // 100
    desk.fill(made, "0.01000")
    desk.live_ms(5_000, also=ALL)
    assert len(guards(desk)) == 1
    assert desk.books.positions[SYMBOL].n == 0


def test_what_was_not_closed_is_tried_again(desk: Desk) -> None:
    entered(desk)
    desk.account.bid = "48900.00"
    die(desk)
    desk.live_ms(100, also=ALL)
    (made,) = guards(desk)
    desk.fill(made, "0.00400")
    desk.push(desk.account.end(made.client_order_id, "EXPIRED").report())
    desk.live_ms(2_000, also=ALL)
    assert [one.qty for one in guards(desk)] == [1000, 600]


def test_where_no_stop_rests_the_price_is_watched(desk: Desk) -> None:
    entered(desk)
    desk.put(msgspec.structs.replace(LISTED, order_types=("MARKET", "LIMIT")))
    die(desk)
    desk.live_ms(5_000, also=ALL)
    assert not guards(desk)
    assert told(desk) == "engine silent: 0 stops kept, 1 watched"
    desk.account.bid = "48999.00"
    desk.live_ms(guard.LOOK_MS + 100, also=ALL)
    assert [made.time_in_force for made in guards(desk)] == ["IOC"]


def test_a_short_position_is_bought_back(desk: Desk) -> None:
    entry = desk.place(desk.intent("sell", leg="entry", protect_px=5_100_000))
    desk.fill(entry, "0.01000")
    die(desk)
    desk.live_ms(200, also=ALL)
    assert [(m.side, m.stop_px) for m in guards(desk)] == [("buy", 5_100_000)]


def test_a_stop_that_never_arrived_is_tried_again_under_another_id(desk: Desk) -> None:
    entered(desk)
    die(desk)
    desk.live_ms(100, also=(AskTop,))
    first = desk.take(SendOrder)
    desk.silence(first)
    desk.live_ms(30_000, also=(AskTop,))
    desk.live_ms(1_000, also=ALL)
    assert desk.standing(guards(desk)[0]) is State.REJECTED
    assert desk.standing(guards(desk)[1]) is State.ACCEPTED


def test_a_resting_exit_makes_room_for_the_stop(desk: Desk) -> None:
    entered(desk)
    leaving = desk.place(desk.limit("sell", limit_px=5_200_000, reduce_only=True))
    die(desk)
    desk.live_ms(3_000, also=ALL)
    assert desk.standing(leaving) is State.CANCELED
    assert [made.order_type for made in guards(desk)] == ["stop"]
