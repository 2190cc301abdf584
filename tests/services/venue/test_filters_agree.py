"""Two filters written apart: what passes the one that asks before, the exchange's own takes."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.head import Side
from schema.instruments import LIMITS, TRIGGERS, VENUE_TYPES, Standing, check, market_step
from schema.listing import instrument_of
from schema.market import Instrument
from schema.trading import OrderIntent
from schema.units import limit_px, order_qty, to_int, to_text, trigger_px
from services.venue.account import Terms
from services.venue.columns import Facts, Tape
from services.venue.desk import Desk
from services.venue.limits import MULTIPLIER, UNIT, Limits
from services.venue.orders import Order, Ticket
from services.venue.params import Refusal
from services.venue.payload import symbol_row
from tests.services.venue.scripted import START_MS, Scripted

QUANTITY = {"QUANTITY_BELOW_MINIMUM", "QUANTITY_EXCEEDS_MAXIMUM", "VALIDATION_FAILED"}
SAME = {
    "Market is closed.": {"TRADING_HALTED"},
    "Invalid quantity.": QUANTITY,
    "Filter failure: PRICE_FILTER": {"VALIDATION_FAILED"},
    "Filter failure: PERCENT_PRICE_BY_SIDE": {"PRICE_OUTSIDE_COLLAR"},
    "Filter failure: LOT_SIZE": QUANTITY,
    "Filter failure: MARKET_LOT_SIZE": QUANTITY,
    "Filter failure: NOTIONAL": {"NOTIONAL_BELOW_MINIMUM", "NOTIONAL_EXCEEDS_MAXIMUM"},
    "Filter failure: MAX_NUM_ORDERS": {"MAX_OPEN_ORDERS_EXCEEDED"},
    "Filter failure: MAX_NUM_ALGO_ORDERS": {"MAX_OPEN_ORDERS_EXCEEDED"},
    "Filter failure: MAX_POSITION": {"MAX_POSITION_EXCEEDED"},
}
"""What each refusal of the exchange is called where it is foreseen."""

RICH = {"USDT": 9 * 10**10 * UNIT, "BTC": 50 * UNIT}
PLAIN = ("limit", "limit_maker", "market", "stop", "stop_limit", "take_profit", "take_profit_limit")


class Quiet(Scripted):
    """A market of one symbol that has traded at one price."""

    def __init__(self, facts: Facts, px: int) -> None:
        super().__init__()
        self.facts = {facts.id: facts}
        one = np.array([px], np.int64)
        self._tape = Tape(1, np.array([START_MS - 500], np.int64), one, one, np.zeros(1, np.bool_))


@st.composite
def symbols(draw: st.DrawFn) -> Facts:
    """Draw a symbol with rules of its own."""
    px_exp, qty_exp = draw(st.integers(0, 4)), draw(st.integers(0, 5))
    tick = draw(st.integers(1, 50)) * 10 ** (8 - px_exp)
    lot = draw(st.integers(1, 50)) * 10 ** (8 - qty_exp)
    lots, amount = st.integers(0, 40), st.integers(1, 10**6)
    low, high = st.integers(1, MULTIPLIER), st.integers(MULTIPLIER, 9 * MULTIPLIER)
    own = Limits(
        tick=tick,
        lot=lot,
        least=draw(amount) * UNIT // 1000,
        least_px=draw(lots) * tick,
        most_px=draw(st.sampled_from([9 * 10**10 * UNIT, 500 * UNIT])),
        least_qty=draw(lots) * lot,
        most_qty=draw(st.integers(50, 10**5)) * lot,
        market_lot=draw(st.sampled_from([0, lot, 2 * lot, 3 * lot])),
        market_least=draw(lots) * lot,
        market_most=draw(st.integers(40, 10**5)) * lot,
        most=draw(st.integers(1_000, 10**7)) * UNIT,
        least_of_market=draw(st.booleans()),
        most_of_market=draw(st.booleans()),
        bid=(draw(low), draw(high)),
        ask=(draw(low), draw(high)),
        orders=draw(st.integers(1, 4)),
        algo_orders=draw(st.integers(1, 3)),
        position=draw(st.integers(40, 10**4)) * UNIT,
    )
    return Facts("BTC/USDT", px_exp, qty_exp, grid=1, depth_lots=9, key=1, own=own)


def intent_of(instrument: Instrument, draw: Any, px: int) -> OrderIntent:
    """Draw an order as the house makes one: from any numbers, rounded by its own rules."""
    side: Side = draw(st.sampled_from(["buy", "sell"]))
    kind = draw(st.sampled_from(PLAIN))
    priced, stopped, tick = kind in LIMITS, kind in TRIGGERS, instrument.tick
    near = st.integers(px // 3, px * 3)
    way: Any = "take_profit" if kind.startswith("take_profit") else "stop"
    lot = instrument.lot if priced else market_step(instrument)
    return OrderIntent(
        ts_event=1,
        client_order_id="0" * 32,
        strategy="sma",
        symbol=instrument.symbol,
        side=side,
        order_type=kind,
        qty=order_qty(draw(st.integers(0, 120)) * instrument.lot + draw(st.integers(0, 3)), lot),
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        limit_px=limit_px(draw(near), tick, side) if priced else 0,
        stop_px=trigger_px(draw(near), tick, side, way) if stopped else 0,
        ref_px=px,
    )


def ticket_of(intent: OrderIntent) -> Ticket:
    def wire(n: int, exp: int) -> int:
        return to_int(to_text(n, exp), 8)

    return Ticket(
        symbol="BTCUSDT",
        side="BUY" if intent.side == "buy" else "SELL",
        type=VENUE_TYPES[intent.order_type],  # type: ignore[arg-type]
        qty=wire(intent.qty, intent.qty_exp),
        px=wire(intent.limit_px, intent.px_exp),
        stop_px=wire(intent.stop_px, intent.px_exp),
    )


def waiting(number: int, *, stops: bool) -> Order:
    return Order(
        id=number,
        symbol="BTCUSDT",
        client_id=f"old {number}",
        side="SELL",
        type="STOP_LOSS" if stops else "LIMIT",
        tif="GTC",
        asset="BTC",
        qty=1,
        created_ms=1,
        updated_ms=1,
        working_ms=-1 if stops else 1,
    )


def said_by(desk: Desk, ticket: Ticket) -> str:
    try:
        desk.test(ticket)
    except Refusal as refusal:
        return refusal.msg if refusal.code == -1013 else ""
    return ""


@settings(max_examples=200, deadline=None)
@given(symbols(), st.integers(2, 400), st.integers(0, 4), st.integers(0, 3), st.data())
def test_what_the_exchange_refuses_by_a_filter_was_foreseen_by_the_same_reason(
    facts: Facts, price: int, plain: int, stops: int, data: Any
) -> None:
    instrument = instrument_of(symbol_row(facts), 1)
    px = max(price * 10**instrument.px_exp // instrument.tick, 1) * instrument.tick
    desk = Desk(Quiet(facts, to_int(to_text(px, instrument.px_exp), facts.px_exp)),
                Terms(10, 10, RICH), START_MS)  # fmt: skip
    for number in range(plain + stops):
        desk.records.put(waiting(number + 1, stops=number >= plain))
    intent = intent_of(instrument, data.draw, px)
    standing = Standing(
        orders=plain + stops, algo_orders=stops, position=50 * 10**instrument.qty_exp
    )
    theirs = said_by(desk, ticket_of(intent))
    ours = check(instrument, intent, standing=standing, reference_px=px)
    if theirs:
        # A stop becomes a market order, and is held against the bounds of one already here.
        stricter = QUANTITY if intent.order_type in TRIGGERS else set()
        assert ours is not None, (theirs, intent)
        assert ours.code in SAME[theirs] | stricter, (theirs, ours)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**4), st.integers(1, 10**4))
def test_rounding_stays_on_the_grid_and_never_makes_an_order_larger_or_bolder(
    px: int, qty: int, tick: int, lot: int
) -> None:
    assert limit_px(px, tick, "buy") <= px <= limit_px(px, tick, "sell")
    assert trigger_px(px, tick, "sell", "stop") <= px <= trigger_px(px, tick, "buy", "stop")
    assert trigger_px(px, tick, "buy", "take_profit") <= px
    assert px <= trigger_px(px, tick, "sell", "take_profit")
    assert order_qty(qty, lot) <= qty < order_qty(qty, lot) + lot
    sides: tuple[Side, Side] = ("buy", "sell")
    prices = [limit_px(px, tick, side) for side in sides]
    prices += [trigger_px(px, tick, side, "stop") for side in sides]
    assert not any(each % tick for each in prices)
    assert order_qty(qty, lot) % lot == 0
