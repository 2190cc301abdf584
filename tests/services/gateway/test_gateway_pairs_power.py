"""Deaths around a pair: its two records stand in one frame, and without both nothing is sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.turn import run_turn
from schema.exchange import ReportPushed, SendOrder
from schema.joined import SendPair
from schema.lifecycle import State
from schema.orders import OrderSubmitted
from schema.streams import STREAMS
from tests.bus.toy import records
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_rig import Rig
from tests.services.gateway.pair_desk import (
    TAKING_PAIRS,
    approve,
    codes,
    guarded,
    halves,
    place,
    submitted,
)


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from guarded()


def test_a_restart_while_a_pair_waits_sends_both_or_none(desk: Desk) -> None:
    pair = halves(desk)
    desk.put(*pair, desk.verdict(pair[0]))
    desk.restart("folded")
    desk.put(TAKING_PAIRS)
    desk.settle()
    desk.put(desk.verdict(pair[1]))
    assert codes(desk, pair) == ["STREAM_RECONCILING", "CONTINGENT_DENIED"]
    assert (submitted(desk, pair), desk.waits(SendPair)) == ([], 0)
    place(desk, halves(desk))  # The engine wants one anew, and it is sent.


def test_a_journal_that_is_cut_between_the_two_records_sends_neither_again(desk: Desk) -> None:
    pair = halves(desk)
    approve(desk, pair)
    desk.said.pop()  # The disk lost the second record; the request waited for both.
    desk.restart("folded")
    desk.put(TAKING_PAIRS)
    desk.settle()
    assert desk.standing(pair[0]) is State.UNCONFIRMED
    assert codes(desk, pair) == ["", "CONTINGENT_DENIED"]
    desk.live_ms(12_000)
    assert desk.standing(pair[0]) is State.REJECTED
    assert (desk.waits(SendPair), desk.waits(SendOrder)) == (0, 0)


def test_both_records_are_said_in_the_turn_that_asks_for_the_request(desk: Desk) -> None:
    pair = halves(desk)
    words = [*pair, *(desk.verdict(half) for half in pair)]
    outcome = run_turn(desk.core, [desk._heard(word) for word in words], desk.now_ns)
    assert [type(said) for said in outcome.said] == [OrderSubmitted, OrderSubmitted]
    assert [type(effect) for effect in outcome.effects].count(SendPair) == 1
    desk.said += outcome.said
    desk.turns.clear()


def test_both_records_stand_in_one_frame_of_the_journal(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.say(TAKING_PAIRS)
    rig.connect()
    bought = rig.account.take(rig.want())
    trade = rig.account.fill(bought.id, "0.01000")
    rig.tell(ReportPushed(report=bought.report(), execution="TRADE", trades=(trade,)))
    rig.words.now_ns = rig.clock.now_ns
    pair = halves(rig.words)
    tape = rig.journals.tapes[STREAMS["gateway.order"].number]
    before = len(tape.frames)
    rig.say(*pair, *(rig.words.verdict(half) for half in pair))
    said = records(rig.journals, "gateway.order")[-2:]
    assert [type(one) for one in said] == [OrderSubmitted, OrderSubmitted]
    assert len(tape.frames) - before == 1
    assert sum(isinstance(effect, SendPair) for effect in rig.edge.effects) == 1
