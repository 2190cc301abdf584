"""Trades made from bars: exact, deterministic, refused when they cannot be made."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue.columns import MINUTE_MS, Bars, Tape
from services.venue.tape import Chance, counts, flaw, least, make_tape

START_MS = 1_700_000_040_000
CHANCE = Chance(7, "BTC/USDT")
BIG = 2**61
Row = tuple[int, int, int, int, int]


@st.composite
def bar(draw: st.DrawFn) -> Row:
    low = draw(st.integers(1, 10**13))
    high = low + draw(st.one_of(st.integers(0, 3), st.integers(0, 10**9)))
    inside = st.one_of(st.just(low), st.just(high), st.integers(low, high))
    open_, close = draw(inside), draw(inside)
    needed = least(open_, high, low, close)
    volume = draw(st.one_of(st.integers(needed, needed + 30), st.integers(needed, BIG)))
    return open_, high, low, close, volume


def bars_of(rows: list[Row]) -> Bars:
    open_, high, low, close, volume = (
        np.array(column, np.int64) for column in zip(*rows, strict=True)
    )
    opens = START_MS + MINUTE_MS * np.arange(len(rows), dtype=np.int64)
    empty = np.zeros(len(rows), np.int64)
    bars = Bars(opens, open_, high, low, close, volume, empty)
    return Bars(opens, open_, high, low, close, volume, counts(CHANCE, bars))


def minutes(bars: Bars, tape: Tape) -> list[Tape]:
    ends = np.cumsum(bars.count)
    return [
        tape.slice(int(end - count), int(end)) for end, count in zip(ends, bars.count, strict=True)
    ]


@given(st.lists(bar(), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_the_trades_of_a_bar_make_exactly_that_bar(rows: list[Row]) -> None:
    bars = bars_of(rows)
    assert all(flaw(*row) is None for row in rows)
    tape = make_tape(CHANCE, bars, 1)
    assert len(tape) == bars.count.sum()
    for n, trades in enumerate(minutes(bars, tape)):
        px, qty = trades.px.tolist(), trades.qty.tolist()
        assert (px[0], max(px), min(px), px[-1], sum(qty)) == rows[n]
        assert min(qty) >= 1
        times = (trades.at_ms - bars.open_ms[n]).tolist()
        assert times == sorted(times) and times[0] >= 0 and times[-1] < MINUTE_MS


@given(st.lists(bar(), min_size=2, max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_minutes_trades_do_not_depend_on_the_minutes_around_it(rows: list[Row]) -> None:
    bars = bars_of(rows)
    whole = minutes(bars, make_tape(CHANCE, bars, 1))[-1]
    last = len(rows) - 1
    alone = make_tape(CHANCE, bars.slice(last, last + 1), whole.first_id)
    for column in ("at_ms", "px", "qty", "maker"):
        assert getattr(alone, column).tolist() == getattr(whole, column).tolist()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((10, 12, 9, 11, 3), "at least 4 lots"),
        ((10, 12, 10, 12, 1), "at least 2 lots"),
        ((10, 12, 10, 10, 2), "at least 3 lots"),
        ((10, 11, 10, 10, 0), "at least 3 lots"),
        ((10, 12, 11, 11, 50), "low <= open"),
        ((10, 9, 9, 9, 50), "low <= open"),
        ((10, 12, 9, 13, 50), "low <= open"),
        ((0, 1, 0, 1, 50), "above zero"),
        ((10, 10, 10, 10, -1), "zero or more"),
    ],
)
def test_a_bar_that_no_trades_can_make_is_refused(row: Row, expected: str) -> None:
    assert expected in (flaw(*row) or "")


def test_a_flat_bar_needs_one_lot_and_one_without_volume_is_no_error() -> None:
    assert flaw(10, 10, 10, 10, 1) is None
    assert flaw(10, 10, 10, 10, 0) is None


def test_another_seed_makes_other_trades_of_the_same_bar() -> None:
    bars = bars_of([(1000, 1100, 900, 1050, 10**9)])
    one, other = make_tape(CHANCE, bars, 1), make_tape(Chance(8, "BTC/USDT"), bars, 1)
    assert one.qty.tolist() != other.qty.tolist()
