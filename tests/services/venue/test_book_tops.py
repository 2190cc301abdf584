"""The top of a book, worked out alone: to the last bit that of the whole book."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.venue.book import (
    SPREAD_MAX,
    book_after,
    last_of,
    top_after,
    top_behind,
    top_of,
    tops_behind,
)
from services.venue.columns import Facts, Tape, no_trades
from services.venue.noise import share, uniform

INT64 = 1 << 63

keys = st.integers(0, INT64 - 1)
FACTS = Facts("BTC/USDT", 2, 5, grid=7, depth_lots=12_345, key=977_531)


@given(keys, st.integers(-INT64, INT64 - 1))
def test_chance_at_one_place_is_that_of_an_array(key: int, index: int) -> None:
    assert share(key, index) == uniform(key, np.array([index], np.int64))[0]


@given(
    px=st.integers(1, 10**12),
    sold=st.booleans(),
    trade_id=st.integers(1, 10**9),
    at_ms=st.integers(0, 1 << 41),
)
def test_a_top_alone_is_that_of_its_whole_book(
    *, px: int, sold: bool, trade_id: int, at_ms: int
) -> None:
    at, price, one = (np.array([n], np.int64) for n in (at_ms, px, 1))
    tape = Tape(trade_id, at, price, one, np.array([sold]))
    assert top_after(FACTS, tape, at_ms) == top_of(book_after(FACTS, tape, at_ms))


trades = st.tuples(st.integers(1, 50), st.integers(SPREAD_MAX + 1, 10**9), st.booleans())


@given(st.lists(trades, min_size=1, max_size=20), st.lists(st.integers(0, 1_000), min_size=1))
def test_tops_at_many_times_are_those_at_each_of_them(
    told: list[tuple[int, int, bool]], times_ms: list[int]
) -> None:
    gaps, px, sold = (np.array(column) for column in zip(*told, strict=True))
    tape = Tape(7, np.cumsum(gaps), px, np.ones(len(px), np.int64), sold)
    columns = tops_behind(FACTS, tape, np.array(times_ms, np.int64))
    for at_ms, traded_ms, *sides in zip(times_ms, *(c.tolist() for c in columns), strict=True):
        before = tape.slice(0, max(1, int(np.searchsorted(tape.at_ms, at_ms, side="right"))))
        top = top_behind(FACTS, last_of(before), at_ms)
        assert (traded_ms, *sides) == (last_of(before).at_ms, *top.bid, *top.ask)


def test_no_trade_leaves_both_sides_empty() -> None:
    nothing = no_trades(1)
    assert top_after(FACTS, nothing, 5) == top_of(book_after(FACTS, nothing, 5))
