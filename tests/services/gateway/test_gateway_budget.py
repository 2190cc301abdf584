"""A ban in the gateway's books: said once, kept, told to the edge at each start."""

import pytest

from schema.exchange import BudgetSeen, SetLevel
from schema.house import SnapshotDue
from schema.market import FeedBudget
from schema.orders import AccountSnapshot, RequestWeight
from schema.streams import STREAMS
from tests.services.gateway.gateway_desk import Desk, opened

MS = 1_000_000
desk = pytest.fixture(opened)


def met_by_ingest(desk: Desk, for_ms: int) -> None:
    until_ns = (desk.wall_ms + for_ms) * MS
    desk.put(FeedBudget(ts_event=desk.now_ns, used=0, limit=6_000, retry_after_ns=until_ns))


def levels(desk: Desk) -> list[SetLevel]:
    return [effect for effect in desk.effects if isinstance(effect, SetLevel)]


def test_a_ban_that_ingest_met_is_kept_and_told_to_the_edge(desk: Desk) -> None:
    met_by_ingest(desk, 20_000)
    (said,) = desk.of(RequestWeight)
    assert (said.seen_by, said.retry_after_ns) == ("ingest", (desk.wall_ms + 20_000) * MS)
    assert levels(desk)[-1].retry_wall_ms == desk.wall_ms + 20_000
    desk.effects.clear()
    desk.live_ms(15_000)
    assert not desk.effects  # Not a question: its end is waited for.


def test_a_ban_is_said_once_and_never_shortened(desk: Desk) -> None:
    met_by_ingest(desk, 20_000)
    met_by_ingest(desk, 5_000)
    desk.put(BudgetSeen(used=3, limit=6_000, retry_wall_ms=desk.wall_ms + 20_000))
    assert len(desk.of(RequestWeight)) == 1


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_a_start_tells_the_edge_first_of_all(desk: Desk, grade: str) -> None:
    desk.put(BudgetSeen(used=3, limit=6_000, retry_wall_ms=desk.wall_ms + 9_000))
    desk.restart(grade)
    first = desk.effects[0]
    assert isinstance(first, SetLevel)
    assert first.retry_wall_ms == desk.wall_ms + 9_000


def test_limits_of_the_listing_reach_the_edge(desk: Desk) -> None:
    desk.put(FeedBudget(ts_event=desk.now_ns, used=0, limit=1_200, orders_10s=30))
    told = levels(desk)[-1]
    assert (told.weight_1m, told.orders_10s, told.orders_1d) == (1_200, 30, 200_000)
    assert not desk.of(RequestWeight)


def test_who_joins_the_stream_late_is_told_of_a_ban(desk: Desk) -> None:
    met_by_ingest(desk, 20_000)
    desk.put(SnapshotDue(stream=STREAMS["gateway.order"].number))
    assert desk.of(AccountSnapshot)[-1].retry_after_ns == desk.books.retry_after_ns > 0
