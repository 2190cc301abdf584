"""What a call may not do to its process, and what is put back when it did."""

import ctypes
import decimal
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select

import msgspec
import numpy as np
import pytest

from bus.clock import SystemClock
from bus.process import Exit
from services.engine.edge import EXIT_CODE, Overran, Watched

CALL_MS = 50


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Watched]:
    guard = Watched(tmp_path, SystemClock(), CALL_MS, 128)
    try:
        yield guard
    finally:
        guard.close()


def start_a_thread() -> None:
    threading.Thread(target=print).start()


@pytest.mark.parametrize(
    "call",
    [
        os.fork,
        start_a_thread,
        lambda: os.system("true"),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
        lambda: sys.settrace(None),
        lambda: sys.setrecursionlimit(10**9),
    ],
)
def test_what_would_outlive_a_call_is_refused(guard: Watched, call: Callable[[], object]) -> None:
    with pytest.raises(PermissionError, match="a strategy "):
        guard.run("trend", call)


def test_the_house_may_do_all_of_it_between_two_calls(guard: Watched) -> None:
    guard.run("trend", str)
    start_a_thread()
    sys.setrecursionlimit(sys.getrecursionlimit())
    assert os.system("true") == 0


def test_signal_handlers_and_gc_are_put_back(guard: Watched) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def disturb() -> None:
        gc.disable()
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGPROF):
            signal.signal(number, signal.SIG_IGN)

    with pytest.raises(RuntimeError, match="signal handlers or gc"):
        guard.run("trend", disturb)
    assert gc.isenabled()
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(Overran):
        guard.run("trend", lambda: select([], [], [], 60))


def test_how_a_call_reckons_ends_with_it(guard: Watched) -> None:
    def disturb() -> None:
        decimal.getcontext().prec = 2
        np.seterr(all="raise")

    guard.run("trend", disturb)
    assert decimal.getcontext().prec > 2
    assert np.geterr()["over"] == "warn"


def test_a_copy_of_the_process_ends_with_the_call(guard: Watched, tmp_path: Path) -> None:
    library = ctypes.CDLL(None)
    guard.run("trend", lambda: (tmp_path / "child").write_text(str(library.fork())))
    # The copy writes a 0, and never comes here.
    _, status = os.wait()
    assert os.waitstatus_to_exitcode(status) == EXIT_CODE


def test_two_that_sleep_share_one_patience(guard: Watched) -> None:
    clock = SystemClock()
    begun_ns = clock.mono_ns()
    for _ in range(3):
        with pytest.raises(Overran, match="ms in all"):
            guard.run("trend", lambda: select([], [], [], 60))
    assert clock.mono_ns() - begun_ns < 2 * 10 * CALL_MS * 1_000_000


def test_after_an_error_no_call_is_made_again_by_the_way_back(tmp_path: Path) -> None:
    last, clock = tmp_path / "engine.exit", SystemClock()
    for code, folds in ((0, False), (1, True), (74, False)):
        last.write_bytes(msgspec.json.encode(Exit(code, "it ended", clock.wall_ns())))
        guard = Watched(tmp_path, clock, CALL_MS, 128)
        assert bool(guard.fold) is folds
        guard.close()


def test_an_error_of_a_life_before_the_last_holds_nothing_back(tmp_path: Path) -> None:
    clock = SystemClock()
    word = Exit(1, "it ended", clock.wall_ns())
    (tmp_path / "engine.exit").write_bytes(msgspec.json.encode(word))
    clock.pause_ms(20)  # A file's time is a little coarser than the clock.
    for folds in (True, False):  # The one that came back was killed, and has said nothing.
        guard = Watched(tmp_path, clock, CALL_MS, 128)
        assert bool(guard.fold) is folds
        guard.close()
