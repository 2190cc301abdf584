"""Sums beyond 64 bits: the feed halts with a reason, and ingest lives."""

import pytest

from schema.market import FeedStatus
from services.ingest.effects import RawTrade
from tests.services.ingest.exchange import MINUTE_MS, MS, START_MS, Exchange, Stand
from tests.services.ingest.steady import ready

HUGE = "50000000000000.00000"  # at five decimals, 64 bits hold one and not two of these


def of_giants(qty: str = HUGE) -> Stand:
    tape: list[RawTrade] = [
        (1 + n, "0.01", qty, START_MS + 20_000 * (1 + n), False) for n in range(40)
    ]
    return ready(Stand(Exchange(tape), (START_MS + 65_000) * MS))


def last_status(stand: Stand) -> FeedStatus:
    return [m for m in stand.said if isinstance(m, FeedStatus)][-1]


def test_a_minute_that_no_integer_holds_halts_the_feed() -> None:
    stand = of_giants()
    status = last_status(stand)
    assert status.state == "HALTED"
    assert "the 1m bar of 2025-" in status.reason
    assert "does not fit" in status.reason
    assert "does not fit" in str(stand.core.trouble(stand.now_ns))


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_start_after_such_a_minute_halts_again_and_goes_on_with_trades(
    *, from_snapshot: bool
) -> None:
    stand = of_giants()
    stand.restart(from_snapshot=from_snapshot)
    ready(stand)
    stand.advance(MINUTE_MS)
    stand.live(stand.due())
    assert last_status(stand).state == "HALTED"
    assert stand.trades() == list(range(stand.trades()[0], stand.trades()[-1] + 1))


def test_a_longer_bar_that_no_integer_holds_halts_the_feed_and_the_minutes_go_on() -> None:
    stand = of_giants("10000000000000.00000")
    for _ in range(9):
        stand.advance(MINUTE_MS)
        stand.live(stand.due())
        stand.settle()
    assert "the 5m bar of 2025-" in last_status(stand).reason
    opens = [bar.open_ns for bar in stand.bars()]
    assert len(opens) > 8
    assert opens == list(range(opens[0], opens[-1] + 1, MINUTE_MS * MS))
