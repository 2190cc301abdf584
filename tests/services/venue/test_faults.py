"""What faults do to pushes, how they are bound and counted, and what is kept of requests."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.house import Command, CommandDone, Unanswered
from services.venue import requests
from services.venue.core import Venue
from services.venue.effects import FaultsTold, MoveMoney, ObeyFaults
from services.venue.faults import Asked, Faults
from services.venue.faults_kinds import KINDS
from services.venue.faults_pushes import GARBAGE, Pushes, wrapped
from services.venue.faults_words import obey

NEW = {"e": "executionReport", "s": "BTCUSDT", "S": "BUY", "x": "NEW"}
FIRST = {**NEW, "x": "TRADE", "t": 1}
SECOND = {**NEW, "x": "TRADE", "t": 2}


class Stage:
    """Faults and pushes under a clock that a test moves."""

    def __init__(self, *args: str) -> None:
        self.now_ms = 1_000
        self.faults = Faults(lambda: self.now_ms)
        self.pushes = Pushes(self.faults, wrapped(0))
        if args:
            assert obey(self.faults, ("set", *args)).ok

    def push(self, *events: dict[str, Any], late_ms: int = 0) -> list[Any]:
        self.pushes.put(events, late_ms)
        return self.due()

    def due(self) -> list[Any]:
        texts = self.pushes.due()
        return [t if t == GARBAGE else msgspec.json.decode(t)["event"] for t in texts]

    def later(self, ms: int) -> list[Any]:
        self.now_ms += ms
        return self.due()


def test_without_a_fault_events_go_out_at_once_and_in_their_order() -> None:
    assert Stage().push(NEW, FIRST, SECOND) == [NEW, FIRST, SECOND]


def test_a_fill_is_pushed_twice_and_the_next_one_once() -> None:
    assert Stage("duplicate_fill").push(NEW, FIRST, SECOND) == [NEW, FIRST, FIRST, SECOND]


def test_an_event_becomes_garbage_and_the_next_one_does_not() -> None:
    assert Stage("stream_garbage").push(NEW, FIRST) == [GARBAGE, FIRST]


def test_what_is_pushed_of_an_order_comes_backwards() -> None:
    stage = Stage("reorder_fills", "ms=300")
    assert stage.push(NEW, FIRST, SECOND) == []
    assert stage.later(300) == [SECOND, FIRST, NEW]


def test_a_late_fill_comes_behind_what_was_said_after_it() -> None:
    stage = Stage()
    assert stage.push(FIRST, late_ms=200) == []
    assert stage.push(NEW) == [NEW]
    assert stage.later(199) == []
    assert stage.later(1) == [FIRST]


def test_a_stream_lags_for_as_long_as_it_is_told_to() -> None:
    stage = Stage("late_push", "ms=100", "for_s=1")
    assert stage.push(NEW) == []
    assert stage.later(100) == [NEW]
    assert stage.later(1_000) == []
    assert stage.push(FIRST) == [FIRST]


def test_a_mute_stream_loses_what_it_did_not_say() -> None:
    stage = Stage("mute_stream", "for_s=1", "count=9")
    assert stage.push(NEW) == []
    assert stage.later(1_000) == []
    assert stage.push(FIRST) == [FIRST]


def test_a_fault_of_a_symbol_or_a_side_spares_every_other_one() -> None:
    stage = Stage("duplicate_fill", "symbol=ETH/USDT", "side=sell", "count=2")
    assert stage.push(FIRST) == [FIRST]
    other = {**FIRST, "s": "ETHUSDT", "S": "SELL"}
    assert stage.push(other) == [other, other]
    assert stage.faults.hits == {"duplicate_fill": 1}


def test_a_fault_is_over_after_its_cases_and_another_after_its_time() -> None:
    stage = Stage("lost_ack", "count=2")
    asked = Asked(call="POST order", symbol="BTCUSDT", side="BUY")
    assert [bool(stage.faults.strike("lost_ack", asked)) for _ in range(3)] == [True, True, False]
    obey(stage.faults, ("set", "slow", "for_s=2"))
    stage.now_ms += 1_999
    assert [fault.name for fault in stage.faults.active()] == ["slow"]
    stage.now_ms += 1
    assert stage.faults.active() == []


@pytest.mark.parametrize("name", KINDS)
def test_a_fault_without_bounds_lasts_ten_seconds_or_comes_once(name: str) -> None:
    (fault,) = Stage(name).faults.active()
    assert (fault.left, fault.until_ms) == ((0, 11_000) if KINDS[name].lasts else (1, 0))


def test_a_command_becomes_words_for_the_edge_and_its_answer_the_answer() -> None:
    core = Venue()
    command = Command(request_id="7", verb="fault", args=("list",), by="me")
    assert core.handle(command, 1) == [ObeyFaults(effect_id="7", args=("list",))]
    told = FaultsTold(effect_id="7", ok=True, text="done", body=b"{}")
    assert core.handle(told, 1) == [CommandDone(request_id="7", ok=True, text="done", body=b"{}")]
    (late,) = core.handle(Unanswered(effect_id="7", reason="no answer"), 1)
    assert isinstance(late, CommandDone)
    assert not late.ok


def test_where_the_market_is_a_real_one_no_fault_is_made() -> None:
    (done,) = Venue(plays=False).handle(
        Command(request_id="7", verb="fault", args=("set", "slow"), by="me"), 1
    )
    assert isinstance(done, CommandDone)
    assert (done.ok, done.text) == (False, "the venue makes faults in local mode alone")


def test_where_the_exchange_takes_the_orders_no_play_money_moves() -> None:
    for verb in ("deposit", "withdraw"):
        asked = Command(request_id="7", verb=verb, args=("USDT", "5"), by="me")
        (done,) = Venue(plays=False).handle(asked, 1)
        assert isinstance(done, CommandDone)
        assert (done.ok, "no account" in done.text) == (False, True)
        (moved,) = Venue(plays=False, listens=True).handle(asked, 1)
        assert isinstance(moved, MoveMoney)


def test_requests_are_kept_in_two_files_of_bounded_size(
    tmp_path: Path,
) -> None:
    path = requests.requests_path(tmp_path / "a venue")
    log = requests.Requests(path, file_bytes=1_000)
    asked = Asked(call="POST order", signed=True, symbol="BTCUSDT", client_id="a")
    for number in range(40):
        log.put(asked, (number, number), 200, "")
    log.close()
    with path.open("ab") as file:
        file.write(b'{"at_ms": 4')  # Torn by a kill.
    numbers = [line.at_ms for line in requests.read(path)]
    assert numbers == list(range(numbers[0], 40))
    assert len(numbers) < 20
