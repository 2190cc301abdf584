"""Money that comes and goes by itself, told or not, and a fence around what is the house's."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.exchange import BalanceMoved, SendOrder, StreamUp
from schema.orders import BalanceSeen, Deposit, InstrumentHalted, OrderAdopted
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_desk import settings as desk_settings
from tests.services.gateway.guarded import entered

FENCE = '["USDT 5000"]'
ROUND_MS = 92_000
"""Long enough for two comparisons."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


@pytest.fixture
def fenced() -> Iterator[Desk]:
    desk = Desk(RRR_GATEWAY__RING_FENCE=FENCE).boot()
    yield desk
    desk.prove()


def put(desk: Desk, delta: str, asset: str = "USDT", name: str = "", *, told: bool = True) -> None:
    """Let money come or go at the exchange, which says so or not."""
    free = desk.account.free
    free[asset] = free.get(asset, Decimal(0)) + Decimal(delta)
    if told:
        desk.put(BalanceMoved(asset=asset, delta=delta, venue_id=name or f"1-{delta}"))


def row(desk: Desk, asset: str = "USDT") -> dict[str, Any]:
    rows = msgspec.json.decode(desk.command("balances").body, type=list[dict[str, str]])
    (found,) = [one for one in rows if one["asset"] == asset]
    return {
        name: Decimal(text) if name not in {"asset", "fence", "as_of"} else text
        for name, text in found.items()
    }


def last(desk: Desk, count: int = 1) -> list[tuple[str, int, str]]:
    return [(one.book, one.amount // 10**one.exp, one.kind) for one in desk.of(Deposit)[-count:]]


def test_a_deposit_that_was_told_is_booked_and_no_difference(desk: Desk) -> None:
    put(desk, "250")
    put(desk, "-100.5")
    assert last(desk, 2) == [("trading", 250, "transfer"), ("trading", -101, "transfer")]
    desk.live_ms(ROUND_MS)
    assert desk.of(BalanceSeen) == []
    assert desk.books.halted == {}
    assert row(desk)["difference"] == 0


def test_an_event_is_booked_once_for_ever_whatever_dies_meanwhile(desk: Desk) -> None:
    event = BalanceMoved(asset="USDT", delta="7", venue_id="1-7")
    put(desk, "7", name="1-7")
    count = len(desk.of(Deposit))
    desk.put(event)
    for grade in ("exact", "folded"):
        desk.restart(grade)
        desk.put(event)
    assert len(desk.of(Deposit)) == count
    desk.put(msgspec.structs.replace(event, asset="BTC"))
    assert len(desk.of(Deposit)) == count + 1


def test_a_deposit_that_nobody_told_waits_for_a_person(desk: Desk) -> None:
    put(desk, "40", told=False)
    desk.live_ms(ROUND_MS)
    assert desk.of(BalanceSeen)[-1].difference != 0
    assert SYMBOL in desk.books.halted
    assert desk.command("adopt", "balance", "USDT", "40", "trading", "I paid it in").ok
    assert last(desk) == [("trading", 40, "adjustment")]
    assert desk.books.halted == {}


def test_the_opening_leaves_what_is_beyond_the_fence_outside(fenced: Desk) -> None:
    assert last(fenced, 2) == [("trading", 5_000, "opening"), ("external", 95_000, "opening")]
    found = row(fenced)
    assert (found["ours"], found["external"], found["venue"]) == (5_000, 95_000, 100_000)
    assert (found["difference"], found["fence"]) == (0, "5000")


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("delta", ["300", "-95000"])
def test_what_moves_outside_of_the_fence_is_counted_and_halts_nothing(
    fenced: Desk, delta: str, *, told: bool
) -> None:
    put(fenced, delta, told=told)
    fenced.live_ms(ROUND_MS)
    assert last(fenced) == [("external", int(delta), "transfer" if told else "adjustment")]
    assert (fenced.books.halted, fenced.of(BalanceSeen)) == ({}, [])
    assert row(fenced)["ours"] == 5_000
    assert dict(fenced.core.counters())["outside"] == 1


def test_what_eats_into_the_fence_halts_its_symbols_until_explained(fenced: Desk) -> None:
    put(fenced, "-95001", told=False)
    fenced.live_ms(ROUND_MS)
    assert SYMBOL in fenced.books.halted
    assert row(fenced)["difference"] == -95_001
    assert fenced.command("adopt", "balance", "USDT", "-95001", "trading", "mine").ok
    assert fenced.books.halted == {}


def test_a_withdrawal_out_of_the_fence_is_booked_at_once_and_halts(fenced: Desk) -> None:
    put(fenced, "-96000")
    assert last(fenced, 2) == [("trading", -1_000, "transfer"), ("external", -95_000, "transfer")]
    assert "1000 USDT of the ring fence went" in fenced.of(InstrumentHalted)[-1].reason
    fenced.live_ms(ROUND_MS)
    assert row(fenced)["difference"] == 0
    assert fenced.command("resume-symbol", SYMBOL, "it was me").ok


def test_an_order_of_somebody_else_outside_of_the_fence_is_shown_and_halts_nothing(
    fenced: Desk,
) -> None:
    put(fenced, "2", "BTC")
    held = fenced.account.add("by-hand", "sell", Decimal(1))
    fenced.push(held.report())
    assert fenced.of(OrderAdopted)[-1].by == "gateway"
    fenced.account.fill("by-hand", "1")
    fenced.live_ms(ROUND_MS)
    assert fenced.books.halted == {}
    found = row(fenced, "BTC")
    assert (found["ours"], found["external"], found["difference"]) == (0, 1, 0)
    (shown,) = msgspec.json.decode(fenced.command("external").body)
    assert shown["why"] == "it is outside of the ring fence"


def test_an_order_of_somebody_else_that_the_fence_would_pay_for_halts(fenced: Desk) -> None:
    held = fenced.account.add("by-hand", "sell", Decimal(1))
    fenced.push(held.report())
    assert SYMBOL in fenced.books.halted
    assert fenced.of(OrderAdopted) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-60_000, 60_000), st.booleans()), min_size=1, max_size=5))
def test_books_and_exchange_agree_and_the_house_never_gains_by_itself(
    moves: list[tuple[int, bool]],
) -> None:
    desk = Desk(RRR_GATEWAY__RING_FENCE=FENCE).boot()
    for number, (delta, told) in enumerate(moves):
        if desk.account.free["USDT"] + delta < 0 or not delta:
            continue
        put(desk, str(delta), name=f"{number}", told=told)
        desk.live_ms(ROUND_MS)
        found = row(desk)
        ours, external, venue = (found[name] for name in ("ours", "external", "venue"))
        apart = desk.books.differences.get("USDT")
        assert bool(found["difference"]) == bool(apart and apart.n)
        assert found["difference"] == venue - ours - external
        assert 0 <= ours <= 5_000
        assert external >= 0
    desk.prove()


def refenced(desk: Desk, fence: str) -> Desk:
    """Start the same house with another fence in its settings, by its stream alone."""
    desk.settings = desk_settings(RRR_GATEWAY__RING_FENCE=fence)
    desk.restart("folded")
    desk.put(StreamUp())
    desk.settle()
    desk.live_ms(ROUND_MS)
    return desk


@pytest.mark.parametrize(
    ("fence", "ours"),
    [('["USDT 3000"]', 3_000), ('["USDT 8000"]', 8_000), ('["BTC 1"]', 0), ("[]", 100_000)],
)
def test_a_changed_fence_divides_the_opening_as_if_it_had_been_so_from_the_beginning(
    fence: str, ours: int
) -> None:
    desk = refenced(Desk(RRR_GATEWAY__RING_FENCE=FENCE).boot(), fence)
    found = row(desk)
    assert (found["ours"], found["external"]) == (ours, 100_000 - ours)
    assert (found["difference"], desk.books.halted) == (0, {})
    count = len(desk.of(Deposit))
    refenced(desk, fence)
    assert len(desk.of(Deposit)) == count


def test_what_a_position_holds_leaves_the_books_once_it_is_free() -> None:
    desk = Desk(RRR_GATEWAY__RING_FENCE='["USDT 600"]').boot()
    entered(desk, "0.01000")
    spent = row(desk)["ours"]
    assert 0 <= spent < 120
    refenced(desk, '["USDT 300"]')
    assert row(desk)["ours"] == 0
    sale = desk.intent("sell", 1_000, reduce_only=True)
    desk.approve(sale)
    desk.settle(also=(SendOrder,))
    desk.fill(sale, "0.01000")
    desk.live_ms(ROUND_MS)
    assert 180 < row(desk)["ours"] <= 300
    assert row(desk)["difference"] == 0


def test_a_fence_is_put_around_books_of_before_that_had_none() -> None:
    desk = refenced(Desk().boot(), FENCE)
    assert (row(desk)["ours"], row(desk)["external"]) == (5_000, 95_000)


def test_what_was_traded_since_the_exchange_was_asked_is_no_difference(desk: Desk) -> None:
    entered(desk, "0.01000")
    found = row(desk)
    assert found["venue"] != found["ours"]
    assert found["difference"] == 0
