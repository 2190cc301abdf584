"""What a core learnt of an input once: recorded before it, and heard when a turn is run again."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from bus.service import Heard, Parts, Said
from bus.turn import record, run_turn
from schema.head import Local
from schema.house import Inputs, Recovered, Started
from schema.messages import inline_decoder
from schema.strategy import StrategiesOffered, StrategyFell
from schema.streams import STREAMS
from schema.trading import OrderIntent, RiskState
from tests.bus.test_runner import OUTPUTS, Fragile, Killed
from tests.bus.toy import Desk, Ledger, Shelf, Toy, intent, launch, records, said, settle

OFFERED = StrategiesOffered(offers=(), deaths=(("trend", 1),))


def fell(qty: int) -> StrategyFell:
    return StrategyFell(strategy="toy", symbol="", moment=str(qty), reason="it fell", detail="")


class Shaky(Toy):
    """Fails whenever its luck says so, which no state knows."""

    def __init__(self, luck: Iterator[bool]) -> None:
        super().__init__()
        self.luck = luck
        self.calls = 0
        self.told: set[str] = set()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if isinstance(message, StrategyFell):
            self.heard.append(message)
            self.told.add(message.moment)
            return []
        if not isinstance(message, OrderIntent):
            return super().handle(message, now_ns)
        if str(message.qty) in self.told:
            return self._failed(message.qty, now_ns)
        self.calls += 1
        if next(self.luck):
            return [*self._failed(message.qty, now_ns), fell(message.qty)]
        return super().handle(message, now_ns)

    def _failed(self, qty: int, now_ns: int) -> list[Said]:
        self.state.window = [*self.state.window, -qty][-5:]
        return [RiskState(ts_event=now_ns, state="ACTIVE", reason=f"{qty} failed")]


class Foreign(Shaky):
    """Its turns may decide otherwise when they are run again."""

    foreign: ClassVar[bool] = True


def every(nth: int) -> Iterator[bool]:
    return (number % nth == 0 for number in count(1))


def never() -> Iterator[bool]:
    return (False for _ in count())


def start(desk: Desk, toy: Shaky, first: tuple[Local, ...] = (), fold: str = "") -> Shaky:
    desk.toy = toy
    parts = Parts(toy, first=first, fold=fold)
    desk.runner = launch(parts, desk.journals, desk.hub, desk.clock, desk.path)
    return toy


def again(desk: Desk, toy: Shaky) -> Shaky:
    desk.hub.places[-1].close()
    return start(desk, toy)


def outputs(desk: Desk) -> dict[str, list[bytes]]:
    return {name: said(desk.journals, name) for name in OUTPUTS}


@pytest.fixture(params=["memory", "disk"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, request.param)


def test_what_was_noticed_is_recorded_before_its_input(desk: Desk) -> None:
    start(desk, Shaky(every(2)))
    settle(desk.runner)
    desk.source.say(1, 2, 4)
    settle(desk.runner)
    turns = [m for name in OUTPUTS for m in records(desk.journals, name) if isinstance(m, Inputs)]
    turn = next(m for m in turns if m.slices)
    number, first = STREAMS["engine.intent"].number, turn.slices[0][1]
    assert turn.slices == ((number, first, first), (number, first + 1, first + 2))
    assert [(at, inline_decoder().decode(packed)) for at, packed in turn.local] == [(1, fell(2))]


def test_several_of_one_input_stay_in_their_order() -> None:
    class Both(Toy):
        def handle(self, message: Said, now_ns: int) -> list[Said]:
            return [fell(7), fell(8)] if isinstance(message, OrderIntent) else []

    heard = [Heard(Started(epoch=1, grade="fresh")), Heard(intent(1), 20, 5)]
    outcome = run_turn(Both(), heard, 0)
    turn = record(1, 0, "", heard, outcome.noticed)
    assert (outcome.said, outcome.effects) == ([], [])
    assert turn.slices == ((20, 5, 5),)
    assert [at for at, _ in turn.local] == [0, 1, 2]
    assert [inline_decoder().decode(packed) for _, packed in turn.local[1:]] == [fell(7), fell(8)]


@pytest.mark.parametrize("snapshot_at", [0, 4])
def test_a_turn_that_is_run_again_hears_it_and_does_not_try(desk: Desk, snapshot_at: int) -> None:
    first = start(desk, Shaky(every(3)))
    for qty in range(1, 9):
        if qty == snapshot_at:
            desk.runner.snapshot()
        desk.story(qty, qty + 1)
    told = outputs(desk)
    second = again(desk, Shaky(never()))
    assert second.state == first.state
    assert second.calls == len(told["risk.verdict"]) - (4 if snapshot_at else 0)
    settle(desk.runner)
    assert Started(epoch=2, grade="exact") in second.heard
    assert outputs(desk) == told


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("appends", range(1, 24))
def test_killed_at_any_append_it_decides_by_what_was_noticed(
    tmp_path: Path, appends: int, *, after: bool
) -> None:
    desk = Desk(tmp_path)
    whole, qty = desk.journals, 0
    desk.journals = Fragile(whole, appends, after=after)
    try:
        start(desk, Shaky(every(3)))
        for qty in range(1, 9):
            desk.source.say(qty, qty + 100)
            desk.clock.advance(20)
            settle(desk.runner)
            if qty == 4:
                desk.runner.snapshot()
    except Killed:
        desk.journals = whole
        before = outputs(desk)
        toy = again(desk, Shaky(never()))
        settle(desk.runner)
        desk.story(qty + 1, 9)
        for name, told in outputs(desk).items():
            assert told[: len(before[name])] == before[name]
        assert any(isinstance(one, Started) and one.grade != "folded" for one in toy.heard)
    desk.journals = whole
    events = records(whole, "risk.event")
    failed = [m for m in events if isinstance(m, RiskState) and "failed" in m.reason]
    assert len(said(whole, "risk.verdict")) + len(failed) == 16
    assert again(desk, Shaky(never())).state.total == len(said(whole, "risk.verdict"))


def test_a_sink_has_nothing_that_is_run_again(tmp_path: Path) -> None:
    class Noticing(Ledger):
        def handle(self, message: Said, now_ns: int) -> list[Said]:
            return [fell(1)] if isinstance(message, OrderIntent) else []

    desk = Desk(tmp_path)
    parts = Parts(Noticing(), store=Shelf())
    runner = launch(parts, desk.journals, desk.hub, desk.clock, tmp_path)
    desk.source.say(1)
    with pytest.raises(AssertionError, match="is for turns that are run again"):
        settle(runner)


def test_what_a_service_starts_with_is_heard_right_after_started(desk: Desk) -> None:
    desk.source.say(1)
    toy = start(desk, Shaky(never()), first=(OFFERED,))
    settle(desk.runner)
    assert toy.heard[:3] == [Started(epoch=1, grade="fresh"), OFFERED, intent(1)]
    second = again(desk, Shaky(never()))
    assert second.heard == toy.heard


def test_somebodys_code_that_decides_otherwise_costs_one_start(desk: Desk) -> None:
    first = start(desk, Foreign(never()))
    desk.story(1, 4)
    told = outputs(desk)
    with pytest.raises(AssertionError, match="run again, the turn says"):
        again(desk, Foreign(every(2)))
    third = again(desk, Foreign(every(2)))
    assert (third.calls, third.state.total) == (0, first.state.total)
    settle(desk.runner)
    assert isinstance(third.heard[0], Started) and third.heard[0].grade == "folded"
    assert outputs(desk) == told
    (note,) = [m for m in records(desk.journals, "risk.verdict") if isinstance(m, Recovered)]
    assert note.missing == "a turn decided otherwise when it was run again"


def test_the_houses_own_code_that_decides_otherwise_stays_down(desk: Desk) -> None:
    start(desk, Shaky(never()))
    desk.story(1, 4)
    for _ in range(2):
        with pytest.raises(AssertionError, match="run again, the turn says"):
            again(desk, Shaky(every(2)))


def test_a_start_may_ask_for_no_turn_to_be_run_again(desk: Desk) -> None:
    first = start(desk, Shaky(never()))
    desk.story(1, 4)
    desk.hub.places[-1].close()
    second = start(desk, Shaky(never()), fold="the last lives ended in trend")
    assert (second.calls, second.state) == (0, first.state)
    (note,) = [m for m in records(desk.journals, "risk.verdict") if isinstance(m, Recovered)]
    assert note.missing == "the last lives ended in trend"
