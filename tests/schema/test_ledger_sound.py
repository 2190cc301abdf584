"""Funding, rebates and fees of any asset: whole books add up after every event, whatever came."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.holding import Holding, Move, hold
from schema.identity import client_order_id, strategy_tag, tag_of
from schema.ledger import Ledger, Money, book, deposit, hand_over
from schema.orders import Deposit, Fill
from schema.soundness import assert_sound
from schema.units import floor_scale

SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")
NAMES = ("pulse", "trend", "nobody")
KINDS = ("opening", "transfer", "funding", "rebate", "dividend", "adjustment")


def fill(n: int, symbol: str = SYMBOLS[0], name: str = NAMES[0], **changes: Any) -> Fill:
    values: dict[str, Any] = {
        "ts_event": n, "client_order_id": client_order_id("test", name, symbol, "m", 0),
        "symbol": symbol, "side": "buy", "venue_order_id": "1", "venue_trade_id": str(n),
        "px": 100, "qty": 10, "quote_qty": 1000, "fee": 0, "fee_asset": "USDT", "maker": False,
        "px_exp": 0, "qty_exp": 0, "quote_exp": 0, "fee_exp": 0,
    }  # fmt: skip
    return Fill(**values | changes)


def put(amount: int, exp: int = 0, asset: str = "USDT", **changes: Any) -> Deposit:
    return Deposit(ts_event=0, asset=asset, amount=amount, exp=exp, venue_id="1", **changes)


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    qty_exp, px_exp = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    qty, px = draw(st.integers(1, 10_000)), draw(st.integers(1, 100_000))
    quote_exp = draw(st.integers(0, qty_exp + px_exp))
    return fill(
        draw(st.integers(0, 30)),
        draw(st.sampled_from(SYMBOLS)),
        draw(st.sampled_from(NAMES)),
        side=draw(st.sampled_from(["buy", "sell"])),
        px=px, px_exp=px_exp, qty=qty, qty_exp=qty_exp,
        quote_qty=floor_scale(px * qty, px_exp + qty_exp, quote_exp), quote_exp=quote_exp,
        fee=draw(st.integers(-1_000, 10_000)), fee_exp=draw(st.integers(0, 8)),
        fee_asset=draw(st.sampled_from(["USDT", "BTC", "ETH", "BNB"])),
    )  # fmt: skip


deposits = st.builds(
    lambda amount, exp, asset, kind, symbol, book_name: put(
        amount, exp, asset, kind=kind, symbol=symbol, book=book_name
    ),
    st.integers(-(10**9), 10**9),
    st.integers(0, 8),
    st.sampled_from(["USDT", "BTC", "ETH", "BNB"]),
    st.sampled_from(KINDS),
    st.sampled_from(["", *SYMBOLS]),
    st.sampled_from(["trading", "trading", "external"]),
)


@given(st.lists(st.one_of(fills(), deposits), max_size=30))
def test_books_are_sound_after_every_event(story: list[Fill | Deposit]) -> None:
    ledger = Ledger()
    for message in story:
        if isinstance(message, Deposit):
            deposit(ledger, message)
        elif book(ledger, message) and tag_of(message.client_order_id) == strategy_tag("nobody"):
            hand_over(ledger, message, strategy_tag(NAMES[0]))
        assert_sound(ledger)


@given(st.lists(st.one_of(fills(), deposits), max_size=20))
def test_earnings_and_fees_are_what_was_said_of_them(story: list[Fill | Deposit]) -> None:
    ledger, earned, fees, put_in = Ledger(), 0, 0, 0
    for message in story:
        if isinstance(message, Fill):
            booked = book(ledger, message) and message.fee_asset == "USDT"
            fees += message.fee * 10 ** (8 - message.fee_exp) if booked else 0
            continue
        deposit(ledger, message)
        ours = message.book == "trading" and message.asset == "USDT"
        amount = message.amount * 10 ** (8 - message.exp) if ours else 0
        earned += amount if message.kind in {"funding", "dividend"} else 0
        fees -= amount if message.kind == "rebate" else 0
        put_in += amount if message.kind in {"opening", "transfer", "adjustment"} else 0
    purse = ledger.balances.get("USDT")
    if purse is not None:
        factor = 10 ** (8 - purse.exp)
        assert (purse.earned * factor, purse.fees * factor, purse.put * factor) == (
            earned, fees, put_in,
        )  # fmt: skip


def held(ledger: Ledger, name: str = "") -> Holding:
    found = ledger.holding(SYMBOLS[0], strategy_tag(name) if name else "")
    assert found is not None
    return found


def test_funding_moves_cash_and_what_a_position_earned_and_nothing_else() -> None:
    ledger = Ledger()
    deposit(ledger, put(10_000))
    book(ledger, fill(1, qty=30, quote_qty=3000))
    book(ledger, fill(2, name="trend", qty=10, quote_qty=1000))
    deposit(ledger, put(-41, 1, kind="funding", symbol=SYMBOLS[0]))
    assert ledger.balance("USDT") == Money(60_000 - 41, 1)
    assert ledger.deposited("USDT") == Money(100_000, 1)
    whole = held(ledger)
    assert (whole.qty, whole.realized, whole.cost) == (40, 0, 40_000)
    assert (whole.funding, whole.realized_net) == (-41, -41)
    assert (held(ledger, "pulse").funding, held(ledger, "trend").funding) == (-31, -10)


def test_a_rebate_is_a_fee_below_zero_however_it_comes() -> None:
    ledger = Ledger()
    book(ledger, fill(1, fee=-3))
    assert (held(ledger).fees, ledger.balance("USDT").amount) == (-3, -997)
    deposit(ledger, put(2, kind="rebate", symbol=SYMBOLS[0]))
    assert (held(ledger).fees, ledger.charged("USDT")) == (-5, Money(-5, 0))
    deposit(ledger, put(1, asset="BNB", kind="rebate"))
    assert ledger.charged("BNB") == Money(-1, 0)
    assert ledger.deposited("BNB") == Money(0, 0)


def test_what_an_event_breaks_is_found_in_that_event() -> None:
    ledger = Ledger()
    book(ledger, fill(1))
    ledger.balances["USDT"].amount += 1
    with pytest.raises(AssertionError, match="Purse"):
        book(ledger, fill(2))
    with pytest.raises(AssertionError, match="there is"):
        assert_sound(ledger)
    wrong = Holding(0, 0, 0, qty=0, cost=7)
    with pytest.raises(AssertionError, match="flat position"):
        hold(wrong, Move(0, 0, 1, 0, 0, 0, 0))
