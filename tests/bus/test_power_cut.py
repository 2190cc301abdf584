"""Power goes at any moment: the journals end where they were synced, or anywhere behind it.

A processor then folds what stands; what it had said of money stands, and nothing is said twice.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from bus.memory import MemoryJournals, Tape
from bus.outlet import Outlet
from bus.service import Parts
from schema.frame import Kind
from schema.house import Inputs, Recovered, Started
from schema.streams import STREAMS
from schema.trading import RiskState, Verdict
from tests.bus.toy import Desk, Ledger, Shelf, launch, records, said, settle

EVENT, VERDICT, INTENT = (STREAMS[n] for n in ("risk.event", "risk.verdict", "engine.intent"))
OWN = ("risk.verdict", "risk.event")
CUTS = 5


def journals(desk: Desk) -> MemoryJournals:
    assert isinstance(desk.journals, MemoryJournals)
    return desk.journals


def lose_power(desk: Desk, chance: random.Random) -> None:
    """Take what was not synced, or only the end of it; the machine starts anew."""
    for tape in journals(desk).tapes.values():
        unsynced = len(tape.frames) - tape.synced
        tape.cut_power(chance.randint(0, unsynced))
    desk.journals.boot_id += "'"
    for place in list(desk.hub.places):
        place.close()


def start_again(desk: Desk) -> None:
    """Start the engine's side and the toy, as the machine does."""
    desk.source = type(desk.source)(desk.journals, desk.hub, desk.clock)
    desk.start()
    settle(desk.runner)


def live(desk: Desk, chance: random.Random, first: int) -> int:
    """Let some intents be judged, with a sync, a snapshot or silence now and then."""
    last = first + chance.randrange(1, 9)
    for qty in range(first, last):
        desk.source.say(qty, qty + 1000)
        desk.clock.advance(chance.choice((20, 30_000_000, 1_200_000_000)))
        if chance.random() < 0.8:
            settle(desk.runner)
        if chance.random() < 0.1:
            desk.runner.snapshot()
    return last


def assert_folded(desk: Desk) -> None:
    """Assert that the books are what stands on the streams, and that nothing stands twice."""
    verdicts = [m for m in records(desk.journals, "risk.verdict") if isinstance(m, Verdict)]
    events = [m for m in records(desk.journals, "risk.event") if isinstance(m, RiskState)]
    assert desk.toy.state.total == len(verdicts)
    assert desk.toy.state.states == len(events)
    twice = [key for key, n in Counter(v.client_order_id for v in verdicts).items() if n > 1]
    assert twice == []


@pytest.mark.parametrize("seed", range(25))
def test_wherever_power_goes_the_books_are_what_stands_and_class_a_lost_nothing(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    desk = Desk(tmp_path).start()
    qty = 1
    for _ in range(CUTS):
        qty = live(desk, chance, qty)
        events = said(desk.journals, "risk.event")
        lose_power(desk, chance)
        assert said(desk.journals, "risk.event") == events, "it was synced before it was sent"
        anything = any(records(desk.journals, name) for name in OWN)
        start_again(desk)
        started = desk.toy.heard[0]
        assert isinstance(started, Started)
        assert started.grade == ("folded" if anything else "fresh")
        assert_folded(desk)
    live(desk, chance, qty)
    settle(desk.runner)
    assert_folded(desk)


@pytest.mark.parametrize("seed", range(10))
def test_an_intent_without_a_verdict_was_judged_in_a_turn_that_stands(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(100 + seed)
    desk = Desk(tmp_path).start()
    qty = 1
    for _ in range(CUTS):
        qty = live(desk, chance, qty)
        lose_power(desk, chance)
        start_again(desk)
    standing = [turn for name in OWN for turn in turns(desk, name)]
    judged = [(first, last) for turn in standing for number, first, last in turn.slices if number]
    answered = {
        message.cause[1]
        for message in records(desk.journals, VERDICT.name)
        if isinstance(message, Verdict)
    }
    # What a turn said of class A stands with the turn; its verdicts may have gone with the power.
    for pos in intents(journals(desk).tape(INTENT)):
        assert pos in answered or any(first <= pos <= last for first, last in judged), pos


def turns(desk: Desk, name: str) -> list[Inputs]:
    """Return the turns that stand in a stream."""
    return [m for m in records(desk.journals, name) if isinstance(m, Inputs)]


def intents(tape: Tape) -> list[int]:
    """Return where the intents stand that no power cut took."""
    data = [frame for frame in tape.frames if frame.kind == Kind.DATA]
    return [pos for frame in data for pos in range(frame.pos, frame.last + 1)]


def test_a_snapshot_never_stands_for_more_than_its_journals(tmp_path: Path) -> None:
    desk = Desk(tmp_path).start()
    desk.story(1, 4)
    tape = journals(desk).tape(VERDICT)
    assert tape.synced < len(tape.frames), "verdicts wait for their sync"
    desk.runner.snapshot()
    assert tape.synced == len(tape.frames)


def test_a_snapshot_that_is_newer_than_its_journals_is_told_from_the_right_one(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path).start()
    desk.story(1, 5)
    tape = journals(desk).tape(VERDICT)
    synced = tape.synced
    desk.runner.snapshot()
    tape.synced = synced  # As if the snapshot had been faster on the disk than what it stands for.
    tape.cut_power()
    desk.journals.boot_id = "another boot"
    desk.hub.places[-1].close()
    desk.start()
    settle(desk.runner)
    with pytest.raises(AssertionError):
        assert_folded(desk)


def test_what_is_said_of_a_fold_says_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path).start()
    desk.story(1, 5)
    lose_power(desk, random.Random(1))
    start_again(desk)
    notes = [m for name in OWN for m in records(desk.journals, name) if isinstance(m, Recovered)]
    assert [note.missing for note in notes] == ["the machine was started since"]


def test_an_outlet_sends_nothing_of_class_a_that_a_power_cut_could_take(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    place = desk.hub.join((EVENT.name, VERDICT.name))
    outlet = Outlet("risk", desk.hub.join(()), desk.clock)
    outlet.open(desk.journals, desk.journals.open_epoch("risk"), "")
    tape = journals(desk).tape(EVENT)
    outlet.say([RiskState(ts_event=1, state="ACTIVE", reason="why")])
    assert tape.synced == len(tape.frames)
    assert place.receive()


def test_a_sink_that_is_ahead_of_a_cut_journal_keeps_its_rows_and_tells(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    ahead, later = Shelf(), Shelf()
    desk.source.say(1, 2)
    journals(desk).tape(INTENT).sync()
    desk.source.say(3)
    settle(launch(Parts(Ledger(), store=ahead), desk.journals, desk.hub, desk.clock, tmp_path))
    assert ahead.rows == [1, 2, 3]
    journals(desk).tape(INTENT).cut_power()  # The sink's own commit had reached the disk.
    desk.hub.places.clear()
    desk.source = type(desk.source)(desk.journals, desk.hub, desk.clock)
    sinks = [
        launch(Parts(Ledger(), store=shelf), desk.journals, desk.hub, desk.clock, tmp_path)
        for shelf in (ahead, later)
    ]
    desk.source.say(4, 5)
    for sink in sinks:
        settle(sink)
    assert (ahead.rows, later.rows) == ([1, 2, 3, 4, 5], [1, 2, 4, 5])
    told = [dict(sink.pulse.heartbeat().counters) for sink in sinks]
    assert [(one["ahead"], one["holes"]) for one in told] == [(1, 0), (0, 0)]
    assert ahead.kept == later.kept, "from here on they agree"
