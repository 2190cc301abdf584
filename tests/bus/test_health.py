"""Signs of life in, verdicts with reasons out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.health import MS, SECOND, Limits, Process, Verdict, Vitals, behind, limits
from schema.house import STATES, Heartbeat

BOUNDS = Limits()


def beat(state: str = "READY", *, turn: int = 1, pid: int = 7, cursor: int = 10) -> Heartbeat:
    return Heartbeat(
        ts_event=0,
        service="ingest",
        state=state,
        reason="why",
        world="w",
        pid=pid,
        started_ns=0,
        turn=turn,
        last=((1, 10),),
        synced=(),
        cursors=((4, cursor),),
    )


def watched(*heartbeats: tuple[Heartbeat, int]) -> Vitals:
    vitals = Vitals(("ingest",), 0, BOUNDS)
    for heartbeat, at_ns in heartbeats:
        vitals.heard(heartbeat, at_ns)
    return vitals


@pytest.mark.parametrize("state", STATES)
def test_a_fresh_heartbeat_is_believed(state: str) -> None:
    vitals = watched((beat(state), 0))
    assert vitals.verdict("ingest", 0) == Verdict("ingest", state, "why")


@pytest.mark.parametrize(
    ("silent_ns", "state"),
    [
        (749 * MS, "READY"),
        (750 * MS, "SUSPECT"),
        (3 * SECOND - 1, "SUSPECT"),
        (3 * SECOND, "DEAD"),
    ],
)
def test_silence_is_suspect_then_dead(silent_ns: int, state: str) -> None:
    assert watched((beat(), 0)).verdict("ingest", silent_ns).state == state


def test_who_pauses_and_says_so_is_not_stuck() -> None:
    paused = msgspec.structs.replace(beat("DEGRADED", cursor=9), counters=(("paused", 1),))
    seconds = range(0, 30 * SECOND, SECOND)
    owner = msgspec.structs.replace(beat(), service="owner", last=((4, 10),), cursors=())
    vitals = watched((owner, 0), *((paused, at_ns) for at_ns in seconds))
    assert vitals.verdict("ingest", seconds[-1]) == Verdict("ingest", "DEGRADED", "why")
    resumed = msgspec.structs.replace(paused, counters=(("paused", 0),))
    for at_ns in range(30 * SECOND, 42 * SECOND, SECOND):
        vitals.heard(resumed, at_ns)
    assert vitals.verdict("ingest", 41 * SECOND).state == "STUCK"


@pytest.mark.parametrize("state", ["STARTING", "RECOVERING"])
def test_a_start_may_be_silent_until_its_deadline(state: str) -> None:
    vitals = watched((beat(state), 0))
    assert vitals.verdict("ingest", 59 * SECOND).state == state
    assert vitals.verdict("ingest", 60 * SECOND).state == "DEAD"


def test_a_service_that_never_spoke_is_starting_then_dead() -> None:
    vitals = watched()
    assert vitals.verdict("ingest", 59 * SECOND).state == "STARTING"
    assert vitals.verdict("ingest", 60 * SECOND).state == "DEAD"


@pytest.mark.parametrize("state", ["STOPPED", "EXITED", "FATAL", "BACKOFF", "STOPPING"])
def test_what_the_supervisor_knows_goes_before_a_heartbeat(state: str) -> None:
    vitals = watched((beat(), 0))
    vitals.changed("ingest", Process(state, 0, 0, "said why"))
    assert vitals.verdict("ingest", 0) == Verdict("ingest", state, "said why")


def test_a_new_process_is_not_judged_by_the_words_of_the_old_one() -> None:
    vitals = watched((beat(pid=7), 0))
    vitals.changed("ingest", Process("RUNNING", 8, 5 * SECOND))
    assert vitals.verdict("ingest", 9 * SECOND).state == "STARTING"
    vitals.heard(beat(pid=8), 9 * SECOND)
    assert vitals.verdict("ingest", 9 * SECOND).state == "READY"


def test_input_without_progress_is_stuck() -> None:
    moving = [(beat(cursor=5, turn=turn), turn * SECOND) for turn in range(20)]
    still = [(beat(cursor=5), second * SECOND) for second in range(20)]
    at_the_end = [(beat(cursor=10), second * SECOND) for second in range(20)]
    for heartbeats, state in ((moving, "READY"), (still, "STUCK"), (at_the_end, "READY")):
        owner = msgspec.structs.replace(beat(), service="owner", last=((4, 10),), cursors=())
        vitals = watched((owner, 0), *heartbeats)
        assert vitals.verdict("ingest", 19 * SECOND).state == state


def test_input_after_a_quiet_hour_is_not_stuck_at_once() -> None:
    vitals = watched((beat(cursor=10), 0))
    owner = msgspec.structs.replace(beat(), service="owner", last=((4, 10),), cursors=())
    vitals.heard(owner, 0)
    vitals.heard(beat(cursor=10), 3600 * SECOND)
    vitals.heard(msgspec.structs.replace(owner, last=((4, 11),)), 3600 * SECOND + 100 * MS)
    assert vitals.verdict("ingest", 3600 * SECOND + 100 * MS).state == "READY"
    for half_s in range(21):
        vitals.heard(beat(cursor=10), 3600 * SECOND + half_s * 500 * MS)
    assert vitals.verdict("ingest", 3610 * SECOND).state == "STUCK"


def test_after_a_sleep_of_the_machine_nobody_is_blamed() -> None:
    vitals = watched((beat(), 0))
    vitals.changed("ingest", Process("RUNNING", 7, 0))
    assert vitals.verdict("ingest", 3600 * SECOND).state == "DEAD"
    vitals.forgive(3600 * SECOND)
    assert vitals.verdict("ingest", 3600 * SECOND).state == "READY"


def test_behind_names_the_stream_that_was_not_read_to_its_end() -> None:
    assert behind(beat(cursor=9), {4: 10}) == 4
    assert behind(beat(cursor=10), {4: 10}) == 0
    assert behind(beat(cursor=9), {}) == 0


@given(st.floats(0.5, 3600), st.integers(0, 4_000))
def test_a_fast_clock_changes_no_verdict(scale: float, silent_ms: int) -> None:
    fast = Vitals(("ingest",), 0, limits(scale))
    fast.heard(beat(), 0)
    expected = watched((beat(), 0)).verdict("ingest", silent_ms * MS).state
    for edge_ms in (750, 3000):
        if abs(silent_ms - edge_ms) <= 1:
            return
    assert fast.verdict("ingest", int(silent_ms * MS * scale)).state == expected
