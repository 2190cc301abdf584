"""Round trips and the strategy's worth, from fills that were worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.market import Instrument
from schema.units import floor_scale
from services.backtest.tally import MONEY_EXP, Tally
from tests.services.backtest.tallied import BTC, BUDGET, NS, SYMBOL, Market

UNIT = 10**MONEY_EXP


def gains(market: Market) -> list[float]:
    return [gain / UNIT for gain in market.tally.gains]


def test_a_long_trip_earns_the_rise_less_its_fees() -> None:
    market = Market()
    market.bars(60_000, 60_000)
    market.trip(60_000, 60_100)
    (trip,) = market.tally.trips
    assert (trip.side, trip.entry_px, trip.exit_px) == ("long", 60_000.0, 60_100.0)
    assert (trip.gain, trip.fees) == (98 * UNIT // 100, 2 * UNIT // 100)
    assert (trip.entry_tag, trip.exit_tag) == ("up", "down")
    assert (trip.opened_bar, trip.closed_bar) == (2, 3)


def test_a_short_trip_earns_the_fall() -> None:
    market = Market()
    market.fill(-0.01, 60_000)
    market.bar(59_000)
    assert market.tally.equity[-1] == (BUDGET + 10) * UNIT
    market.fill(0.01, 59_000)
    (trip,) = market.tally.trips
    assert (trip.side, trip.gain) == ("short", 10 * UNIT)


def test_a_trip_grows_and_shrinks_until_it_is_flat() -> None:
    market = Market()
    for qty, px in ((0.01, 100), (0.03, 200), (-0.02, 300)):
        market.fill(qty * 1000, px)
    assert market.tally.trips == []
    market.fill(-20, 400)
    (trip,) = market.tally.trips
    assert trip.entry_px == pytest.approx((10 * 100 + 30 * 200) / 40)
    assert trip.exit_px == pytest.approx(350)
    assert trip.qty == 40 * 10**5
    assert gains(market) == [20 * 300 + 20 * 400 - 10 * 100 - 30 * 200]


def test_a_fill_through_zero_ends_one_trip_and_begins_another() -> None:
    market = Market()
    market.fill(1, 100, market.order("first"))
    market.fill(-3, 110, market.order("turn"), fee=0.3)
    market.fill(2, 100, market.order("last", "exit"), fee=0.2)
    long, short = market.tally.trips
    assert (long.side, long.exit_tag, long.fees) == ("long", "turn", UNIT // 10)
    assert (short.side, short.entry_tag, short.fees) == ("short", "turn", 4 * UNIT // 10)
    assert gains(market) == [pytest.approx(10 - 0.1), pytest.approx(20 - 0.4)]
    assert sum(market.tally.gains) == round(29.5 * UNIT)


def test_a_stop_is_its_own_reason_and_words_are_cut() -> None:
    market = Market()
    market.fill(0.01, 60_000, market.order("x" * 500))
    market.fill(-0.01, 59_000, market.order("x" * 500, "stop"))
    (trip,) = market.tally.trips
    assert (trip.entry_tag, trip.exit_tag) == ("x" * 60, "stop")


def test_dust_is_flat_and_its_sale_belongs_to_the_trip_that_left_it() -> None:
    market = Market()
    market.fill(0.01, 60_000)
    market.fill(-0.00995, 60_000)
    assert len(market.tally.trips) == 1
    market.fill(-0.00005, 40_000)
    (trip,) = market.tally.trips
    assert trip.gain == -UNIT


def test_a_first_part_too_small_to_sell_is_the_begin_of_a_trip() -> None:
    market = Market()
    market.fill(0.00001, 60_000)
    market.fill(0.01, 60_000)
    assert market.tally.trips == []
    market.fill(-0.01001, 60_000)
    assert len(market.tally.trips) == 1


def test_a_fee_in_the_base_asset_is_a_cost() -> None:
    market = Market()
    market.fill(0.01, 60_000, fee=0.00001, fee_asset="BTC")
    market.fill(-0.00999, 60_000)
    market.bar(60_000)
    assert market.tally.fees == 6 * UNIT // 10
    assert market.tally.equity[-1] == BUDGET * UNIT - 6 * UNIT // 10


def test_a_bar_that_is_sampled_again_replaces_its_sample() -> None:
    market = Market()
    market.fill(0.01, 60_000)
    market.bars(60_000, 61_000)
    market.fill(-0.01, 60_500)
    market.bar(61_000, same=True)
    assert [worth / UNIT for worth in market.tally.equity] == [1000, 1000, 1005]
    assert (market.tally.bars, market.tally.exposed) == (2, 1)


def test_two_symbols_share_a_budget_and_a_time_line() -> None:
    other = "ETH/USDT"
    eth = Instrument(**{name: getattr(BTC, name) for name in BTC.__struct_fields__})
    market = Market(instruments=(BTC, _named(eth, other)))
    market.fill(0.01, 60_000)
    market.fill(1, 2_000, symbol=other)
    market.bar(60_100)
    market.bar(2_010, other, same=True)
    market.bar(60_100)
    market.bar(2_020, other, same=True)
    assert [worth / UNIT for worth in market.tally.equity] == [1000, 1011, 1021]
    assert {len(prices) for prices in market.tally.prices.values()} == {3}


def _named(instrument: Instrument, symbol: str) -> Instrument:
    values = {name: getattr(instrument, name) for name in instrument.__struct_fields__}
    return Instrument(**values | {"symbol": symbol, "base": symbol.partition("/")[0]})


steps = st.lists(
    st.tuples(st.integers(-400, 400).filter(bool), st.integers(5_000, 15_000), st.integers(0, 50)),
    min_size=1,
    max_size=30,
)


@given(steps)
def test_trips_and_what_is_still_open_are_all_that_was_earned(
    moves: list[tuple[int, int, int]],
) -> None:
    market = Market()
    for lots, cents, fee in moves:
        market.fill(lots / 100, cents / 100, fee=fee / 100)
        market.bar(cents / 100)
    tally: Tally = market.tally
    holding = tally.ledger.holding(SYMBOL)
    assert holding is not None
    earned = floor_scale(holding.realized - holding.fees, holding.quote_exp, MONEY_EXP)
    if tally.lanes[SYMBOL].trip is None and holding.flat:
        assert sum(tally.gains) == earned
    worth = earned + floor_scale(holding.unrealized(moves[-1][1]), holding.quote_exp, MONEY_EXP)
    assert tally.equity[-1] == tally.budget + worth
    assert [trip.opened_ns for trip in tally.trips] == sorted(t.opened_ns for t in tally.trips)
    assert tally.at_ns[0] == NS
