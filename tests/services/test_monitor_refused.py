"""A feed that keeps bringing rows that cannot be true is an alert; one bad moment is none."""

from schema.house import Heartbeat
from services.monitor.conditions import HOLD_S, of_refused
from services.monitor.refused import Refused

SECOND_NS = 1_000_000_000
LATELY_NS = 60 * SECOND_NS


def beat(count: int) -> Heartbeat:
    counters = (("quarantined.BTC/USDT", count), ("bars_checked", 9)) if count else ()
    return Heartbeat(
        ts_event=0, service="ingest", state="READY", reason="", world="test", pid=1, started_ns=1,
        turn=1, last=(), synced=(), cursors=(), counters=counters,
    )  # fmt: skip


def held_s(counts: dict[int, int], until_s: int) -> int:
    """Return for how long at a stretch the condition holds at most, by counts at seconds."""
    refused, count, longest, run = Refused(LATELY_NS), 0, 0, 0
    for second in range(until_s):
        count = counts.get(second, count)
        run = run + 1 if of_refused(refused.grew([beat(count)], second * SECOND_NS)) else 0
        longest = max(longest, run)
    return longest


def test_one_bad_moment_is_no_alert() -> None:
    assert held_s({10: 500}, 300) == 60 < HOLD_S["FeedQuarantine"]


def test_rows_that_keep_coming_are_an_alert_that_names_their_symbol() -> None:
    assert held_s({at: at for at in range(10, 200, 20)}, 300) > HOLD_S["FeedQuarantine"]
    (condition,) = of_refused({"BTC/USDT": 7})
    assert (condition.name, condition.scope) == ("FeedQuarantine", "BTC/USDT")
    assert condition.severity == "warning"
    assert "7 until now" in condition.summary


def test_a_count_that_begins_anew_is_no_row_that_came() -> None:
    refused = Refused(LATELY_NS)
    assert refused.grew([beat(9)], 0) == {"BTC/USDT": 9}
    assert refused.grew([beat(9)], LATELY_NS) == {}
    assert refused.grew([beat(0)], LATELY_NS) == {}
