"""The kill switch: latched, obeyed at once, released by a person alone; FLATTEN leaves nothing."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schema.exchange import (
    AskTop,
    KillFileSeen,
    OrderPlaced,
    OrderRefused,
    SendCancel,
    SendOrder,
    SetLevel,
)
from schema.house import Command, PeerSeen, TimeGap
from schema.lifecycle import State
from schema.orders import (
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
    OrderDenied,
    OrderSubmitted,
)
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED

SILENT = PeerSeen(service="risk", state="SILENT")


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def levels(desk: Desk) -> list[tuple[str, str]]:
    return [(message.level, message.by) for message in desk.of(KillLevel)]


STOP: dict[str, Any] = {
    "order_type": "stop",
    "stop_px": 4_800_000,
    "leg": "stop",
    "reduce_only": True,
}


def test_a_kill_is_latched_and_said_and_the_edge_obeys_first(desk: Desk) -> None:
    done = desk.command("kill", "why not")
    assert done.ok
    assert levels(desk) == [("HALTED", "me")]
    assert desk.of(KillLevel)[0].reason == "why not"
    level = desk.effects[0]
    assert isinstance(level, SetLevel)
    assert level.level == "HALTED"
    assert desk.command("kill", "HALTED", "again").ok
    assert desk.command("kill", "REDUCING", "a milder one").text.startswith("HALTED")
    assert len(levels(desk)) == 1
    assert dict(desk.core.counters())["level"] == 2


@pytest.mark.parametrize(
    ("level", "code"),
    [("REDUCING", "TRADING_STATE_REDUCING"), ("HALTED", "TRADING_HALTED")],
)
def test_each_level_refuses_entries_and_lets_reductions_through(
    desk: Desk, level: str, code: str
) -> None:
    desk.bought()
    desk.command("kill", level, "test")
    desk.approve(desk.intent())
    assert desk.of(OrderDenied)[-1].code == code
    desk.approve(desk.intent("sell", 400, reduce_only=True))
    assert desk.waits(SendOrder) == 1


@pytest.mark.parametrize("level", ["REDUCING", "HALTED"])
def test_entries_are_cancelled_when_halted_and_what_protects_stays(desk: Desk, level: str) -> None:
    desk.bought()
    entry, stop = desk.place(desk.limit()), desk.intent("sell", **STOP)
    desk.place(stop)
    desk.command("kill", level, "test")
    desk.settle(also=(SendCancel,))
    halted = level == "HALTED"
    assert desk.standing(entry) is (State.CANCELED if halted else State.ACCEPTED)
    assert desk.standing(stop) is State.ACCEPTED


def test_an_entry_that_turns_up_after_the_kill_is_cancelled_too(desk: Desk) -> None:
    entry = desk.limit()
    desk.approve(entry)
    send = desk.take(SendOrder)
    desk.command("kill", "HALTED", "test")
    assert desk.waits(SendCancel) == 0
    desk.put(desk.account.answer(send))
    desk.settle(also=(SendCancel,))
    assert desk.standing(entry) is State.CANCELED


def test_only_a_reason_releases_and_a_restart_does_not(desk: Desk) -> None:
    desk.command("kill", "HALTED", "test")
    for grade in ("exact", "folded"):
        desk.restart(grade)
        assert desk.books.level == "HALTED"
        first = desk.effects[0]
        assert isinstance(first, SetLevel)
        assert first.level == "HALTED"
    assert not desk.command("resume", " ").ok
    assert not desk.command("resume").ok
    assert desk.command("resume", "all is well").ok
    assert levels(desk)[-1] == ("ACTIVE", "me")
    assert desk.command("resume", "again").ok


def test_the_file_halts_once_and_no_resume_while_it_lies_there(desk: Desk) -> None:
    desk.put(KillFileSeen(text="reducing fire in the house"))
    desk.put(KillFileSeen(text="reducing fire in the house"))
    assert levels(desk) == [("REDUCING", "file")]
    answers = len(desk.done)
    desk.put(Command(request_id="1", verb="resume", args=("please",), by="me"))
    assert len(desk.done) == answers  # It waits a moment: perhaps the file was just removed.
    desk.pass_ms(900)
    assert not desk.done[-1].ok
    assert "data/run/KILL" in desk.done[-1].text
    desk.put(Command(request_id="2", verb="resume", args=("it is gone",), by="me"))
    desk.pass_ms(100)
    desk.put(KillFileSeen(text="", there=False))
    assert desk.done[-1].ok
    assert desk.books.level == "ACTIVE"
    desk.put(KillFileSeen(text="just stop"))
    assert levels(desk)[-1] == ("HALTED", "file")
    assert desk.of(KillLevel)[-1].reason == "just stop"


def test_a_halted_symbol_refuses_entries_until_a_person_resumes_it(desk: Desk) -> None:
    desk.push(desk.account.add("foreign", "sell", Decimal(1)).report())
    desk.approve(desk.intent())
    assert desk.of(OrderDenied)[-1].code == "TRADING_HALTED"
    (level,) = [e for e in desk.effects if isinstance(e, SetLevel)]
    assert level.halted == (SYMBOL,)
    assert not desk.command("resume-symbol", SYMBOL).ok
    assert desk.command("resume-symbol", SYMBOL, "it", "was", "me").ok
    assert desk.of(InstrumentResumed)[0].reason == "it was me"
    desk.approve(desk.intent())
    assert desk.waits(SendOrder) == 1
    assert desk.command("resume-symbol", SYMBOL, "twice").ok


def test_stops_name_what_stops_since_when_and_the_way_out(desk: Desk) -> None:
    assert msgspec.json.decode(desk.command("stops").body) == []
    desk.approve(desk.limit())
    desk.silence(desk.take(SendOrder))
    desk.push(desk.account.add("foreign", "sell", Decimal(1)).report())
    desk.command("kill", "REDUCING", "test")
    desk.put(SILENT)
    desk.tell_clock(offset_ms=900)
    found = msgspec.json.decode(desk.command("stops").body, type=list[dict[str, str]])
    keys = {"what", "scope", "since", "by", "why", "release"}
    assert all(set(stop) == keys for stop in found)
    assert [stop["what"] for stop in found] == [
        *("kill level REDUCING", "instrument halted", "order unconfirmed"),
        *("risk silent", "clock"),
    ]
    assert found[0]["release"] == 'rrr resume "why"'
    assert found[1]["release"] == f'rrr adopt {SYMBOL} 100 "why"'
    assert f"rrr resolve {found[2]['why'].split()[1][:12]} absent" in found[2]["release"]
    assert all(stop["since"] for stop in found)
    assert found[2]["scope"] == SYMBOL
    assert found[0]["since"].endswith("Z")
    level = msgspec.json.decode(desk.command("level").body)
    assert (level["level"], level["by"], level["why"]) == ("REDUCING", "me", "test")
    assert level["since"]


def test_an_unknown_command_is_answered_and_changes_nothing(desk: Desk) -> None:
    done = desk.command("dance")
    assert not done.ok
    assert "dance" in done.text


def test_flatten_cancels_closes_by_parts_and_is_halted_when_nothing_is_left(desk: Desk) -> None:
    desk.bought("0.03000")
    entry, stop = desk.place(desk.limit()), desk.intent("sell", **STOP)
    desk.place(stop)
    desk.put(SILENT)  # It needs nobody else.
    desk.command("kill", "FLATTEN", "get out")
    assert desk.waits(AskTop) == 0
    desk.settle(also=(SendCancel,))
    assert desk.standing(entry) is desk.standing(stop) is State.CANCELED
    for part in ("0.01000", "0.00500", "0.01500"):
        desk.live_ms(5_000, also=(AskTop,))
        send = desk.take(SendOrder)
        assert (send.intent.time_in_force, send.intent.order_type) == ("IOC", "limit")
        assert send.intent.limit_px == 4_749_050  # 5 % below the bid
        assert send.intent.reduce_only
        held = desk.account.take(send.intent)
        trade = desk.account.fill(send.intent.client_order_id, part)
        held.status = "FILLED" if held.done == held.qty else "EXPIRED"
        desk.put(OrderPlaced(effect_id=send.effect_id, report=held.report(), trades=(trade,)))
    assert desk.books.positions[SYMBOL].n == 0
    assert levels(desk) == [("FLATTEN", "me"), ("HALTED", "gateway")]
    ids = [message.client_order_id for message in desk.of(OrderSubmitted)]
    assert len(set(ids)) == len(ids)
    desk.live_ms(10_000, also=(AskTop,))
    assert desk.waits(SendOrder) == 0


def test_flatten_goes_on_after_a_refusal_and_after_a_death(desk: Desk) -> None:
    desk.bought()
    desk.command("kill", "FLATTEN", "get out")
    desk.settle(also=(AskTop,))
    send = desk.take(SendOrder)
    order_id = send.intent.client_order_id
    desk.put(
        OrderRefused(
            effect_id=send.effect_id, client_order_id=order_id, symbol=SYMBOL, code=-1013, text="no"
        )
    )
    desk.restart("folded")
    desk.put(LISTED)
    desk.live_ms(6_000, also=(AskTop,))
    again = desk.take(SendOrder)
    assert again.intent.client_order_id != order_id
    desk.account.take(again.intent)
    trade = desk.account.fill(again.intent.client_order_id, "0.01000")
    report = desk.account.orders[again.intent.client_order_id].report()
    desk.put(OrderPlaced(effect_id=again.effect_id, report=report, trades=(trade,)))
    assert levels(desk)[-1] == ("HALTED", "gateway")


def test_flatten_leaves_what_is_too_small_and_says_so(desk: Desk) -> None:
    intent = desk.place(desk.intent(qty=1000))
    trade = desk.account.fill(intent.client_order_id, "0.01000", fee_asset="BTC")
    desk.push(desk.account.orders[intent.client_order_id].report(), trade)
    sell = desk.place(desk.intent("sell", 995, reduce_only=True))
    desk.fill(sell, "0.00995")
    desk.command("kill", "FLATTEN", "get out")
    desk.live_ms(3_000, also=(AskTop,))
    assert desk.waits(SendOrder) == 0
    assert levels(desk)[-1] == ("HALTED", "gateway")
    assert f"too small to be closed: {SYMBOL}" in desk.of(KillLevel)[-1].reason


def test_flatten_waits_for_an_order_in_doubt_before_it_is_done(desk: Desk) -> None:
    entry = desk.limit()
    desk.approve(entry)
    desk.silence(desk.take(SendOrder))
    desk.account.take(entry)
    desk.account.hidden.add(entry.client_order_id)
    desk.command("kill", "FLATTEN", "get out")
    desk.settle()
    assert levels(desk)[-1] == ("FLATTEN", "me")
    desk.account.hidden.clear()
    desk.live_ms(10_000, also=(SendCancel, AskTop))
    assert desk.standing(entry) is State.CANCELED
    assert levels(desk)[-1] == ("HALTED", "gateway")


def test_after_a_sleep_entries_are_cancelled_and_nothing_new_goes_at_once(desk: Desk) -> None:
    entry = desk.place(desk.limit())
    desk.put(TimeGap(jump_ms=90_000))
    assert desk.waits(SendCancel) == 1
    desk.approve(desk.intent())
    assert desk.of(OrderDenied)[-1].code == "CLOCK_SKEW"
    desk.settle(also=(SendCancel,))
    assert desk.standing(entry) is State.CANCELED
    desk.tell_clock()
    desk.approve(desk.intent())
    assert desk.waits(SendOrder) == 1
    assert desk.of(InstrumentHalted) == []
