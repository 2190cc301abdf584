"""Recovery: what is exact, what is folded, and that neither loses or repeats an input."""

from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from bus.errors import JournalError
from bus.memory import MemoryJournals
from bus.outlet import Outlet
from bus.past import Past, Said, in_order
from bus.pulse import Progress, Pulse
from bus.recovery import Snapshot, recover
from bus.runner import RERUN_MAX, Runner
from bus.service import Parts
from schema.frame import position
from schema.house import Command, ProcessState, Recovered, Started
from schema.streams import STREAMS, owned_by
from tests.bus.toy import Books, Desk, Ledger, Shelf, Toy, intent, launch, records, settle, verdict

EVENT, INTENT, VERDICT = STREAMS["risk.event"], STREAMS["engine.intent"], STREAMS["risk.verdict"]
CHANGE = ProcessState(ts_event=1, program="engine", state="EXITED", before="RUNNING")


class Watchful(Toy):
    """Hears a stream that no journal has, too."""

    hears: ClassVar[tuple[str, ...]] = ("engine.intent", "warden.process")


@pytest.fixture(params=["memory", "disk"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, request.param)


def killed(desk: Desk) -> Books:
    """End the process without a word and return the books that went with it."""
    desk.hub.places[-1].close()
    books: Books = desk.toy.state
    return books


def files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


def grade(desk: Desk) -> str:
    settle(desk.runner)
    started = desk.toy.heard[0]
    assert isinstance(started, Started)
    return started.grade


def test_after_a_clean_stop_recovery_is_exact(desk: Desk) -> None:
    desk.start().story(1, 4)
    desk.runner.stop("told to stop")
    books = killed(desk)
    desk.start()
    assert desk.toy.state == books
    assert grade(desk) == "exact"
    desk.story(4, 6)
    books = killed(desk)
    desk.start()
    assert desk.toy.state == books
    assert grade(desk) == "exact"


def test_who_has_run_many_turns_again_keeps_where_it_came_to(desk: Desk) -> None:
    desk.start().story(1, RERUN_MAX + 10)
    killed(desk)
    assert desk.journals.load_snapshot("risk") is None
    desk.start()
    kept = desk.journals.load_snapshot("risk")
    assert kept is not None
    snapshot = msgspec.msgpack.decode(kept, type=Snapshot)
    assert snapshot.turn > RERUN_MAX
    assert msgspec.msgpack.decode(snapshot.state, type=Books) == desk.toy.state


def test_a_snapshot_that_is_asked_for_holds_no_input_that_waits(desk: Desk) -> None:
    desk.start().story(1, 3)
    desk.source.say(50)
    place = desk.hub.places[-1]
    place.asked.append(Command(request_id="1", verb="snapshot", args=(), by="me"))
    desk.runner._hear()  # Killed here: the snapshot is kept, the turn never happened.
    assert place.answers[-1].ok
    killed(desk)
    desk.start()
    settle(desk.runner)
    assert desk.toy.state.total == 5


def test_what_turns_heard_and_no_journal_has_is_heard_again(desk: Desk) -> None:
    toy = Watchful()
    runner = launch(Parts(toy), desk.journals, desk.hub, desk.clock, desk.path)
    desk.source.say(1)
    settle(runner)
    Outlet("warden", desk.hub.join(()), desk.clock).say([CHANGE])
    settle(runner)
    desk.source.say(2)
    settle(runner)
    again = Watchful()
    launch(Parts(again), desk.journals, desk.hub, desk.clock, desk.path)
    assert again.state == toy.state
    assert again.heard == toy.heard
    assert CHANGE in again.heard


def test_inputs_that_are_gone_make_the_recovery_folded(tmp_path: Path) -> None:
    desk = Desk(tmp_path).start()
    desk.story(1, 4)
    desk.runner.snapshot()
    desk.story(4, 6)
    books = killed(desk)
    assert isinstance(desk.journals, MemoryJournals)
    desk.journals.tape(INTENT).forget(desk.journals.tape(INTENT).last())
    desk.start()
    assert (desk.toy.state.total, desk.toy.state.states) == (books.total, books.states)
    assert grade(desk) == "folded"
    (note,) = [m for m in records(desk.journals, VERDICT.name) if isinstance(m, Recovered)]
    assert "no longer kept" in note.missing


def test_windows_are_emptied_before_they_are_filled_anew(desk: Desk) -> None:
    desk.start().story(1, 2)
    desk.runner.snapshot()
    assert desk.toy.state.window == [1, 101]
    books = killed(desk)
    desk.start(code="two")
    assert desk.toy.state == books


def test_books_of_another_shape_are_folded_from_the_beginning(desk: Desk) -> None:
    desk.start().story(1, 4)
    desk.runner.stop("told to stop")
    books = killed(desk)
    kept = desk.journals.load_snapshot("risk")
    assert kept is not None
    snapshot = msgspec.msgpack.decode(kept, type=Snapshot)
    former = msgspec.msgpack.encode({"states": books.states, "window": books.window})
    for shape in (0, snapshot.shape + 1):  # The release before this had no word for it.
        older = msgspec.structs.replace(snapshot, code="zero", state=former, shape=shape)
        desk.journals.save_snapshot("risk", msgspec.msgpack.encode(older))
        desk.start(code="two")
        assert desk.toy.state == books
        assert grade(desk) == "folded"


def test_with_other_settings_turns_are_not_run_again(desk: Desk) -> None:
    desk.start(settings="limit 1").story(1, 3)
    books = killed(desk)
    desk.start(settings="limit 2")
    assert desk.toy.state == books
    assert grade(desk) == "folded"


def test_a_clock_that_was_set_back_does_not_turn_a_stream_round() -> None:
    def said(pos: int, ts_ns: int, name: str) -> Said:
        return Said(STREAMS[name], pos, ts_ns, verdict(str(pos)))

    verdicts = [said(1, 100, "risk.verdict"), said(2, 40, "risk.verdict")]
    events = [said(1, 90, "risk.event"), said(2, 110, "risk.event")]
    found = [(one.stream.name, one.pos) for one in in_order([events, verdicts])]
    assert found.index(("risk.verdict", 1)) < found.index(("risk.verdict", 2))
    assert found[0] == ("risk.event", 1)
    assert found[-1] == ("risk.event", 2)


def test_it_reads_what_was_heard_once_and_lets_go_of_every_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "disk").start()
    desk.story(1, 100)
    killed(desk)
    before = files()
    desk.start()
    # Each stream has a writer now, or a reader that follows it.
    assert files() <= before + 3


@pytest.mark.parametrize("code", ["one", "two"])
def test_it_gives_signs_of_life_while_it_reads(desk: Desk, code: str) -> None:
    desk.start().story(1, 3)
    beats: list[int] = []
    own = [stream for stream in owned_by("risk") if stream.journaled]
    recover(Toy(), own, desk.journals, code, lambda: beats.append(1))
    assert len(beats) >= len(own) + 1


def test_the_past_is_read_from_behind_a_position_in_the_middle_of_a_frame(desk: Desk) -> None:
    desk.source.say(1, 2, 3)
    past = Past(desk.journals, lambda: None)
    first = next(one for one in past.since(INTENT, 0) if one.message == intent(1))
    assert [one.message for one in past.since(INTENT, first.pos)] == [intent(2), intent(3)]


def sink(desk: Desk, pos: int) -> Runner:
    """Return a sink that stands at a position of the engine's stream."""
    shelf = Shelf()
    shelf.kept = {INTENT.number: pos}
    return launch(Parts(Ledger(), store=shelf), desk.journals, desk.hub, desk.clock, desk.path)


def beat(desk: Desk, last: int) -> None:
    """Say a heartbeat of the engine that names the last position of its stream."""
    pulse = Pulse("engine", desk.hub.join(()), desk.clock)
    pulse.progress = lambda: Progress(last=((INTENT.number, last),))
    pulse.beat()


def test_a_journal_that_is_not_the_one_that_was_read_stops_the_reader(desk: Desk) -> None:
    runner = sink(desk, position(7, 3))
    desk.source.say(1)
    beat(desk, position(1, 1))
    with pytest.raises(JournalError, match="ends in an earlier epoch"):
        runner.turn()


def test_a_heartbeat_that_comes_late_is_no_other_journal(desk: Desk) -> None:
    desk.source.say(1)
    runner = sink(desk, position(1, 1))
    type(desk.source)(desk.journals, desk.hub, desk.clock).say(2)
    settle(runner)
    beat(desk, position(1, 1))
    settle(runner)
    assert runner.pulse.heartbeat().cursors == ((INTENT.number, position(2, 1)),)
