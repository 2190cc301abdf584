"""Locks at the desk of risk: what is denied, what never is, and what a restart keeps of them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import SystemClock
from bus.service import Heard
from bus.turn import run_turn
from schema.head import Message
from schema.house import Started
from schema.locks import FOREVER_NS
from schema.orders import Fill
from schema.streams import home
from schema.trading import PairLocked, Protection
from schema.units import MINUTE_NS, SECOND_NS, iso
from services.risk.core import Risk
from services.risk.state import State
from tests.services.risk.risk_desk import (
    BTC,
    ETH,
    MARK,
    NOON_NS,
    ONE,
    SELL,
    Desk,
    settings,
)

STOP_PX = MARK * 99 // 100


@pytest.fixture
def desk() -> Desk:
    """Return a desk that holds 5 000 of BTC."""
    desk = Desk().open()
    desk.buy()
    return desk


def lock(desk: Desk, symbol: str = BTC, until_ns: int = FOREVER_NS, side: str = "*") -> None:
    desk.tell(PairLocked(
        ts_event=desk.now_ns, symbol=symbol, until_ns=until_ns, reason="news", side=side, by="ann",
    ))  # fmt: skip


def stop_out(desk: Desk, symbol: str = BTC, px: int = STOP_PX) -> list[Message]:
    """Buy a little and give it up at a stop; return what is said of that."""
    desk.wait(20)
    for one in (BTC, ETH):
        desk.quote(symbol=one)
    desk.fill(desk.submit(ONE // 10, symbol=symbol), ONE // 10)
    desk.wait(1)
    order = desk.submit(
        ONE // 10, symbol=symbol, side="sell", leg="stop", order_type="stop", stop_px=px,
        reduce_only=True,
    )  # fmt: skip
    before = len(desk.said)
    desk.ids += 1
    desk.tell(fill_at(order, ONE // 10, px, str(desk.ids), desk.now_ns))
    return desk.said[before:]


def fill_at(order: Any, qty: int, px: int, trade_id: str, at_ns: int) -> Fill:
    return Fill(
        ts_event=at_ns, client_order_id=order.client_order_id, symbol=order.symbol,
        side=order.side, venue_order_id="1", venue_trade_id=trade_id, px=px, qty=qty,
        quote_qty=px * qty // 100, fee=0, fee_asset="USDT", maker=False, px_exp=2, qty_exp=8,
        quote_exp=8, fee_exp=8,
    )  # fmt: skip


def test_an_entry_under_a_lock_is_denied_with_its_numbers(desk: Desk) -> None:
    until_ns = desk.now_ns + 5 * MINUTE_NS
    lock(desk, until_ns=until_ns)
    found = desk.ask()
    assert (found.approved, found.code) == (False, "PAIR_LOCKED")
    assert found.detail == f"symbol={BTC} side=* until={iso(until_ns)} by=ann: news"
    assert desk.ask(symbol=ETH).approved
    desk.now_ns = until_ns
    desk.quote()
    assert desk.ask(ONE // 10).approved


def test_a_lock_of_all_denies_every_symbol_and_no_exit(desk: Desk) -> None:
    lock(desk, "*")
    assert desk.ask(symbol=ETH).code == "PAIR_LOCKED"
    assert desk.ask(**SELL).approved
    stop: dict[str, Any] = {"side": "sell", "order_type": "stop", "stop_px": STOP_PX, "leg": "stop"}
    assert desk.ask(reduce_only=True, **stop).approved


def test_a_lock_of_the_other_side_denies_nothing(desk: Desk) -> None:
    lock(desk, side="short")
    assert desk.ask().approved
    lock(desk, side="long")
    assert desk.ask().code == "PAIR_LOCKED"


def test_four_stops_lock_a_symbol_and_a_person_releases_it(desk: Desk) -> None:
    desk = Desk().open()
    for _ in range(3):
        assert not [said for said in stop_out(desk) if isinstance(said, Protection)]
    (said,) = [said for said in stop_out(desk) if isinstance(said, Protection)]
    assert (said.name, said.symbol) == ("stoploss_guard", BTC)
    found = desk.ask(ONE // 10)
    assert found.code == "PAIR_LOCKED"
    assert "by=stoploss_guard" in found.detail
    assert "stops=4 trade_limit=4" in found.detail
    assert desk.ask(ONE // 10, symbol=ETH).approved
    lock(desk, until_ns=desk.now_ns)
    assert desk.ask(ONE // 10).approved


def test_a_fall_of_the_account_locks_all(desk: Desk) -> None:
    desk = Desk(**loose()).open()
    desk.buy(15 * ONE)
    for px in (MARK, MARK * 9 // 10, MARK * 86 // 100):
        desk.wait(61)
        desk.quote(px)
        desk.quote(symbol=ETH)
    (said,) = [one for one in desk.said if isinstance(one, Protection)]
    assert (said.name, said.symbol) == ("max_drawdown", "*")
    assert said.reason.startswith("drawdown_bps=1050 max_allowed_drawdown_bps=1000 ")
    assert desk.ask(ONE // 10, symbol=ETH).code == "PAIR_LOCKED"
    assert desk.ask(ONE, ref_px=MARK * 86 // 100, **SELL).approved


def loose() -> dict[str, Any]:
    """Return limits that let an account fall."""
    most = ("max_order_notional", "max_position_notional", "max_gross_exposure", "daily_loss")
    off = ("max_net_exposure", "max_drawdown_pct", "weekly_loss", "strategy_loss")
    return {**dict.fromkeys(most, 1_000_000), **dict.fromkeys(off, 0)}


def test_a_snapshot_keeps_every_lock_and_every_trip(desk: Desk) -> None:
    for _ in range(4):
        stop_out(desk)
    state = desk.risk.state
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
    assert again.books.protections == state.books.protections


steps = st.lists(
    st.tuples(st.sampled_from(["stop", "stop", "lock", "clear"]), st.sampled_from([BTC, ETH])),
    max_size=14,
)


def told(story: list[tuple[str, str]]) -> tuple[Desk, list[tuple[int, Message]]]:
    """Return a desk after a story, and all that it heard, with its times."""
    desk = Desk(order_rate=1_000).open()
    heard: list[tuple[int, Message]] = []
    tell = desk.tell

    def listening(message: Any) -> list[Message]:
        if home(type(message)) is not None:
            heard.append((desk.now_ns, message))
        return tell(message)

    desk.tell = listening  # type: ignore[method-assign]
    for deed, symbol in story:
        desk.wait(20)
        locks = desk.risk.state.books.protections.locks
        if deed == "lock":
            lock(desk, symbol, desk.now_ns + 5 * MINUTE_NS)
        elif deed == "clear":
            lock(desk, symbol, desk.now_ns)
        elif locks.against(symbol, "long", desk.now_ns + 20 * SECOND_NS) is None:
            stop_out(desk, symbol)
    return desk, heard


def held(risk: Risk, now_ns: int) -> list[tuple[str, str, str, int]]:
    locks = risk.state.books.protections.locks.now(now_ns)
    return [(one.symbol, one.side, one.name, one.until_ns) for one in locks]


@given(steps, st.lists(st.integers(1, 9), min_size=1))
def test_one_stream_gives_the_same_locks_in_whatever_batches_it_is_heard(
    story: list[tuple[str, str]], sizes: list[int]
) -> None:
    desk, heard = told(story)
    risk = Risk(settings(order_rate=1_000))
    run_turn(risk, [Heard(Started(epoch=7, grade="fresh"))], NOON_NS)
    turn = 0
    while heard:
        size = sizes[turn % len(sizes)]
        batch, heard, turn = heard[:size], heard[size:], turn + 1
        inputs = [Heard(message, number(message), 1) for _, message in batch]
        run_turn(risk, inputs, batch[-1][0])
    assert held(risk, desk.now_ns) == held(desk.risk, desk.now_ns)


def number(message: Message) -> int:
    stream = home(type(message))
    assert stream is not None
    return stream.number


@given(steps)
def test_books_folded_anew_hold_the_same_locks(story: list[tuple[str, str]]) -> None:
    desk, heard = told(story)
    risk = Risk(settings(order_rate=1_000))
    mine = [message for _, message in heard if number(message) in FOLDED]
    for message in [*mine, *desk.said]:
        risk.apply(message)
    assert held(risk, desk.now_ns) == held(desk.risk, desk.now_ns)
    parts = [one.state.books.protections for one in (risk, desk.risk)]
    assert parts[0].trips == parts[1].trips
    assert parts[0].curve == parts[1].curve


FOLDED = {20, 30}  # engine.intent, gateway.order


@given(
    st.lists(st.tuples(st.sampled_from([BTC, ETH, "*"]), st.sampled_from(["*", "long", "short"]))),
    st.integers(1, 100),
    st.sampled_from(
        [
            {},
            {"order_type": "limit", "limit_px": MARK},
            {"order_type": "stop", "stop_px": STOP_PX, "leg": "stop"},
        ]
    ),
)
def test_no_lock_ever_holds_what_reduces(
    locked: list[tuple[str, str]], share: int, order: dict[str, Any]
) -> None:
    desk = Desk().open()
    desk.buy(ONE)
    for n, (symbol, side) in enumerate(locked):
        lock(desk, symbol, side=side)
        desk.tell(Protection(
            ts_event=desk.now_ns, name=f"n{n}", symbol=symbol, until_ns=FOREVER_NS, reason="x",
            side=side,
        ))  # fmt: skip
    found = desk.ask(max(2000, ONE * share // 100 // 1000 * 1000), **{**SELL, **order})
    assert found.approved, found


def test_ten_thousand_locked_symbols_do_not_slow_a_verdict() -> None:
    few, many = Desk().open(), Desk().open()
    for n in range(10_000):
        many.risk.apply(PairLocked(
            ts_event=1, symbol=f"A{n}/USDT", until_ns=FOREVER_NS, reason="x", by="ann",
        ))  # fmt: skip
    assert many.ask(ONE // 100).approved
    assert _asking_ns(many) < 5 * _asking_ns(few)


def _asking_ns(desk: Desk) -> int:
    clock, locks = SystemClock(), desk.risk.state.books.protections.locks
    taken = []
    for _ in range(5):
        begin_ns = clock.mono_ns()
        for _ in range(2_000):
            locks.against(BTC, "long", desk.now_ns)
        taken.append(clock.mono_ns() - begin_ns)
    return min(taken)
