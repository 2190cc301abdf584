"""Others' orders and money that moved by itself: they halt, a person adopts them, it goes on."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from schema.exchange import SetLevel
from schema.orders import (
    BalanceSeen,
    Deposit,
    InstrumentHalted,
    InstrumentResumed,
    OrderAdopted,
    OrderDenied,
)
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED

Stops = list[dict[str, str]]


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def stops(desk: Desk) -> Stops:
    return msgspec.json.decode(desk.command("stops").body, type=Stops)


def moved(desk: Desk, delta: str = "-12.34", asset: str = "USDT") -> None:
    """Let money move by itself, and be seen twice."""
    free = desk.account.free
    free[asset] = free.get(asset, Decimal(0)) + Decimal(delta)
    desk.live_ms(92_000)


def test_an_unknown_order_is_adopted_and_its_symbol_resumed_by_the_commands_named(
    desk: Desk,
) -> None:
    held = desk.account.add("by-hand", "sell", Decimal(1))
    desk.push(held.report())
    (stop,) = stops(desk)
    assert stop["release"] == f'rrr adopt {SYMBOL} {held.venue_id} "why"'
    done = desk.command("adopt", "order", SYMBOL, held.venue_id, "it is mine")
    assert done.ok, done.text
    (said,) = desk.of(OrderAdopted)
    assert (said.venue_order_id, said.by, said.reason) == (held.venue_id, "me", "it is mine")
    assert stops(desk)[0]["release"] == f'rrr resume {SYMBOL} "why"'
    assert desk.command("resume-symbol", SYMBOL, "looked").ok
    desk.live_ms(70_000)
    assert stops(desk) == []
    assert dict(desk.core.counters())["external_orders"] == 1
    (row,) = msgspec.json.decode(desk.command("external").body)
    assert (row["open"], row["side"], row["why"]) == ("yes", "sell", "it is mine")
    assert desk.command("adopt", "order", SYMBOL, held.venue_id, "again").text.endswith("already")


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("order",),
        ("order", SYMBOL, "1"),
        ("order", SYMBOL, "1", "why"),
        ("order", SYMBOL, "1", " "),
        ("balance", "USDT", "-12.34", "nowhere", "why"),
        ("balance", "USDT", "-12.34", "external", ""),
        ("balance", "USDT", "-12.33", "external", "why"),
        ("balance", "USDT", "1e9", "external", "why"),
        ("balance", "BNB", "1", "external", "why"),
        ("balance", "USDT", "\x00", "external", "why"),
        ("something", "else", "why"),
    ],
)
def test_what_cannot_be_adopted_is_refused_and_changes_nothing(
    desk: Desk, args: tuple[str, ...]
) -> None:
    moved(desk)
    before = len(desk.said)
    assert not desk.command("adopt", *args).ok
    assert not desk.command("adopt-look", *args[:-1]).ok or args[-1].strip() in {"", "why"}
    assert len(desk.said) == before


def test_money_that_moved_by_itself_halts_the_symbols_of_its_asset_until_adopted(
    desk: Desk,
) -> None:
    moved(desk)
    assert list(desk.books.halted) == [SYMBOL]
    assert [e for e in desk.effects if isinstance(e, SetLevel)] == []  # Told, and answered.
    desk.approve(desk.intent())
    assert desk.of(OrderDenied)[-1].code == "TRADING_HALTED"
    assert {stop["release"] for stop in stops(desk)} == {
        'rrr adopt USDT -12.34 --book trading "why"'
    }
    assert "is not explained" in desk.command("resume-symbol", SYMBOL, "hope").text
    (first, _) = msgspec.json.decode(
        desk.command("adopt-look", "balance", "USDT", "-12.34", "trading").body
    )
    assert first.startswith("-12.34 USDT goes into the trading book")
    done = desk.command("adopt", "balance", "USDT", "-12.34", "trading", "a fee in cash")
    assert done.ok, done.text
    deposit = desk.of(Deposit)[-1]
    assert (deposit.amount, deposit.exp, deposit.book) == (-1234, 2, "trading")
    assert desk.of(InstrumentResumed)[-1].by == "me"
    assert desk.of(BalanceSeen)[-1].difference == 0
    assert stops(desk) == []
    desk.settle()
    desk.live_ms(92_000)
    assert desk.of(BalanceSeen)[-1].difference == 0
    assert desk.books.halted == {}
    assert not desk.command("adopt", "balance", "USDT", "-12.34", "trading", "twice").ok


def test_what_came_is_external_unless_its_owner_says_otherwise(desk: Desk) -> None:
    moved(desk, "0.25", "BTC")
    assert stops(desk)[0]["release"] == 'rrr adopt BTC 0.25 --book external "why"'
    assert desk.command("adopt", "balance", "BTC", "+0.25", "external", "mine").ok is False
    assert desk.command("adopt", "balance", "BTC", "0.250", "external", "mine").ok
    assert desk.of(Deposit)[-1].book == "external"
    assert desk.books.halted == {}


def test_money_of_an_asset_that_nobody_trades_is_shown_and_halts_nothing(desk: Desk) -> None:
    moved(desk, "7", "BNB")
    (stop,) = stops(desk)
    assert (stop["what"], stop["scope"]) == ("unexplained balance", "BNB")
    assert desk.of(InstrumentHalted) == []
    assert dict(desk.core.counters())["unexplained"] == 1


def test_a_difference_survives_a_death_and_is_adopted_after_it(desk: Desk) -> None:
    moved(desk)
    desk.restart("folded")
    desk.put(LISTED)
    assert not desk.command("adopt", "balance", "USDT", "-12.34", "external", "soon").ok
    desk.live_ms(35_000)
    assert {stop["what"] for stop in stops(desk)} == {"instrument halted", "unexplained balance"}
    assert desk.command("adopt", "balance", "USDT", "-12.34", "external", "mine").ok
    assert stops(desk) == []


def test_money_that_came_back_leaves_a_halt_for_a_person_to_release(desk: Desk) -> None:
    moved(desk)
    moved(desk, "12.34")
    assert stops(desk)[0]["release"] == f'rrr resume {SYMBOL} "why"'
    assert desk.command("resume-symbol", SYMBOL, "it is back").ok
    assert stops(desk) == []


def test_adopted_money_releases_nothing_that_something_else_has_halted(desk: Desk) -> None:
    moved(desk)
    desk.push(desk.account.add("by-hand", "sell", Decimal(1)).report())
    assert desk.command("adopt", "balance", "USDT", "-12.34", "external", "mine").ok
    assert list(desk.books.halted) == [SYMBOL]
    assert "rrr adopt BTC/USDT" in stops(desk)[0]["release"]


def test_the_same_difference_halts_again_after_it_was_adopted(desk: Desk) -> None:
    for count in (1, 2):
        moved(desk)
        assert desk.command("adopt", "balance", "USDT", "-12.34", "external", "mine").ok
        assert len(desk.of(InstrumentHalted)) == count
