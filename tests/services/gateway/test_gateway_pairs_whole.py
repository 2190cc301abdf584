"""Pairs through the whole gateway, core and edge under the real loop, at the real venue."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.lifecycle import State
from schema.orders import InstrumentHalted, OrderSubmitted
from schema.trading import CancelIntent, OrderIntent
from services.gateway.position import closable
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.served import SCALE
from tests.services.gateway.test_gateway_whole import House, housed

pytestmark = pytest.mark.slow

Pair = tuple[OrderIntent, OrderIntent]


def want(house: House, bps: int) -> Pair:
    """Have a position guarded by a pair this far from the market, all approved."""
    house.words.now_ns = house.clock.market_ns()
    now, _ = house.top()
    until_ns = house.words.now_ns + int(3e9 * SCALE)
    common: dict[str, Any] = {"reduce_only": True, "valid_until_ns": until_ns, "ref_px": now}
    below, above = now * (10_000 - bps) // 10_000, now * (10_000 + bps) // 10_000
    stop = house.words.intent("sell", 900, order_type="stop", stop_px=below, leg="stop", **common)
    target = house.words.intent(
        "sell", 900, order_type="limit_maker", limit_px=above, leg="target", **common
    )
    name = msgspec.structs.replace
    pair = (name(stop, oco=target.client_order_id), name(target, oco=stop.client_order_id))
    house.say(*pair, *(house.words.verdict(half, expires_ns=until_ns) for half in pair))
    return pair


def standing(house: House, pair: Pair) -> list[State | None]:
    return [house.standing(half) for half in pair]


def test_a_pair_rests_survives_a_death_and_ends_with_either_half(tmp_path: Path) -> None:
    with housed(tmp_path) as house:
        house.until(lambda: house.pulse.state == "READY")
        bought = house.want()
        house.until(lambda: house.standing(bought) is State.FILLED)
        pair = want(house, 1_000)
        house.until(lambda: None not in standing(house, pair))
        house.kill()  # Perhaps before the answer to both.
        house.start()
        house.until(lambda: standing(house, pair) == [State.ACCEPTED, State.ACCEPTED])
        house.until(lambda: house.pulse.state == "READY")
        books = house.core.state.books
        assert closable(books, SYMBOL, "sell", 5) == 99
        house.say(
            CancelIntent(
                ts_event=1,
                client_order_id=pair[1].client_order_id,
                strategy="toy",
                symbol=SYMBOL,
            )
        )
        house.until(lambda: standing(house, pair) == [State.CANCELED, State.CANCELED])
        assert closable(house.core.state.books, SYMBOL, "sell", 5) == 999
        near = want(house, 5)
        ended = {State.FILLED, State.EXPIRED}
        house.until(lambda: set(standing(house, near)) in (ended, {State.REJECTED}))
        sent = [record.client_order_id for record in house.of(OrderSubmitted)]
        assert len(sent) == len(set(sent)) == 5
        assert house.of(InstrumentHalted) == []
