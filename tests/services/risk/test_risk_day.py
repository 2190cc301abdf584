"""The loss of a day, the state of trading, and what a person may ask."""

from typing import Any

import msgspec
import pytest

from schema.house import PeerSeen, TimeGap
from schema.orders import KillLevel
from schema.trading import DayOpened, LimitBreached, LimitReleased
from schema.units import DAY_NS
from tests.services.risk.risk_desk import BTC, ETH, MARK, NOON_NS, UNIT, Desk, deposit

ONE = UNIT // 10
FALLEN = MARK * 88 // 100  # 3 x 0.1 BTC lose 1 800
LOW = MARK * 86 // 100  # 2 100


@pytest.fixture
def desk() -> Desk:
    """Return a desk that holds 15 000 of BTC, bought at the mark."""
    desk = Desk().open()
    desk.buy(3 * ONE)
    return desk


def falls(desk: Desk, px: int, seconds: float = 1) -> None:
    desk.wait(seconds)
    desk.quote(px)


def opened(desk: Desk) -> list[DayOpened]:
    return [said for said in desk.said if isinstance(said, DayOpened)]


def stops(desk: Desk) -> list[dict[str, str]]:
    found: list[dict[str, str]] = msgspec.json.decode(desk.command("stops").body)
    return found


def test_the_first_day_begins_with_the_first_balance(desk: Desk) -> None:
    (anchor,) = opened(desk)
    assert anchor.equity == 100_000 * UNIT
    assert (anchor.quote, anchor.quote_exp, anchor.deposits) == ("USDT", 8, 100_000 * UNIT)


def test_a_loss_is_told_once_and_stops_new_risk(desk: Desk) -> None:
    falls(desk, FALLEN)
    assert desk.of_limits() == []
    assert desk.ask(ONE // 10, ref_px=FALLEN).approved
    falls(desk, LOW)
    falls(desk, LOW - 1)
    (breach,) = desk.of_limits()
    assert isinstance(breach, LimitBreached)
    assert (breach.limit_name, breach.scope, breach.latched) == ("daily_loss", "account", True)
    assert (breach.observed, breach.limit) == ("2100", "2000")
    assert desk.state() == "REDUCING"
    assert desk.ask(ONE // 10, ref_px=LOW).code == "DAILY_LOSS_LIMIT"
    assert desk.ask(ONE, side="sell", ref_px=LOW).approved
    falls(desk, MARK)
    assert desk.ask().code == "DAILY_LOSS_LIMIT"


def test_the_loss_is_measured_by_the_order_itself_too(desk: Desk) -> None:
    falls(desk, LOW, 0.5)
    assert desk.of_limits() == []
    desk.wait(0.5)
    assert desk.ask(ONE // 10, ref_px=LOW).code == "DAILY_LOSS_LIMIT"
    assert len(desk.of_limits()) == 1


def test_money_that_is_moved_is_neither_loss_nor_gain(desk: Desk) -> None:
    desk.tell(deposit(-5_000))
    falls(desk, FALLEN)
    assert desk.of_limits() == []
    desk.tell(deposit(50_000))
    falls(desk, LOW)
    assert len(desk.of_limits()) == 1


def test_a_loss_is_not_measured_at_a_price_that_is_too_old(desk: Desk) -> None:
    desk.quote(LOW)
    desk.wait(11)
    desk.quote(symbol=ETH)
    assert desk.of_limits() == []
    desk.quote(LOW)
    desk.wait(1)
    desk.quote(symbol=ETH)
    assert len(desk.of_limits()) == 1


def test_a_new_day_begins_at_midnight_with_an_anchor_of_its_own(desk: Desk) -> None:
    falls(desk, LOW)
    desk.now_ns = NOON_NS // DAY_NS * DAY_NS + DAY_NS - 1
    desk.quote(LOW)
    assert len(opened(desk)) == 1
    desk.now_ns += 1_000_000_000
    desk.quote(LOW)
    assert opened(desk)[-1].equity == 97_900 * UNIT


def test_midnight_forgives_no_loss_of_the_last_twenty_four_hours(desk: Desk) -> None:
    falls(desk, LOW)
    for _ in range(23):
        falls(desk, LOW, 3_600)
        assert desk.state() == "REDUCING"
        assert desk.ask(ONE // 10, ref_px=LOW).code == "DAILY_LOSS_LIMIT"
    for _ in range(2):
        falls(desk, LOW, 3_600)
    released = desk.of_limits()[-1]
    assert isinstance(released, LimitReleased)
    assert (released.by, released.reason) == ("risk", "a new day")
    assert desk.state() == "ACTIVE"
    assert desk.ask(ONE // 10, ref_px=LOW).approved


def test_a_person_may_release_the_limit_and_the_loss_begins_anew(desk: Desk) -> None:
    falls(desk, LOW)
    done = desk.command("release", "daily_loss", "I", "have", "looked")
    assert done.ok
    released = desk.of_limits()[-1]
    assert isinstance(released, LimitReleased)
    assert (released.by, released.reason) == ("me", "I have looked")
    assert opened(desk)[-1].equity == 97_900 * UNIT
    assert desk.state() == "ACTIVE"
    assert desk.ask(ONE // 10, ref_px=LOW).approved
    falls(desk, LOW)
    assert desk.state() == "ACTIVE"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "release daily_loss WHY"),
        (("daily_loss",), "release daily_loss WHY"),
        (("drawdown", "why"), "release daily_loss WHY"),
        (("daily_loss", "why"), "has not been reached"),
    ],
)
def test_a_release_that_means_nothing_is_refused(
    desk: Desk, args: tuple[str, ...], text: str
) -> None:
    done = desk.command("release", *args)
    assert not done.ok
    assert text in done.text


def test_a_release_needs_a_known_equity(desk: Desk) -> None:
    falls(desk, LOW)
    desk.wait(11)
    done = desk.command("release", "daily_loss", "why")
    assert (done.ok, "equity is not known" in done.text) == (False, True)
    assert desk.state() == "REDUCING"


def test_the_state_is_said_when_it_changes(desk: Desk) -> None:
    assert desk.state() == "ACTIVE"

    def kill(level: str) -> list[Any]:
        return desk.tell(KillLevel(ts_event=desk.now_ns, level=level, by="me", reason="why"))

    (said,) = kill("HALTED")
    assert (said.state, said.reason) == ("HALTED", "kill level HALTED: why")
    assert kill("HALTED") == []
    (said,) = kill("FLATTEN")
    assert said.state == "HALTED"
    desk.tell(PeerSeen(service="writer_trading", state="BEHIND", reason="slow"))
    assert desk.state() == "HALTED"
    (said,) = kill("ACTIVE")
    assert (said.state, said.reason) == ("REDUCING", "writer_trading behind: slow")


def test_what_stops_trading_is_told_with_its_release(desk: Desk) -> None:
    assert stops(desk) == []
    falls(desk, LOW)
    desk.tell(PeerSeen(service="writer_trading", state="BEHIND", reason="slow"))
    loss, writer = stops(desk)
    assert loss == {
        "what": "daily loss",
        "scope": "account",
        "since": "2026-03-15T12:00:01.000Z",
        "by": "risk",
        "why": "2100 of 2000 at most",
        "release": 'rrr resume --limit daily_loss "why"',
    }
    assert (writer["what"], writer["release"]) == ("writer_trading behind", "clears itself")


def test_the_use_of_each_limit_is_told(desk: Desk) -> None:
    desk.ask(ONE, symbol=ETH, order_type="limit", limit_px=MARK)
    falls(desk, FALLEN)
    rows = msgspec.json.decode(desk.command("limits").body)
    found = {row["name"]: (row["value"], row["used"], row["share_pct"]) for row in rows}
    assert found == {
        "max_order_notional": ("20000", "5005", 26),
        "max_position_notional": ("25000", "13200", 53),
        "max_net_exposure": ("60000", "18200", 31),
        "max_gross_exposure": ("60000", "18200", 31),
        "max_leverage": ("1.1", "0.19", 18),
        "max_open_positions": ("50", "2", 4),
        "max_open_orders": ("200", "1", 1),
        "max_drawdown_pct": ("20", "1.8", 9),
        "daily_loss": ("2000", "1800", 90),
        "weekly_loss": ("6000", "1800", 30),
        "strategy_loss": ("0", "0", 0),
        "price_collar_bps": ("300", "", 0),
        "order_rate": ("30", "2", 7),
        "max_cancel_rate": ("120", "0", 0),
        "max_msgs_per_day": ("100000", "2", 1),
        "max_order_to_fill_ratio": ("500", "2", 1),
        "max_round_trips": ("30", "0", 0),
        "duplicate_order_window_ms": ("0", "", 0),
        "stale_data_ms": ("10000", "", 0),
    }
    assert {row["source"] for row in rows} == {"settings"}


def test_an_unknown_command_is_told_what_there_is(desk: Desk) -> None:
    done = desk.command("dance")
    assert not done.ok
    assert "stops, limits, balances, audit, release" in done.text


def test_what_the_account_holds_is_told_to_the_last_digit(desk: Desk) -> None:
    held = {"BTC": "0.30000000", "USDT": "85000.00000000"}
    assert msgspec.json.decode(desk.command("balances").body) == held


def test_after_a_gap_in_time_every_price_is_too_old(desk: Desk) -> None:
    desk.tell(TimeGap(jump_ms=900))
    assert desk.ask().code == "STALE_DATA"
    desk.quote()
    assert desk.ask().approved
    assert desk.ask(symbol=ETH).code == "STALE_DATA"
    assert desk.risk.state.books.orders
    assert BTC in desk.risk.state.windows.quotes


def test_nothing_new_is_risked_while_the_loss_cannot_be_measured_for_long(desk: Desk) -> None:
    for _ in range(11):
        desk.wait(10)
        desk.quote(symbol=ETH)
    assert desk.ask(symbol=ETH).approved
    desk.wait(1)
    desk.quote(symbol=ETH)
    refused = desk.ask(symbol=ETH)
    assert (refused.code, "equity=unknown" in refused.detail) == ("STALE_DATA", True)
    desk.quote()
    assert desk.ask(symbol=ETH).approved
