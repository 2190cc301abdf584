"""The depth stream: ids that follow each other, the same book as REST's, and a change left out."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from schema.market import DepthSnapshot, DepthUpdate, Level
from services.venue.columns import DAY_MS
from services.venue.ladder import Ladder
from services.venue.rest import Now, Rest
from services.venue.synthetic import Synthetic
from tests.services.venue.heard_market import Floor
from tests.services.venue.serving import Serving, serving
from tests.services.venue.spoiled import hits, spoil
from tests.services.venue.trading import onlooker

DAY = 20_400
ORIGIN_MS = DAY * DAY_MS + 9 * 3_600_000
BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    market = Synthetic(7, (BTC,), DAY - 2)
    with serving(market, ORIGIN_MS, 60.0, tmp_path_factory.mktemp("depth")) as found:
        yield found


@pytest.mark.parametrize(
    ("limit", "weight"), [(5, 5), (100, 5), (101, 25), (500, 25), (1000, 50), (5000, 250)]
)
def test_a_book_costs_what_its_levels_cost(limit: int, weight: int) -> None:
    rest = Rest(Synthetic(7, (BTC,), DAY - 2))
    now = Now(ORIGIN_MS, ORIGIN_MS, ORIGIN_MS)
    query = {"symbol": "BTCUSDT", "limit": str(limit)}
    answer = rest.answer("/api/v3/depth", query, now)
    assert (answer.status, answer.weight) == (200, weight)


async def changes(exchange: Any, count: int) -> list[dict[str, Any]]:
    """Return the raw changes that come on the stream."""
    url = exchange.urls["api"]["ws"]["spot"] + "/depth"
    found: list[dict[str, Any]] = []

    def keep(client: Any, message: dict[str, Any]) -> None:
        found.append(message)
        client.resolve(None, "depth")

    exchange.handle_order_book = keep
    request = {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 1}
    while len(found) < count:
        await exchange.watch(url, "depth", request, "depth", {"id": "1"})
    return found


def test_ids_of_changes_follow_each_other_on_the_socket(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        found = await changes(exchange, 12)
        for before, after in pairwise(found):
            assert after["U"] == before["u"] + 1 <= after["u"]

    onlooker(venue, work)


def test_a_change_that_is_left_out_leaves_a_hole_in_the_ids(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        found = await changes(exchange, 2)
        spoil(venue, "set", "lost_depth")
        found += await changes(exchange, 4)
        holes = [b["U"] - a["u"] - 1 for a, b in pairwise(found)]
        assert len([hole for hole in holes if hole]) == 1

    onlooker(venue, work)
    assert hits(venue, "lost_depth") == 1


def update(first: int, last: int, asks: tuple[Level, ...], *, anew: bool = False) -> DepthUpdate:
    return DepthUpdate(
        ts_event=0,
        symbol=BTC,
        first_update_id=first,
        last_update_id=last,
        bids=((99_00, 5),) if anew else (),
        asks=asks,
        px_exp=2,
        qty_exp=3,
        anew=anew,
    )


def test_a_book_that_begins_anew_takes_the_place_of_what_was_heard() -> None:
    ladder = Ladder()
    ladder.take(update(5, 5, ((101_00, 1), (102_00, 2)), anew=True))
    ladder.take(update(6, 7, ((101_00, 0),)))
    ladder.take(update(20, 20, ((103_00, 4),), anew=True))
    bids, asks = ladder.sides()
    assert [px // 10**6 for px, _ in asks] == [103_00]
    assert ladder.update_id == 20
    assert len(bids) == 1


def test_a_book_that_begins_anew_may_have_lower_ids() -> None:
    ladder = Ladder()
    ladder.take(update(500, 500, ((101_00, 1),), anew=True))
    ladder.take(update(3, 3, ((102_00, 1),), anew=True))
    assert ladder.update_id == 3


def test_paper_fills_walk_a_book_that_was_told_anew() -> None:
    floor = Floor().opened()
    floor.say(update(5, 5, ((101_00, 500), (102_00, 700)), anew=True))
    order = floor.place("BUY", "MARKET", "1")
    assert floor.parts(order) == [("101", "0.5"), ("102", "0.5")]


def test_paper_fills_take_the_quote_again_behind_a_hole() -> None:
    floor = Floor().opened()
    floor.say(update(5, 5, ((101_00, 100), (102_00, 700)), anew=True))
    floor.say(update(8, 9, ((103_00, 1),)))
    order = floor.place("BUY", "MARKET", "0.5")
    assert floor.parts(order) == [("101", "0.5")]


def test_a_snapshot_for_late_joiners_begins_a_book_too() -> None:
    ladder = Ladder()
    ladder.take(
        DepthSnapshot(
            ts_event=0,
            symbol=BTC,
            update_id=9,
            bids=((99_00, 5),),
            asks=((101_00, 5),),
            px_exp=2,
            qty_exp=3,
        )
    )
    ladder.take(update(10, 11, ((101_00, 7),)))
    assert ladder.update_id == 11
