"""A clock of ours that is ahead of the exchange's closes no minute too early."""

import pytest

from services.ingest.effects import RawTrade
from tests.services.ingest.exchange import (
    MINUTE_MS,
    MS,
    START_MS,
    Exchange,
    Stand,
    fold,
    row_of,
)

MINUTES = 12
QUIET: list[RawTrade] = [
    (1 + n, "60000.00", "1.00000", START_MS + n // 2 * MINUTE_MS + at_ms, False)
    for n, at_ms in enumerate([10_000, 58_000] * MINUTES)
]
"""One trade early in each minute, one in its last seconds, and none that shows it is over."""


class Behind(Exchange):
    """Its clock is behind ours."""

    def __init__(self, tape: list[RawTrade], behind_ms: int) -> None:
        super().__init__(tape)
        self.behind_ns = behind_ms * MS

    def until(self, now_ns: int) -> list[RawTrade]:
        return super().until(now_ns - self.behind_ns)


@pytest.mark.parametrize("behind_ms", [0, 1_500, 5_000, 45_000, -5_000])
def test_every_minute_holds_its_last_trade_whatever_our_clock_says(behind_ms: int) -> None:
    stand = Stand(Behind(QUIET, behind_ms), (START_MS + 65_000) * MS)
    stand.open()
    stand.connect()
    stand.settle()
    for _ in range(MINUTES * 60 - 65):
        stand.advance(1_000)
        stand.live(stand.due())
        stand.settle()
    found = [row_of(bar) for bar in stand.bars() if bar.source == "trades"]
    assert len(found) >= MINUTES - 3
    assert set(found) <= set(fold(QUIET, "1m"))
