"""Real money: what adds risk leaves while a person's permission holds, and not a moment longer."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.exchange import AccountSeen, AskAccount, Requirement, SendCancel, SendOrder, SetLevel
from schema.head import Side
from schema.house import PeerSeen
from schema.orders import (
    AccountSnapshot,
    LiveArmed,
    LiveDisarmed,
    OrderCanceled,
    OrderDenied,
    OrderSubmitted,
)
from schema.units import DAY_NS
from services.gateway.account import told
from services.gateway.arming import UNARMED
from services.gateway.core import Gateway
from tests.services.gateway.arming_desk import ACCOUNT, HOUR_S, NS, SOUND, LiveDesk
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import WORLD


@pytest.fixture
def desk() -> Iterator[LiveDesk]:
    made = LiveDesk().begin()
    yield made
    made.judge()
    made.prove()


def code(desk: Desk) -> str:
    return desk.of(OrderDenied)[-1].code


def stops(desk: Desk) -> list[dict[str, str]]:
    found: list[dict[str, str]] = msgspec.json.decode(desk.command("stops").body)
    return found


def test_nothing_that_adds_risk_leaves_before_it_is_armed(desk: LiveDesk) -> None:
    assert not desk.trades()
    assert code(desk) == "NOT_ARMED"
    assert (desk.core.trouble(desk.now_ns) or "").startswith(UNARMED)
    (stop,) = [one for one in stops(desk) if one["what"] == "not armed"]
    assert stop["release"].startswith("rrr live arm")


def test_a_permission_lets_orders_leave_until_its_time(desk: LiveDesk) -> None:
    done = desk.arm(60)
    assert done.ok, done.text
    assert desk.core.trouble(desk.now_ns) is None
    assert desk.trades()
    desk.live_ms(59_000)
    assert desk.trades()
    desk.live_ms(1_100)
    assert not desk.trades()
    (over,) = desk.of(LiveDisarmed)
    assert (over.by, over.ts_event) == ("gateway", desk.of(LiveArmed)[0].until_ns)
    assert [one["what"] for one in stops(desk) if one["release"].startswith("rrr live")] == [
        "arm expired"
    ]


def test_what_reduces_and_what_protects_leaves_without_it(desk: LiveDesk) -> None:
    desk.allowed().bought()
    assert desk.command("disarm", "enough").ok
    stop = desk.limit("sell", reduce_only=True, order_type="stop", stop_px=4_000_000, limit_px=0)
    desk.approve(msgspec.structs.replace(stop, leg="stop"))
    assert desk.of(OrderSubmitted)[-1].intent.order_type == "stop"
    desk.put(desk.account.answer(desk.take(SendOrder)))
    desk.cancel(stop)
    assert desk.waits(SendCancel) == 1
    desk.settle(also=(SendCancel,))
    desk.approve(desk.intent("sell", 1000, reduce_only=True))
    assert desk.of(OrderSubmitted)[-1].intent.side == "sell"
    assert not desk.trades()


def test_an_entry_that_rests_goes_with_the_permission(desk: LiveDesk) -> None:
    resting = desk.allowed().place(desk.limit())
    desk.command("disarm", "enough")
    desk.settle(also=(SendCancel,))
    assert desk.of(OrderCanceled)[-1].client_order_id == resting.client_order_id


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_a_restart_inside_the_time_needs_nobody(grade: str) -> None:
    desk = LiveDesk().begin().allowed()
    desk.reborn(grade)
    assert desk.core.trouble(desk.now_ns) is None
    assert desk.trades()


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_a_permission_ends_while_nothing_runs(grade: str) -> None:
    desk = LiveDesk().begin().allowed()
    desk.now_ns += HOUR_S * NS
    desk.reborn(grade)
    assert desk.of(LiveDisarmed)[-1].reason == "its time is over"
    assert not desk.trades()


def test_a_clock_set_back_ends_the_permission(desk: LiveDesk) -> None:
    desk.allowed().live_ms(5_000)
    desk.set_clock(-3_600)
    desk.tell_clock()
    desk.settle()
    assert "set back" in desk.of(LiveDisarmed)[-1].reason
    assert not desk.trades()
    assert desk.arm().ok
    assert desk.trades()


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_a_clock_set_back_while_nothing_runs_ends_it_too(grade: str) -> None:
    desk = LiveDesk().begin().allowed()
    desk.live_ms(40_000)
    desk.now_ns -= 60 * NS
    desk.reborn(grade)
    assert "set back" in desk.of(LiveDisarmed)[-1].reason
    assert not desk.trades()


def test_the_later_of_two_clocks_ends_the_permission(desk: LiveDesk) -> None:
    desk.allowed()
    desk.tell_clock(offset_ms=HOUR_S * 1_000)
    assert desk.of(LiveDisarmed)[-1].reason == "its time is over"


def test_the_edge_is_told_the_end_and_obeys_it_alone(desk: LiveDesk) -> None:
    bounds = []
    desk.effects.clear()
    desk.allowed()
    bounds += [one.risk_until_wall_ms for one in desk.effects if isinstance(one, SetLevel)]
    desk.command("disarm", "enough")
    bounds += [one.risk_until_wall_ms for one in desk.effects if isinstance(one, SetLevel)][1:]
    assert bounds == [desk.wall_ms + HOUR_S * 1_000, 1]


@pytest.mark.parametrize(
    ("account", "for_s", "why", "found"),
    [
        ("other", HOUR_S, "x", "account"),
        ("", HOUR_S, "x", "account"),
        (ACCOUNT, 0, "x", "at most 30 days"),
        (ACCOUNT, -5, "x", "at most 30 days"),
        (ACCOUNT, 30 * 86_400 + 1, "x", "at most 30 days"),
        (ACCOUNT, HOUR_S, " ", "why"),
    ],
)
def test_a_wish_that_is_none_is_refused(
    desk: LiveDesk, account: str, for_s: int, why: str, found: str
) -> None:
    done = desk.arm(for_s, account, why)
    assert not done.ok
    assert found in done.text
    assert not desk.trades()


def test_a_word_on_the_stream_lasts_no_longer_than_the_longest(desk: LiveDesk) -> None:
    core, at_ns = Gateway(desk.settings, WORLD), desk.now_ns
    core.apply(LiveArmed(ts_event=at_ns, until_ns=1 << 62, account=ACCOUNT, by="x", reason="x"))
    assert core.state.books.arm.until_ns == at_ns + 30 * DAY_NS


def failing(desk: LiveDesk) -> str:
    done = desk.arm()
    assert not done.ok
    return done.text


def tell_rights(desk: LiveDesk, **rights: bool) -> None:
    """Have the exchange say what the key may do, when it is asked the next time."""
    while not desk.waits(AskAccount):
        desk.settle()
        desk.pass_ms(100)
    seen = desk.account.answer(desk.take(AskAccount))
    assert isinstance(seen, AccountSeen)
    desk.put(msgspec.structs.replace(seen, **rights))


def test_a_key_that_may_withdraw_is_refused_and_ends_new_risk(desk: LiveDesk) -> None:
    desk.allowed()
    tell_rights(desk, can_withdraw=True)
    assert not desk.trades()
    assert code(desk) == "NOT_ARMED"
    assert "may withdraw" in failing(desk)
    tell_rights(desk, can_trade=False)
    assert "may not trade" in failing(desk)
    tell_rights(desk, ip_bound=False)
    assert desk.trades()
    assert desk.arm().ok


def test_other_code_on_the_way_of_an_order_ends_new_risk_until_it_is_the_same(
    desk: LiveDesk,
) -> None:
    desk.allowed()
    desk.put(PeerSeen(service="ingest", state="READY", contract="other"))
    assert not desk.trades()
    assert "rrr restart ingest" in failing(desk)
    desk.put(PeerSeen(service="ingest", state="READY", contract=SOUND.contract))
    assert desk.trades()


def test_a_place_that_is_not_sound_ends_new_risk(desk: LiveDesk) -> None:
    desk.allowed()
    bad = Requirement("keys", "fails", "others can read them", "chmod 600")
    desk.put(msgspec.structs.replace(SOUND, conditions=(bad,)))
    assert not desk.trades()
    assert "chmod 600" in failing(desk)
    assert "chmod 600" in (desk.core.trouble(desk.now_ns) or "")


def test_everything_that_fails_is_told_at_once() -> None:
    desk = LiveDesk()
    desk.put(PeerSeen(service="risk", state="READY", contract="other"))
    desk.command("kill", "REDUCING", "x")
    text = failing(desk)
    assert all(word in text for word in ("place", "exchange clock", "kill level", "traders"))


def test_no_other_house_is_armed_or_needs_to_be() -> None:
    desk = Desk().boot()
    wish = '{"account": "main7", "for_s": 60, "why": "x"}'
    assert not desk.command("arm", wish).ok
    assert desk.core.trouble(desk.now_ns) is None
    desk.effects.clear()
    desk.command("kill", "x")
    assert [e.risk_until_wall_ms for e in desk.effects if isinstance(e, SetLevel)] == [0]


def test_a_snapshot_tells_until_when_it_is_armed(desk: LiveDesk) -> None:
    desk.allowed()
    (snapshot,) = told(desk.books, desk.now_ns)
    assert isinstance(snapshot, AccountSnapshot)
    assert snapshot.armed_until_ns == desk.of(LiveArmed)[0].until_ns


def test_what_is_no_wish_changes_nothing(desk: LiveDesk) -> None:
    for args in ((), ("{",), ('{"account": 1}',), ("a", "b")):
        assert not desk.command("arm", *args).ok
    assert not desk.command("disarm", " ").ok
    assert desk.command("disarm", "x").text.endswith("already")
    assert desk.of(LiveArmed) == []


DEEDS = st.sampled_from(
    (*("arm", "arm", "disarm", "buy", "buy", "sell", "limit", "wait", "leap", "back", "die"),
     *("fold", "skew", "kill", "resume", "other", "same"))
)  # fmt: skip


def do(desk: LiveDesk, deed: str, size: int) -> None:
    match deed:
        case "arm":
            desk.arm((1, 30, 600, 40 * 86_400)[size % 4])
        case "disarm":
            desk.command("disarm", "x")
        case "buy" | "sell" | "limit":
            side: Side = "sell" if deed == "sell" else "buy"
            wanted = desk.limit() if deed == "limit" else desk.intent(side, 100)
            desk.approve(wanted)
        case "wait":
            desk.live_ms(200 * size, also=(SendOrder, SendCancel))
        case "leap" | "back":
            desk.set_clock((1 if deed == "leap" else -1) * size * size)
        case "die" | "fold":
            desk.now_ns += (size - 6) * NS
            desk.reborn("exact" if deed == "die" else "folded")
        case "skew":
            desk.tell_clock(offset_ms=size * 100)
        case "kill" | "resume":
            desk.command(deed, "x")
        case _:
            contract = "other" if deed == "other" else SOUND.contract
            desk.put(PeerSeen(service="engine", state="READY", contract=contract))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(DEEDS, st.integers(0, 11)), max_size=40))
def test_no_order_adds_risk_without_a_permission(deeds: list[tuple[str, int]]) -> None:
    desk = LiveDesk().begin()
    for deed, size in deeds:
        do(desk, deed, size)
    desk.judge()
    desk.prove()
