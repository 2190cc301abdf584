"""Long work beside a writer's loop: whatever a child does, the loop goes on and knows."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.clock import ManualClock, SystemClock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.shard import open_writer
from services.writer.jobs import LOOK_NS, REST_NS, TEXT_CHARS_MAX, Bounds, Finished, Job, Jobs

DEADLINE_NS = 20_000_000_000
SECOND_NS = 1_000_000_000
ROOT = Path(__file__).parents[3]
MODULE = "tests.services.writer.job_child"


class Desk:
    """Jobs of which one is always due, on a clock that the test moves."""

    def __init__(self, **args: str) -> None:
        self.clock = ManualClock(SECOND_NS)
        self.job = Job("test", args)
        self.jobs = Jobs(
            [lambda: self.job],
            self.clock,
            bounds=Bounds(60 * SECOND_NS, 3600 * SECOND_NS),
            module=MODULE,
        )

    def begin(self) -> None:
        self.clock.advance(LOOK_NS)
        assert self.jobs.tend() is None

    def end(self) -> Finished:
        found: list[Finished] = []
        until(lambda: bool(found) or _append(found, self.jobs.tend()))
        return found[0]

    def figure(self, name: str) -> int:
        return dict(self.jobs.counters()).get(name, 0)


def _append(found: list[Finished], done: Finished | None) -> bool:
    if done is not None:
        found.append(done)
    return done is not None


def until(condition: Callable[[], object]) -> None:
    clock = SystemClock()
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    while not condition():
        assert clock.mono_ns() < deadline_ns
        clock.pause_ms(2)


def alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_that_is_done_tells_what_it_did() -> None:
    desk = Desk(do="work")
    desk.begin()
    done = desk.end()
    assert (done.ok, done.text, done.job) == (True, "all of it", desk.job)
    assert (desk.figure("jobs_done"), desk.figure("jobs_failed")) == (1, 0)
    assert desk.jobs.alarm() is None


def test_one_that_fails_says_why_and_rests_until_it_may_be_mended() -> None:
    desk = Desk(do="fail")
    desk.begin()
    assert desk.end().text == "it is damaged. mend it"
    assert desk.jobs.alarm() == "its test failed: it is damaged. mend it"
    assert (desk.figure("jobs_failed"), desk.figure("test_failures")) == (1, 1)
    desk.clock.advance(REST_NS - 1)
    desk.jobs.tend()
    desk.job = Job("test", {"do": "fall"})  # One that began too early would be the one before.
    desk.begin()
    assert desk.end().text.startswith("it ended with 9")
    desk.clock.advance(2 * REST_NS - 1)
    desk.jobs.tend()
    desk.job = Job("test", {"do": "work"})
    desk.begin()
    assert desk.end().ok, "the second rest is twice as long"
    assert (desk.figure("test_failures"), desk.jobs.alarm()) == (0, None)


def test_a_failure_is_forgotten_once_others_did_what_was_due() -> None:
    desk, done = Desk(do="fail"), list[bool]()
    desk.jobs = Jobs(
        [lambda: None if done else desk.job],
        desk.clock,
        module=MODULE,
        settled={"test": lambda: bool(done)},
    )
    desk.begin()
    assert not desk.end().ok
    desk.begin()
    assert desk.jobs.alarm() is not None
    done.append(True)
    desk.begin()
    assert (desk.jobs.alarm(), desk.figure("test_failures")) == (None, 0)


def test_one_that_ends_without_an_answer_is_known_by_its_code_and_last_line() -> None:
    desk = Desk(do="fall")
    desk.begin()
    assert desk.end().text == "it ended with 9: and its end"


def test_one_that_says_too_much_fills_no_memory_and_stops_nobody() -> None:
    desk = Desk(do="shout")
    desk.begin()
    done = desk.end()
    assert not done.ok
    assert len(done.text) <= 4096
    assert len(desk.jobs.alarm() or "") <= TEXT_CHARS_MAX + 40


def test_one_that_gives_no_sign_of_life_is_ended(tmp_path: Path) -> None:
    desk = Desk(do="hang", here=str(tmp_path / "here"))
    desk.begin()
    pid = pid_in(tmp_path / "here")
    desk.clock.advance(61 * SECOND_NS)
    assert "no sign of life" in desk.end().text
    assert not alive(pid)


def test_one_that_works_on_and_on_is_ended_too(tmp_path: Path) -> None:
    desk = Desk(do="loop", here=str(tmp_path / "here"))
    desk.begin()
    pid = pid_in(tmp_path / "here")
    desk.clock.advance(3601 * SECOND_NS)
    assert "was not done" in desk.end().text
    assert not alive(pid)


def test_a_stop_of_the_writer_ends_its_job_at_once(tmp_path: Path) -> None:
    desk = Desk(do="hang", here=str(tmp_path / "here"))
    desk.begin()
    pid = pid_in(tmp_path / "here")
    before_ns = SystemClock().mono_ns()
    desk.jobs.close()
    assert SystemClock().mono_ns() - before_ns < SECOND_NS
    assert not alive(pid)


@pytest.mark.parametrize("does", ["loop", "query"])
def test_a_child_ends_with_its_writer_even_within_one_statement(tmp_path: Path, does: str) -> None:
    open_writer(KINDS["backtest"], tmp_path / "backtest.db", "w").close()
    args = {"do": does, "here": str(tmp_path / "here"), "path": str(tmp_path / "backtest.db")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.services.writer.jobs_parent", json.dumps(args)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
    ) as parent:
        pid = pid_in(tmp_path / "here")
        parent.kill()
    until(lambda: not alive(pid))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only there it can be seen")
def test_a_child_inherits_no_lease_and_no_shard(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "lease")
    assert lease.take()
    shard = open_writer(KINDS["backtest"], tmp_path / "backtest.db", "w")
    desk = Desk(do="inherit")
    desk.begin()
    done = desk.end()
    assert done.ok
    assert str(tmp_path) not in done.text
    shard.close()
    lease.release()


def test_without_a_process_to_be_had_the_loop_goes_on() -> None:
    desk = Desk(do="x" * (1 << 22))  # No system takes an argument of this size.
    desk.clock.advance(LOOK_NS)
    done = desk.jobs.tend()
    assert done is not None
    assert "cannot be started" in done.text


def pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text())
    return int(path.read_text())
