"""The guard around somebody's code: its time, its memory, and whom the last life ended in."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from select import select

import pytest

from bus.clock import ManualClock, SystemClock
from services.engine.boundary import OVERRAN, STARVED, Failure, ask
from services.engine.edge import EXIT_CODE, Watched
from services.engine.edge_crumb import WITHIN_NS, Crumb
from services.engine.strategy import Strategy, Target

ROOT = Path(__file__).parents[3]
CALL_MS = 20
CHILD_S_MAX = 60
GIB = 1 << 30


@pytest.fixture
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    guard = Watched(tmp_path, SystemClock(), getattr(request, "param", CALL_MS), 128)
    try:
        yield guard
    finally:
        guard.close()


def failed(guard: Watched, call: Callable[[], object]) -> Failure:
    found = ask(guard, "trend", call)
    assert isinstance(found, Failure), found
    assert ask(guard, "pulse", lambda: None) is None, "the next one is not harmed"
    return found


def loop() -> None:
    while True:
        pass


def swallow() -> str:
    for _ in range(5):
        try:
            loop()
        except:  # noqa: E722 - somebody's code
            continue
    return "done"


def sleep() -> None:
    with suppress(Exception):
        select([], [], [], 60)


def doze() -> None:
    select([], [], [], CALL_MS * 3 / 1000)


def search() -> object:
    return re.match(r"(a+)+b", "a" * 64)


def count() -> int:
    return sum(range(5_000_000))  # It does not look at signals before it is done.


@pytest.mark.parametrize("call", [loop, swallow, sleep, search, count])
def test_a_call_that_does_not_come_back_is_called_back(
    guard: Watched, call: Callable[[], object]
) -> None:
    found = failed(guard, call)
    assert found.reason == OVERRAN
    assert "Overran: a call may " in found.detail


def test_a_call_that_waits_for_its_turn_has_more_patience(guard: Watched) -> None:
    assert ask(guard, "trend", doze) is None


def test_where_it_was_is_told_even_when_it_swallowed_that(guard: Watched) -> None:
    assert "test_engine_guard.py:" in failed(guard, swallow).detail


def test_an_exception_that_cannot_tell_itself_ends_with_the_budget(guard: Watched) -> None:
    class Endless(Exception):  # noqa: N818 - somebody's own name
        def __str__(self) -> str:
            loop()
            return ""

    def call() -> None:
        raise Endless

    assert failed(guard, call).detail.startswith("what it raised cannot tell what it is")


class Hungry(Strategy):
    """Meets the end of its budget inside of the house's own code, again and again."""

    notes = 0

    def on_timer(self, now: int, view: object) -> Target | None:
        while True:
            self.note(**{f"n{number}": number for number in range(100)})


def test_the_houses_own_code_is_not_interrupted_halfway(guard: Watched) -> None:
    hungry = Hungry()
    found = failed(guard, lambda: hungry.on_timer(0, None))
    assert found.reason == OVERRAN
    assert "test_engine_guard.py:" in found.detail


def test_code_that_the_house_calls_back_is_interrupted(guard: Watched) -> None:
    class Endless(str):
        __slots__ = ()

        def __str__(self) -> str:
            loop()
            return ""

    assert failed(guard, lambda: Target.flat(Endless())).reason == OVERRAN


def test_no_late_signal_reaches_the_engine(guard: Watched) -> None:
    """Calls that end at about the moment at which their budget ends, and a busy engine behind."""
    clock = SystemClock()
    for step in range(40):
        until_ns = clock.mono_ns() + (CALL_MS - 2) * 1_000_000 + step * 100_000

        def call(until_ns: int = until_ns) -> None:
            while clock.mono_ns() < until_ns:
                pass

        found = ask(guard, "trend", call)
        assert found is None or isinstance(found, Failure)
        sum(number for number in range(2_000))


@pytest.mark.parametrize("guard", [20_000], indirect=True)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a process's own memory")
def test_a_call_that_takes_all_memory_fails_and_the_next_has_its_share(guard: Watched) -> None:
    assert failed(guard, lambda: bytearray(2 * GIB)).reason == STARVED
    assert failed(guard, lambda: [bytearray(1 << 20) for _ in range(1 << 11)]).reason == STARVED
    assert ask(guard, "pulse", lambda: len(bytearray(GIB // 16)) and None) is None
    assert len(bytearray(GIB // 6)) == GIB // 6, "the engine itself has no limit"


def test_a_strategy_cannot_leave_as_if_all_were_well(guard: Watched) -> None:
    found = failed(guard, lambda: os._exit(0))
    assert found.detail.startswith("SystemExit: os._exit(0) (")


def lives(run: Path, *cases: str) -> tuple[int, list[list[object]]]:
    """Live once for each case; return the last end, and what the last life said."""
    for case in cases:
        done = subprocess.run(
            [sys.executable, "-m", "tests.services.engine.guard_child", str(run), case],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=CHILD_S_MAX,
        )
        code, said = done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
    return code, said


@pytest.mark.parametrize(
    ("case", "codes"),
    [
        ("kill", {-signal.SIGKILL}),
        pytest.param("sum", {-signal.SIGPROF}, marks=pytest.mark.slow),
        pytest.param("swallow", {-signal.SIGPROF, EXIT_CODE}, marks=pytest.mark.slow),
        pytest.param("sleep", {EXIT_CODE}, marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_called_back_ends_the_process_and_is_known_after(
    tmp_path: Path, case: str, codes: set[int]
) -> None:
    code, said = lives(tmp_path, case)
    assert code in codes
    assert said == [["deaths", ""], ["steady", "fine"]]
    ended, said = lives(tmp_path, "good")
    assert (ended, said[0]) == (0, ["deaths", ["shaky", 1], ""])


def test_after_two_deaths_no_turn_is_run_again_until_it_works(tmp_path: Path) -> None:
    _, said = lives(tmp_path, "kill", "kill", "good")
    assert said[0] == ["deaths", ["shaky", 2], "this process died again and again in shaky"]
    assert lives(tmp_path, "good")[1][0] == ["deaths", ""], "somebody resumed it, and it worked"


def test_deaths_are_forgotten_after_an_hour_and_a_clean_end_is_none(tmp_path: Path) -> None:
    clock = ManualClock(1)
    for _ in range(2):
        crumb = Crumb(tmp_path, clock.wall_ns())
        crumb.enter("trend")
        crumb.close()
    clock.advance(WITHIN_NS - 1)
    crumb = Crumb(tmp_path, clock.wall_ns())
    assert crumb.deaths == (("trend", 2),)
    crumb.enter("other")
    crumb.leave()
    crumb.close()
    clock.advance(1)
    crumb = Crumb(tmp_path, clock.wall_ns())
    assert crumb.deaths == (("trend", 1),)
    crumb.close()


def test_a_strategy_that_works_most_times_keeps_its_deaths(tmp_path: Path) -> None:
    for _ in range(2):
        crumb = Crumb(tmp_path, 0)
        crumb.enter("trend")
        crumb.leave()
        crumb.forgive("trend")
        crumb.enter("trend")
        crumb.close()
    crumb = Crumb(tmp_path, 0)
    assert crumb.deaths == (("trend", 2),)
    crumb.close()


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"trend": "x"}'])
def test_a_damaged_file_of_deaths_keeps_nobody_from_starting(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "engine.deaths").write_bytes(text)
    (tmp_path / "engine.crumb").write_bytes(text)
    crumb = Crumb(tmp_path, 0)
    assert crumb.deaths == ()
    crumb.close()
