"""Laws of sizing: whatever is asked for, an order is whole, on a tick, and never larger."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from schema.ledger import Holding
from schema.market import Instrument
from services.engine.sizing import closable, lots_for, trigger
from tests.services.engine.engine_made import instrument

money = st.floats(0, 1e9, allow_nan=False)
prices = st.integers(1, 10**9)


@given(money, prices, st.integers(1, 1000))
def test_lots_never_cost_more_than_the_money(amount: float, px: int, lot: int) -> None:
    listed: Instrument = instrument(lot=lot, max_qty=0)
    qty = lots_for(amount, px, listed)
    assert qty % lot == 0
    assert qty * px <= amount * 10**7 * (1 + 1e-12)


@given(st.floats(0.01, 1e6), st.integers(1, 500))
def test_a_stop_is_on_a_tick_and_never_nearer(price: float, tick: int) -> None:
    px = trigger(price, instrument(tick=tick), "sell")
    bought = trigger(price, instrument(tick=tick), "buy")
    assert px % tick == 0
    assert px <= Decimal(repr(price)) * 100 <= bought
    assert bought % tick == 0


@given(st.integers(-(10**12), 10**12), st.integers(5, 9), prices)
def test_what_is_sold_is_whole_lots_of_what_is_held(qty: int, exp: int, px: int) -> None:
    held = max(0, closable(Holding(2, exp, 8, qty=qty), instrument(lot=10), px))
    assert held % 10 == 0
    assert held * 10 ** (exp - 5) <= max(0, qty)
