"""The loop: hears → says, turns, and both grades of recovery, on the memory bus."""

from pathlib import Path

import pytest

from bus.journals import Journals
from bus.memory import MemoryJournals
from bus.record import JournalReader, JournalWriter
from bus.service import Parts
from schema.house import Alert, Command, Inputs, Recovered, Started
from schema.messages import decode, inline_decoder
from schema.streams import STREAMS, Stream
from schema.trading import Verdict
from tests.bus.toy import Desk, Ledger, Shelf, Toy, Watch, launch, records, said, settle, verdict

OUTPUTS = ("risk.verdict", "risk.event")


class Killed(BaseException):
    """A kill -9: nothing in the process gets to run."""


class Fragile(Journals):
    """Journals that end the process just before, or just after, the n-th append."""

    def __init__(self, inner: Journals, appends_left: int, *, after: bool) -> None:
        self.inner = inner
        self.boot_id = inner.boot_id
        self.left = appends_left
        self.after = after

    def open_epoch(self, service: str) -> int:
        return self.inner.open_epoch(service)

    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        writer = self.inner.writer(stream, epoch, code)
        append = writer.append

        def counted(messages: list[object]) -> list[bytes]:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Killed
            frames = append(messages)  # type: ignore[arg-type]
            if self.left == 0:
                raise Killed
            return frames

        writer.append = counted  # type: ignore[method-assign,assignment]
        return writer

    def reader(self, stream: Stream) -> JournalReader:
        return self.inner.reader(stream)

    def load_snapshot(self, service: str) -> bytes | None:
        return self.inner.load_snapshot(service)

    def save_snapshot(self, service: str, data: bytes) -> None:
        self.inner.save_snapshot(service, data)


@pytest.fixture(params=["memory", "disk"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, request.param)


def test_what_is_heard_leads_to_what_is_said_with_its_cause_and_trace(desk: Desk) -> None:
    desk.start()
    desk.source.say(7)
    settle(desk.runner)
    (raw,) = said(desk.journals, "risk.verdict")
    (verdict,) = decode(STREAMS["risk.verdict"].number, raw)
    assert isinstance(verdict, Verdict)
    assert verdict.trace == 1007
    assert verdict.cause[0] == STREAMS["engine.intent"].number
    assert desk.toy.state.total == 1


def test_the_first_input_of_an_epoch_is_started(desk: Desk) -> None:
    desk.source.say(1)
    desk.start()
    settle(desk.runner)
    assert desk.toy.heard[0] == Started(epoch=1, grade="fresh")


def test_a_turn_is_recorded_before_what_it_led_to(desk: Desk) -> None:
    desk.start()
    desk.source.say(3)
    settle(desk.runner)
    told = records(desk.journals, "risk.event")
    turn = next(m for m in told if isinstance(m, Inputs) and m.slices)
    assert turn.slices[0][0] == STREAMS["engine.intent"].number
    assert turn.code == "one."


def test_a_turn_costs_no_sync_of_the_strongest_stream_that_it_does_not_write_to(desk: Desk) -> None:
    desk.start()
    desk.source.say(1)  # The toy says a verdict alone.
    settle(desk.runner)
    assert records(desk.journals, "risk.event") == []
    turn, told = records(desk.journals, "risk.verdict")
    assert isinstance(turn, Inputs)
    assert isinstance(told, Verdict)


def test_a_silent_turn_is_recorded_after_a_second_at_the_latest(desk: Desk) -> None:
    desk.start()
    settle(desk.runner)
    weakest = STREAMS["risk.verdict"]
    before = desk.journals.reader(weakest).last()
    desk.clock.advance(1_100_000_000)
    settle(desk.runner)
    (frame,) = desk.journals.reader(weakest).read(before)
    (turn,) = decode(weakest.number, frame.body)
    assert isinstance(turn, Inputs)
    assert isinstance(inline_decoder().decode(turn.local[0][1]), Started)


def test_a_command_is_answered_and_status_needs_no_core(desk: Desk) -> None:
    desk.start()
    place = desk.hub.places[-1]
    place.asked.append(Command(request_id="1", verb="total", args=(), by="me"))
    place.asked.append(Command(request_id="2", verb="status", args=(), by="me"))
    settle(desk.runner)
    answers = {done.request_id: done for done in place.answers}
    assert answers["1"].text == "0"
    assert answers["2"].text == "CATCHING_UP"


def test_it_is_ready_when_it_has_caught_up(desk: Desk) -> None:
    desk.source.say(1, 2, 3)
    desk.start()
    settle(desk.runner)
    desk.runner.turn()
    assert desk.runner.pulse.state == "READY"


def uninterrupted(path: Path) -> dict[str, list[bytes]]:
    desk = Desk(path).start()
    desk.story(1, 9)
    return {name: said(desk.journals, name) for name in OUTPUTS}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("appends", range(1, 24))
def test_killed_at_any_append_it_says_the_same_byte_for_byte(
    tmp_path: Path, appends: int, *, after: bool
) -> None:
    desk = Desk(tmp_path / "killed")
    try:
        desk.start(Fragile(desk.journals, appends, after=after))
        for qty in range(1, 9):
            desk.source.say(qty, qty + 100)
            desk.clock.advance(20)
            settle(desk.runner)
    except Killed:
        desk.hub.places[-1].close()
        desk.start()
        settle(desk.runner)
        desk.story(qty + 1, 9)
    whole = uninterrupted(tmp_path / "whole")
    for name in OUTPUTS:
        assert said(desk.journals, name) == whole[name]
    assert desk.toy.state.total == 16


def test_recovery_is_exact_while_kernel_and_code_are_the_same(desk: Desk) -> None:
    desk.start().story(1, 6)
    books = desk.toy.state
    desk.hub.places[-1].close()
    desk.start()
    assert desk.toy.state == books
    settle(desk.runner)
    assert Started(epoch=2, grade="exact") in desk.toy.heard


def test_recovery_goes_on_from_a_snapshot(desk: Desk) -> None:
    desk.start().story(1, 6)
    desk.runner.snapshot()
    desk.story(6, 9)
    books = desk.toy.state
    desk.hub.places[-1].close()
    desk.start()
    assert desk.toy.state == books
    settle(desk.runner)
    assert Started(epoch=2, grade="exact") in desk.toy.heard


def test_other_code_folds_the_books_and_refills_the_windows(desk: Desk) -> None:
    desk.start().story(1, 6)
    books = desk.toy.state
    desk.hub.places[-1].close()
    desk.start(code="two")
    assert desk.toy.state == books
    settle(desk.runner)
    assert Started(epoch=2, grade="folded") in desk.toy.heard
    (note,) = [m for m in records(desk.journals, "risk.verdict") if isinstance(m, Recovered)]
    assert note.missing == "the code or a setting is another"


def test_after_a_restart_of_the_machine_it_folds(desk: Desk) -> None:
    desk.start().story(1, 6)
    total = desk.toy.state.total
    desk.hub.places[-1].close()
    desk.journals.boot_id = "another boot"
    desk.start()
    assert desk.toy.state.total == total


def test_a_journal_that_no_turn_explains_stops_the_service(desk: Desk) -> None:
    desk.start().story(1, 4)
    desk.hub.places[-1].close()
    epoch = desk.journals.open_epoch("risk")
    desk.journals.writer(STREAMS["risk.verdict"], epoch, "one").append([verdict("forged")])
    with pytest.raises(AssertionError, match="said by no turn"):
        desk.start()


def test_a_turn_that_decides_otherwise_when_run_again_stops_the_service(desk: Desk) -> None:
    desk.start().story(1, 4)
    desk.hub.places[-1].close()
    changed = Toy()
    changed.state.window = [1]
    with pytest.raises(AssertionError, match="run again, the turn says"):
        launch(Parts(changed), desk.journals, desk.hub, desk.clock, desk.path)


@pytest.mark.parametrize("break_at", [0, 2, 5])
def test_a_sink_killed_before_its_commit_has_every_row_once(tmp_path: Path, break_at: int) -> None:
    desk = Desk(tmp_path)
    shelf = Shelf()
    shelf.break_at = break_at
    runner = launch(Parts(Ledger(), store=shelf), desk.journals, desk.hub, desk.clock, tmp_path)
    for qty in range(8):
        desk.source.say(qty)
        try:
            settle(runner)
        except OSError:
            desk.hub.places[-1].close()
            runner = launch(
                Parts(Ledger(), store=shelf), desk.journals, desk.hub, desk.clock, tmp_path
            )
    settle(runner)
    assert shelf.rows == list(range(8))


def test_a_lost_frame_is_read_from_the_journal(desk: Desk) -> None:
    desk.start()
    place = desk.hub.places[-1]
    for qty in range(1, 7):
        desk.source.say(qty)
        if qty % 2:
            place.inbox.clear()
    desk.clock.advance(1_100_000_000)
    settle(desk.runner)
    assert desk.toy.state.total == 6


def test_after_a_power_cut_it_folds_what_reached_the_disk_and_goes_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path).start()
    assert isinstance(desk.journals, MemoryJournals)
    desk.story(1, 9)
    events = said(desk.journals, "risk.event")
    for name in OUTPUTS:
        desk.journals.tape(STREAMS[name]).cut_power()
    desk.hub.places[-1].close()
    desk.journals.boot_id = "after the power cut"
    desk.start()
    settle(desk.runner)
    assert said(desk.journals, "risk.event") == events, "class A lost something"
    survived = len(said(desk.journals, "risk.verdict"))
    assert desk.toy.state.total == survived < 16
    desk.source.say(50)
    settle(desk.runner)
    assert desk.toy.state.total == survived + 1


def test_a_sink_that_rereads_folds_its_alerts_and_records_no_turns(desk: Desk) -> None:
    heard = [1, 2]
    desk.source.say(*heard)
    desk.start()
    settle(desk.runner)
    for qty, alerts in ((3, 3), (4, 3 + 4)):
        watch = Watch()
        runner = launch(Parts(watch), desk.journals, desk.hub, desk.clock, desk.path)
        desk.source.say(qty)
        heard.append(qty)
        settle(desk.runner)
        settle(runner)
        assert (watch.seen, watch.state.total, watch.verdicts) == (heard, alerts, 1)
        runner.stop("it is started again")
        desk.hub.places[-1].close()
    assert {type(message) for message in records(desk.journals, "monitor.alert")} == {Alert}
