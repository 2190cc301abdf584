"""Who may ask next: a cancel never waits behind queries, an entry never takes the last place."""

import asyncio
from collections.abc import Awaitable

from schema.exchange import AskAccount, SendCancel
from services.gateway.edge_lanes import PLACES, Lane, Lanes, lane_of
from tests.services.gateway.served import intent, order


def played(work: Awaitable[None]) -> None:
    async def run() -> None:
        async with asyncio.timeout(5):
            await work

    asyncio.run(run())


async def fill(lanes: Lanes, lane: Lane) -> None:
    for _ in range(PLACES[lane]):
        await lanes.enter(lane)


async def stuck(lanes: Lanes, lane: Lane) -> "asyncio.Task[None]":
    task = asyncio.create_task(lanes.enter(lane))
    await asyncio.sleep(0)
    assert not task.done()
    return task


def test_effects_have_the_lanes_of_what_they_do() -> None:
    cancel = SendCancel(effect_id="c", client_order_id="c", symbol="BTC/USDT")
    assert lane_of(cancel) is Lane.CANCEL
    assert lane_of(order(intent(reduce_only=True))) is Lane.REDUCE
    assert lane_of(order(intent())) is Lane.NEW
    assert lane_of(AskAccount(effect_id="a")) is Lane.QUERY


def test_queries_hold_nothing_but_each_other_up() -> None:
    async def work() -> None:
        lanes = Lanes()
        await fill(lanes, Lane.QUERY)
        waiting = await stuck(lanes, Lane.QUERY)
        await fill(lanes, Lane.NEW)
        lanes.leave(Lane.QUERY)
        await waiting

    played(work())


def test_the_last_places_are_for_what_takes_risk_away() -> None:
    async def work() -> None:
        lanes = Lanes()
        await fill(lanes, Lane.NEW)
        entry = await stuck(lanes, Lane.NEW)
        await lanes.enter(Lane.REDUCE)
        reduction = await stuck(lanes, Lane.REDUCE)
        await lanes.enter(Lane.CANCEL)
        cancel = await stuck(lanes, Lane.CANCEL)
        for first in (cancel, reduction):
            lanes.leave(Lane.NEW)
            await first
            assert not entry.done()
            lanes.leave(Lane.NEW)
        lanes.leave(Lane.NEW)
        await entry

    played(work())


def test_a_place_given_up_goes_to_the_next() -> None:
    async def work() -> None:
        lanes = Lanes()
        await fill(lanes, Lane.QUERY)
        given_up, next_one = await stuck(lanes, Lane.QUERY), await stuck(lanes, Lane.QUERY)
        given_up.cancel()
        lanes.leave(Lane.QUERY)
        await next_one
        late = await stuck(lanes, Lane.QUERY)
        lanes.leave(Lane.QUERY)
        late.cancel()  # In the same moment that its turn came.
        await asyncio.gather(late, return_exceptions=True)
        await lanes.enter(Lane.QUERY)

    played(work())
