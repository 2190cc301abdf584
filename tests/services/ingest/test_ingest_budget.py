"""A ban in ingest's books, whoever met it, and the limits that the listing names."""

import asyncio

import pytest

from bus.clock import SystemClock
from bus.errors import EdgeError
from schema.market import FeedBudget
from schema.orders import AccountSnapshot, RequestWeight
from services.ingest.edge_budget import Budget, call_of
from services.ingest.effects import BudgetMet
from tests.services.ingest.exchange import MS, Stand
from tests.services.ingest.steady import steady

UNTIL_MS = 1_900_000_000_000


def said(stand: Stand) -> list[FeedBudget]:
    return [message for message in stand.said if isinstance(message, FeedBudget)]


def weight(until_ms: int) -> RequestWeight:
    return RequestWeight(ts_event=0, used=7, limit=6_000, retry_after_ns=until_ms * MS)


def test_a_ban_that_the_edge_met_is_said_once() -> None:
    stand = steady()
    for _ in range(2):
        stand.hear(BudgetMet(used=5, retry_wall_ms=UNTIL_MS))
    stand.hear(BudgetMet(used=6, retry_wall_ms=UNTIL_MS - 1))
    assert [told.retry_after_ns for told in said(stand)] == [UNTIL_MS * MS]


def test_a_ban_that_the_gateway_met_is_obeyed_and_kept() -> None:
    stand = steady()
    stand.hear(weight(UNTIL_MS))
    assert stand.obeyed[-1] == UNTIL_MS
    assert said(stand)[-1].retry_after_ns == UNTIL_MS * MS
    stand.hear(weight(UNTIL_MS))
    stand.hear(weight(0))
    assert len(said(stand)) == 1


def test_a_snapshot_of_the_gateway_tells_of_a_ban_too() -> None:
    stand = steady()
    told = AccountSnapshot(
        ts_event=0,
        level="ACTIVE",
        by="",
        reason="",
        since_ns=0,
        reconciled_ns=0,
        retry_after_ns=UNTIL_MS * MS,
    )
    stand.hear(told)
    assert stand.obeyed[-1] == UNTIL_MS


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_start_tells_the_edge_until_when_to_be_quiet(*, from_snapshot: bool) -> None:
    stand = steady()
    assert stand.obeyed == [0]
    stand.hear(BudgetMet(used=5, retry_wall_ms=UNTIL_MS, orders_10s=50))
    stand.restart(from_snapshot=from_snapshot)
    assert stand.obeyed[-1] == UNTIL_MS
    assert stand.core.state.spent.orders_10s == 50


def listing(**entry: object) -> str:
    fields = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    row = ",".join(f'"{k}":"{v}"' if isinstance(v, str) else f'"{k}":{v}'
                   for k, v in {**fields, **entry}.items())  # fmt: skip
    return f'{{"rateLimits":[{{{row}}}]}}'


def opened(share: float = 0.5) -> Budget:
    budget = Budget(share)
    budget.obey(0)
    budget.open(SystemClock())
    return budget


async def asked(budget: Budget, url: str, patience_s: float = 0.1) -> bool:
    try:
        async with asyncio.timeout(patience_s), budget.room(url):
            return True
    except TimeoutError:
        return False


def test_only_a_share_of_the_budget_is_spent() -> None:
    async def work() -> None:
        budget = opened()
        assert await asked(budget, "http://x/api/v3/klines?limit=1")
        headers = {"X-MBX-USED-WEIGHT-1M": "2999"}
        budget.take("http://x/api/v3/klines", 200, headers, "[]")
        assert not await asked(budget, "http://x/api/v3/klines?limit=1")
        budget.take("http://x/api/v3/exchangeInfo", 200, {}, listing(limit=12_000))
        assert await asked(budget, "http://x/api/v3/klines?limit=1")

    asyncio.run(work())


@pytest.mark.parametrize("status", [418, 429])
def test_a_ban_refuses_before_a_byte_leaves(status: int) -> None:
    async def work() -> None:
        budget = opened()
        budget.take("http://x/api/v3/klines", status, {"Retry-After": "30"}, "{}")
        with pytest.raises(EdgeError, match="banned until"):
            await asked(budget, "http://x/api/v3/klines")

    asyncio.run(work())


def test_before_the_core_has_told_nothing_is_asked() -> None:
    async def work() -> None:
        budget = Budget(0.5)
        budget.open(SystemClock())
        with pytest.raises(EdgeError, match="not told yet"):
            await asked(budget, "http://x/api/v3/klines")

    asyncio.run(work())


def test_a_call_is_named_by_the_end_of_its_address() -> None:
    assert call_of("http://127.0.0.1:1/api/v3/klines?symbol=BTCUSDT") == "klines"
