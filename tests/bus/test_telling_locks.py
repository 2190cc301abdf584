"""How a lock is told in one line: which entries, until when, by whom, or that it is over."""

from typing import Any

import pytest

from bus.telling import tell
from schema.trading import PairLocked, Protection
from schema.units import MINUTE_NS

HAND: dict[str, Any] = {"symbol": "BTC/USDT", "reason": "news", "by": "ann"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            PairLocked(ts_event=0, until_ns=MINUTE_NS, **HAND),
            "no entries until 1970-01-01T00:01:00Z, by ann: news",
        ),
        (
            PairLocked(ts_event=0, until_ns=MINUTE_NS, side="short", **HAND),
            "no shorts until 1970-01-01T00:01:00Z, by ann: news",
        ),
        (PairLocked(ts_event=9, until_ns=9, **HAND), "may be entered again, by ann: news"),
        (
            Protection(
                ts_event=0, name="guard", symbol="*", until_ns=MINUTE_NS, reason="stops=4", side="*"
            ),
            "no entries until 1970-01-01T00:01:00Z, by guard: stops=4",
        ),
    ],
)
def test_a_lock_is_told_with_what_it_stops(message: PairLocked | Protection, told: str) -> None:
    assert tell(message).endswith(told)
