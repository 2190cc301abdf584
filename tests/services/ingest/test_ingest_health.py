"""What ingest tells of each feed when it is asked, and where its figures come from."""

import json
from typing import Any

import pytest

from schema.house import Command, CommandDone
from schema.market import FeedStatus
from services.ingest.effects import ServerTime, Spoiled
from services.ingest.pulse import GAPS, Pulse
from tests.services.ingest.exchange import MS, SYMBOL, Stand
from tests.services.ingest.steady import steady


def feeds(stand: Stand) -> dict[str, Any]:
    command = Command(request_id="1", verb="feeds", args=(), by="me")
    (done,) = stand.core.handle(command, stand.now_ns)
    assert isinstance(done, CommandDone)
    assert done.ok
    (row,) = json.loads(done.body)
    assert isinstance(row, dict)
    return row


def test_a_live_feed_is_told_with_its_habit() -> None:
    stand = steady()
    row = feeds(stand)
    assert (row["symbol"], row["state"]) == (SYMBOL, "OK")
    assert (row["median_gap_ms"], row["trades_per_min"]) == (500, 120.0)
    assert row["last_trade_id"] == stand.trades()[-1]
    assert 0 <= row["age_ms"] <= 500
    assert row["watermark"].endswith("Z")
    assert row["refused"] == {}


def test_what_was_refused_lost_and_reconnected_is_counted() -> None:
    stand = steady()
    stand.hear(Spoiled(symbol=SYMBOL, kind="trade", reason="none", row="x"))
    stand.hear(Spoiled(symbol=SYMBOL, kind="bar", reason="none", row="x"))
    stand.hear(ServerTime(offset_ms=-250))
    stand.drop()
    stand.open()
    stand.connect()
    stand.advance(3_000)
    stand.settle()
    row = feeds(stand)
    assert row["refused"] == {"trade": 1, "bar": 1}
    assert (row["quarantined"], row["reconnects"], row["gaps_filled"]) == (2, 1, 1)
    assert row["offset_ms"] == -250
    last = [m for m in stand.said if isinstance(m, FeedStatus)][-1]
    assert (last.quarantined, last.offset_ms, last.median_gap_ms) == (2, -250, 500)


def test_a_feed_that_never_stood_is_told_as_it_is() -> None:
    stand = steady()
    stand.core.lines.clear()
    assert feeds(stand)["median_gap_ms"] == 0


@pytest.mark.parametrize("burst", [0, 1, 20])
def test_a_burst_of_trades_does_not_move_the_median_gap(burst: int) -> None:
    pulse, at_ns = Pulse(), 1
    for _ in range(GAPS):
        at_ns += 500 * MS
        pulse.note(at_ns)
    for _ in range(burst):
        pulse.note(at_ns)
    assert pulse.median_ms == 500


def test_the_window_is_bounded_and_follows_a_new_habit() -> None:
    pulse, at_ns = Pulse(), 1
    for gap_ms in [10_000] * 500 + [100] * GAPS:
        at_ns += gap_ms * MS
        pulse.note(at_ns)
    assert len(pulse.gaps_ns) == GAPS
    assert pulse.median_ms == 100
    assert pulse.silence_ns(2_000 * MS, 30_000 * MS) == 2_000 * MS
