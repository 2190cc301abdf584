"""The bridge: every effect has one answer, a failed edge is said, a full inbox waits."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bus.clock import SystemClock
from bus.edge import HANG_MS, INBOX_MAX, TAKE_MAX, EdgeThread
from bus.errors import EdgeError, SettingsError
from bus.service import Bridge, Edge
from schema.head import Effect, Local
from schema.house import EdgeFailed, Timer, Unanswered

DEADLINE_NS = 10_000_000_000


class Ask(Effect, tag=250, frozen=True, kw_only=True):
    how: str


class Answer(Local, tag=251, frozen=True, kw_only=True):
    effect_id: str


class Waiting(Edge):
    async def run(self, bridge: Bridge) -> None:
        bridge.ready(None)
        await asyncio.Event().wait()

    async def perform(self, effect: Effect) -> Local:
        assert isinstance(effect, Ask)
        if effect.how == "never":
            await asyncio.Event().wait()
        if effect.how == "refused":
            raise EdgeError("the exchange said no", "Ask again later")
        if effect.how == "defect":
            raise KeyError("spot")
        return Answer(effect_id=effect.effect_id)


class Later(SystemClock):
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        super().__init__()
        self.later_ns = 0
        self.started_ns = self.mono_ns()

    def mono_ns(self) -> int:
        return super().mono_ns() + self.later_ns


class Grouped(Edge):
    """Does its work in a group of tasks, as most edges do; one of them is refused."""

    async def run(self, bridge: Bridge) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait())
            tasks.create_task(self._refused())

    async def _refused(self) -> None:
        raise SettingsError("the key is missing", "Put it there")


class Ending(Edge):
    async def run(self, bridge: Bridge) -> None:
        bridge.note("ending", soon=True)


class Cancelled(Waiting):
    """Waits for something that another task cancels."""

    def __init__(self, *, in_run: bool) -> None:
        self.in_run = in_run

    async def run(self, bridge: Bridge) -> None:
        if self.in_run:
            await self.lost()
        await super().run(bridge)

    async def perform(self, effect: Effect) -> Local:
        await self.lost()
        return Answer(effect_id=effect.effect_id)

    async def lost(self) -> None:
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost


class Hanging(Edge):
    """Holds its loop up until it is let go."""

    def __init__(self, go: threading.Event) -> None:
        self.go = go

    async def run(self, bridge: Bridge) -> None:
        bridge.ready(None)
        self.go.wait()
        await asyncio.Event().wait()


class Flooding(Edge):
    def __init__(self, count: int) -> None:
        self.count = count

    async def run(self, bridge: Bridge) -> None:
        for n in range(self.count):
            await bridge.hear(Timer(name="n", at_ns=n))
        await asyncio.Event().wait()


@contextmanager
def running(edge: Edge) -> Iterator[EdgeThread]:
    thread = EdgeThread(edge, SystemClock())
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()


def until(thread: EdgeThread, enough: Callable[[list[Local]], bool]) -> list[Local]:
    clock = SystemClock()
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    taken: list[Local] = []
    while not enough(taken):
        assert clock.mono_ns() < deadline_ns, f"only {len(taken)} inputs came"
        taken += thread.take()
    return taken


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ("answered", Answer(effect_id="1")),
        ("never", Unanswered(effect_id="1", reason="no answer within 50 ms")),
        ("refused", Unanswered(effect_id="1", reason="the exchange said no. Ask again later")),
    ],
)
def test_every_effect_gets_exactly_one_answer(how: str, answer: Local) -> None:
    with running(Waiting()) as thread:
        thread.perform(Ask(effect_id="1", how=how, timeout_ms=50))
        thread.perform(Ask(effect_id="2", how="answered"))
        taken = until(thread, lambda taken: len(taken) == 2)
        assert sorted(map(repr, taken)) == sorted(map(repr, [answer, Answer(effect_id="2")]))


def test_a_defect_in_an_effect_fails_the_edge() -> None:
    with running(Waiting()) as thread:
        thread.perform(Ask(effect_id="1", how="defect"))
        (failed,) = until(thread, lambda taken: len(taken) == 1)
        assert failed == EdgeFailed(task="Ask", error="KeyError: 'spot'")
        assert isinstance(thread.failure, KeyError)


def test_an_edge_that_ends_by_itself_has_failed() -> None:
    with running(Ending()) as thread:
        (failed,) = until(thread, lambda taken: len(taken) == 1)
        assert isinstance(failed, EdgeFailed)
        assert "ended by itself" in failed.error
        assert ("ending", {"soon": True}) in thread.notes()


def test_what_fails_in_a_group_of_tasks_is_told_as_itself() -> None:
    with running(Grouped()) as thread:
        (failed,) = until(thread, lambda taken: len(taken) == 1)
        told = "SettingsError: the key is missing. Put it there"
        assert failed == EdgeFailed(task="run", error=told)
        assert isinstance(thread.failure, SettingsError)


@pytest.mark.parametrize(("in_run", "task"), [(True, "run"), (False, "Ask")])
def test_what_is_cancelled_under_an_edge_fails_it_and_is_not_lost(
    task: str, *, in_run: bool
) -> None:
    with running(Cancelled(in_run=in_run)) as thread:
        thread.perform(Ask(effect_id="1", how="answered"))
        failed = until(thread, lambda taken: len(taken) >= 1)[0]
        assert isinstance(failed, EdgeFailed)
        assert failed.task == task
        assert "cancelled" in failed.error
        assert isinstance(thread.failure, EdgeError)


def test_a_service_that_stops_its_edge_has_not_failed() -> None:
    with running(Waiting()) as thread:
        thread.perform(Ask(effect_id="1", how="never"))
        thread.perform(Ask(effect_id="2", how="answered"))
        until(thread, lambda taken: len(taken) == 1)
    assert thread.failure is None
    assert thread.notes() == []


def test_an_edge_that_hangs_cannot_work() -> None:
    go = threading.Event()
    clock = Later()
    thread = EdgeThread(Hanging(go), clock)
    thread.start()
    while thread.why_not is not None:
        assert clock.mono_ns() < clock.started_ns + DEADLINE_NS
    clock.later_ns = (HANG_MS + 1_000) * 1_000_000
    assert "hangs" in str(thread.why_not)
    go.set()
    thread.stop()


def test_a_full_inbox_makes_the_edge_wait_and_loses_nothing() -> None:
    count = INBOX_MAX + 3 * TAKE_MAX
    with running(Flooding(count)) as thread:
        taken = until(thread, lambda taken: len(taken) == count)
        assert [timer.at_ns for timer in taken if isinstance(timer, Timer)] == list(range(count))


def test_an_edge_says_when_it_can_work() -> None:
    with running(Waiting()) as thread:
        clock = SystemClock()
        deadline_ns = clock.mono_ns() + DEADLINE_NS
        while thread.why_not is not None:
            assert clock.mono_ns() < deadline_ns
        assert thread.age_ms() < 1000
