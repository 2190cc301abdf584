"""What a person makes of a limit: typed, within ceilings, audited, at once or in ten minutes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.head import Message
from schema.house import Command, CommandDone, Started, Timer, Wake
from schema.trading import LimitChanged
from schema.units import SECOND_NS
from services.risk.core import Risk
from services.risk.terms import TERMS, lets_more, parsed
from tests.services.risk.risk_desk import BTC, ETH, MARK, ONE, Desk, settings

MINUTES_NS = 600 * SECOND_NS
LIMIT: dict[str, Any] = {"order_type": "limit", "limit_px": MARK}
WHY = "it was too much"


class LiveDesk(Desk):
    """A desk whose orders are for real money."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.risk = Risk(msgspec.structs.replace(settings(**changes), mode="live"))
        self.tell(Started(epoch=7, grade="fresh"))


def change(desk: Desk, verb: str, *args: str) -> CommandDone:
    return desk.command(verb, *args, WHY)


def changes(desk: Desk) -> list[LimitChanged]:
    return [one for one in desk.said if isinstance(one, LimitChanged)]


def value(desk: Desk, name: str, scope: str = "") -> dict[str, Any]:
    rows: list[dict[str, Any]] = msgspec.json.decode(desk.command("limits").body)
    (found,) = [row for row in rows if (row["name"], row["scope"]) == (name, scope)]
    return found


def test_a_limit_that_is_set_holds_for_the_next_verdict() -> None:
    desk = Desk().open()
    done = change(desk, "set", "max_order_notional", "4000", "")
    assert (done.ok, done.text) == (True, "max_order_notional is 4000; it was 20000")
    (said,) = changes(desk)
    assert (said.limit_name, said.scope, said.before, said.after, said.by, said.reason) == (
        "max_order_notional", "account", "20000", "4000", "me", WHY,
    )  # fmt: skip
    found = desk.ask(ONE, **LIMIT)
    assert found.code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    assert "max_order_notional=4000" in found.detail
    row = value(desk, "max_order_notional")
    assert (row["value"], row["source"]) == ("4000", "set by me at 2026-03-15T12:00:00.000Z")
    assert change(desk, "unset", "max_order_notional", "").ok
    assert desk.ask(ONE, **LIMIT).approved
    assert not desk.risk.state.books.changes


def test_what_is_set_survives_a_restart_and_other_settings() -> None:
    desk = Desk().open()
    change(desk, "set", "max_gross_exposure", "5000", "")
    state = msgspec.msgpack.encode(desk.risk.state)
    again = Risk(settings(max_gross_exposure=100_000))
    again.state = msgspec.msgpack.decode(state, type=type(again.state))
    folded = Risk(settings())
    for message in desk.said:
        folded.apply(message)
    assert folded.state.books.changes == desk.risk.state.books.changes
    desk.risk = again
    assert desk.ask(2 * ONE, **LIMIT).code == "MAX_GROSS_EXPOSURE_EXCEEDED"


def test_a_raise_holds_at_once_where_no_money_is_real() -> None:
    desk = Desk().open()
    assert change(desk, "set", "max_order_notional", "30000", "").ok
    assert value(desk, "max_order_notional")["value"] == "30000"


def test_a_raise_for_real_money_waits_ten_minutes() -> None:
    desk = LiveDesk().open()
    done = change(desk, "set", "max_order_notional", "24000", "")
    assert "max_order_notional is 20000, and will be 24000 from 2026-03-15T12:10" in done.text
    at_ns = desk.now_ns + MINUTES_NS
    assert Wake(name="limits", at_ns=at_ns) in desk.answers
    assert desk.ask(4 * ONE + ONE // 2, **LIMIT).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    row = value(desk, "max_order_notional")
    assert (row["value"], row["pending"], row["pending_at"]) == (
        "20000", "24000", "2026-03-15T12:10:00.000Z",
    )  # fmt: skip
    desk.now_ns = at_ns
    desk.tell(Timer(name="limits", at_ns=at_ns))
    desk.quote()
    assert changes(desk)[-1].effective_ns == 0
    assert desk.ask(4 * ONE + ONE // 2, **LIMIT).approved


def test_a_lowering_for_real_money_holds_at_once() -> None:
    desk = LiveDesk().open()
    change(desk, "set", "max_order_notional", "4000", "")
    assert desk.ask(ONE, **LIMIT).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    change(desk, "unset", "max_order_notional", "")
    assert value(desk, "max_order_notional")["pending"] == "20000"
    desk.now_ns += MINUTES_NS
    desk.tell(Timer(name="limits", at_ns=desk.now_ns))
    assert value(desk, "max_order_notional")["source"] == "settings"
    assert not desk.risk.state.books.changes


def test_a_raise_that_waits_can_be_cancelled_or_made_smaller() -> None:
    desk = LiveDesk().open()
    assert not change(desk, "cancel", "daily_loss", "").ok
    change(desk, "set", "daily_loss", "9000", "")
    assert change(desk, "cancel", "daily_loss", "").ok
    assert not desk.risk.state.books.changes
    change(desk, "set", "daily_loss", "9000", "")
    change(desk, "set", "daily_loss", "1000", "")
    desk.now_ns += MINUTES_NS
    desk.tell(Timer(name="limits", at_ns=desk.now_ns))
    assert value(desk, "daily_loss")["value"] == "1000"
    change(desk, "set", "daily_loss", "3000", "")
    assert change(desk, "cancel", "daily_loss", "").ok
    row = value(desk, "daily_loss")
    assert (row["value"], row["pending"]) == ("1000", "")


def test_a_restart_asks_to_be_woken_for_what_waits() -> None:
    desk = LiveDesk().open()
    change(desk, "set", "daily_loss", "9000", "")
    desk.answers.clear()
    desk.tell(Started(epoch=8, grade="folded"))
    assert desk.answers == [Wake(name="limits", at_ns=desk.now_ns + MINUTES_NS)]


def test_one_symbol_may_have_less_than_all_and_never_more() -> None:
    desk = Desk().open()
    assert change(desk, "set", "max_order_notional", "4000", BTC).ok
    assert desk.ask(ONE, **LIMIT).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    assert desk.ask(ONE, symbol=ETH, **LIMIT).approved
    done = change(desk, "set", "max_order_notional", "30000", BTC)
    assert (done.ok, "would change nothing" in done.text) == (False, True)
    change(desk, "set", "max_order_notional", "3000", "")
    assert desk.ask(ONE, symbol=ETH, **LIMIT).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    assert change(desk, "set", "max_order_qty", "0.05", ETH).ok
    assert value(desk, "max_order_qty", ETH)["value"] == "0.05"


def test_one_strategy_may_have_a_loss_of_its_own() -> None:
    desk = Desk().open()
    assert change(desk, "set", "strategy_loss", "50", "trend").ok
    assert desk.risk.limits.strategy_losses == {"trend": 50 * 10**8}


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("set", "max_order_notional", "1000000001", ""), "to 1000000000, the ceiling in the code"),
        (("set", "max_order_notional", "0", ""), "expected a plain number from 1"),
        (("set", "max_leverage", "10.01", ""), "from 0 to 10"),
        (("set", "max_drawdown_pct", "12.345", ""), "of 2 decimals at most"),
        (("set", "max_leverag", "1", ""), "is no limit"),
        (("set", "daily_loss", "1", BTC), "is of the whole account"),
        (("set", "max_order_qty", "1", ""), "expected --symbol"),
        (("set", "max_order_notional", "1", "btc"), "is no symbol"),
        (("set", "strategy_loss", "1", BTC), "is no strategy"),
        (("unset", "daily_loss", ""), "nothing to unset"),
        (("cancel", "daily_loss", ""), "nothing to cancel"),
        (("set", "daily_loss"), "expected set NAME VALUE SCOPE WHY"),
    ],
)
def test_what_no_limit_takes_is_refused_and_changes_nothing(
    args: tuple[str, ...], text: str
) -> None:
    desk = Desk().open()
    before = desk.risk.limits
    done = desk.command(*args) if len(args) < 3 else change(desk, *args)
    assert not done.ok
    assert text in done.text
    assert desk.risk.limits == before
    assert not changes(desk)


def test_a_change_without_a_reason_is_refused() -> None:
    desk = Desk().open()
    assert not desk.command("set", "daily_loss", "100", "", " ").ok


OTHER_DIGITS = ("\u0663", "\uff11\uff12", "\u00b2")
ODD = (
    *("", " ", "-1", "+1", "1e12", "1e3", "nan", "NaN", "inf", "-0", "0x10", "1_000", "1,5"),
    *("1.", ".5", "1 ", "\n1", "1000000000000", "9" * 40, "None", *OTHER_DIGITS),
)
ABSURD = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=12),
    st.floats().map(repr),
    st.integers(min_value=2**31).map(str),
    st.integers(max_value=-1).map(str),
)


@given(st.sampled_from(sorted(TERMS)), ABSURD)
def test_an_absurd_value_is_refused_or_lies_within_the_ceilings(name: str, text: str) -> None:
    term = TERMS[name]
    least, most = term.bounds
    try:
        found = parsed(term, text)
    except ValueError:
        return
    assert text.isascii()
    assert float(least) <= float(found) <= float(most)
    assert float(found) == float(text)


@given(st.sampled_from(sorted(TERMS)), ABSURD)
def test_a_command_with_an_absurd_value_never_fails(name: str, text: str) -> None:
    desk = Desk()
    scope = "BTC/USDT" if TERMS[name].alone else ""
    command = Command(request_id="1", verb="set", args=(name, text, scope, WHY), by="me")
    (done,) = [one for one in desk.risk.handle(command, 1) if isinstance(one, CommandDone)]
    assert isinstance(done.ok, bool)


@pytest.mark.parametrize(
    ("name", "before", "after", "more"),
    [
        ("daily_loss", "10", "11", True),
        ("daily_loss", "10", "9", False),
        ("weekly_loss", "10", "0", True),
        ("weekly_loss", "0", "10", False),
        ("duplicate_order_window_ms", "500", "0", True),
        ("duplicate_order_window_ms", "500", "400", True),
        ("duplicate_order_window_ms", "0", "500", False),
        ("max_order_qty", "", "2", False),
        ("max_order_qty", "2", "", True),
    ],
)
def test_what_lets_more_happen_is_known_by_its_name(
    name: str, before: str, after: str, *, more: bool
) -> None:
    assert lets_more(TERMS[name], before, after) is more


def test_every_limit_of_the_settings_may_be_set_or_is_a_switch() -> None:
    own = set(msgspec.structs.asdict(settings().risk)) - set(TERMS)
    assert own == {
        "hard", "order_window_ms", "round_trip_window_ms", "protective_stop_required",
        "protective_stop_grace_s", "verdict_ttl_ms",
    }  # fmt: skip


def test_the_books_of_changes_follow_from_the_stream_alone() -> None:
    desk = LiveDesk().open()
    for args in (
        ("set", "daily_loss", "9000", ""),
        ("set", "daily_loss", "1000", ""),
        ("set", "max_order_notional", "4000", BTC),
        ("unset", "daily_loss", ""),
        ("cancel", "daily_loss", ""),
    ):
        assert change(desk, *args).ok
        folded = Risk(settings())
        said: list[Message] = desk.said
        for message in said:
            folded.apply(message)
        assert folded.state.books.changes == desk.risk.state.books.changes
        assert folded.limits.text == desk.risk.limits.text


def test_a_limit_of_one_alone_is_told_beside_that_for_all() -> None:
    desk = LiveDesk().open()
    done = change(desk, "set", "max_order_notional", "100", BTC)
    assert done.text == "max_order_notional BTC/USDT is 100; it was as for all"
    assert "it was off" in change(desk, "set", "max_order_qty", "1", BTC).text
    raised = change(desk, "unset", "max_order_notional", BTC)
    assert "will be as for all from" in raised.text
    assert f"`rrr risk cancel max_order_notional --symbol {BTC} --why" in raised.text
