"""Exact numbers: nothing is lost in silence, and no order grows or turns more aggressive."""

from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import units
from schema.head import Side
from schema.setting_types import TIMEFRAMES_NS

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
PX = st.integers(0, 2**62)
EXP = st.integers(0, 18)
STEP = st.integers(1, 10**12)
SIDES = st.sampled_from(get_args(Side))


@given(INT64, EXP)
def test_an_integer_comes_back_from_its_text(n: int, exp: int) -> None:
    text = units.to_text(n, exp)
    assert units.to_int(text, exp) == n
    assert Decimal(text) == Decimal(n).scaleb(-exp)
    assert "E" not in text


@pytest.mark.parametrize(
    ("text", "exp", "n"),
    [
        ("0.10", 1, 1),
        ("0.10", 8, 10_000_000),
        ("-0.01", 2, -1),
        ("+5", 0, 5),
        ("007", 0, 7),
        ("1.000", 0, 1),
        ("92233720368.54775807", 8, 2**63 - 1),
    ],
)
def test_exact_text_becomes_an_integer(text: str, exp: int, n: int) -> None:
    assert units.to_int(text, exp) == n


@pytest.mark.parametrize(
    ("text", "exp", "says"),
    [
        ("0.123", 2, "'0.123' has 3 decimals: expected at most 2"),
        ("92233720368.54775808", 8, "below 2"),
        ("-92233720368.54775808", 8, "below 2"),
        ("9" * 41, 0, "expected a plain decimal"),
        *((text, 2, "expected a plain decimal") for text in ("", ".", "1.", ".5", "1e2", "1_0")),
        *((text, 2, "expected a plain decimal") for text in ("NaN", "Infinity", " 1", "1\n", "٣")),
        *((text, 2, "expected a plain decimal") for text in ("--1", "1,5", "0x10", "1.2.3")),
    ],
)
def test_text_that_is_not_exact_is_refused(text: str, exp: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        units.to_int(text, exp)


@given(st.text(max_size=30), EXP)
def test_garbage_is_a_value_error_and_nothing_else(text: str, exp: int) -> None:
    try:
        n = units.to_int(text, exp)
    except ValueError:
        return
    assert Decimal(text) == Decimal(n).scaleb(-exp)


def test_texts_take_the_decimals_that_one_of_them_needs() -> None:
    assert units.to_ints(["0.10"], 2) == ((10,), 2)
    assert units.to_ints(["5", "0.12300"], 2) == ((5_000, 123), 3)
    with pytest.raises(ValueError, match="plain decimal"):
        units.to_ints(["5", "1e-5"], 2)


@pytest.mark.parametrize(
    ("step", "exp"), [("0.01000000", 2), ("1.00000000", 0), ("10", 0), ("0.00000001", 8), ("0", 0)]
)
def test_a_step_says_how_many_decimals_there_are(step: str, exp: int) -> None:
    assert units.exp_of(step) == exp


@pytest.mark.parametrize("step", ["", "1e-8", "-", "0." + "0" * 18 + "1"])
def test_a_step_that_is_none_is_refused(step: str) -> None:
    with pytest.raises(ValueError, match="expected a plain decimal"):
        units.exp_of(step)


@given(st.integers(-(10**9), 10**9), st.integers(0, 9), st.integers(0, 9))
def test_rescaling_there_and_back_changes_nothing(n: int, exp: int, more: int) -> None:
    assert units.rescale(units.rescale(n, exp, exp + more), exp + more, exp) == n


def test_rescaling_that_loses_digits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.23 cannot be written with 1 decimals"):
        units.rescale(123, 2, 1)


def test_rescaling_out_of_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        units.rescale(2**62, 0, 1)


@given(st.integers(-(2**62), 2**62), st.integers(0, 9), st.integers(0, 9))
def test_scaling_rounds_to_the_side_that_its_name_says(n: int, exp: int, less: int) -> None:
    exact = Decimal(n).scaleb(less)
    assert units.floor_scale(n, exp + less, exp) * 10**less <= n
    assert n - units.floor_scale(n, exp + less, exp) * 10**less < 10**less
    assert 0 <= units.ceil_scale(n, exp + less, exp) - units.floor_scale(n, exp + less, exp) <= 1
    assert units.ceil_scale(n, exp + less, exp) * 10**less >= n
    assert exact == n * 10**less


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_what_is_reserved_is_never_less_than_the_worth(px: int, qty: int) -> None:
    least, most = units.notional(px, qty, 10, 8), units.notional_at_most(px, qty, 10, 8)
    assert least * 100 <= px * qty <= most * 100
    assert most - least <= 1
    assert units.quote_volume(px * qty, 10, 8) == least


@pytest.mark.parametrize(("px_exp", "qty_exp", "expected"), [(2, 5, 7), (2, 8, 8), (0, 0, 0)])
def test_money_has_eight_decimals_at_most(px_exp: int, qty_exp: int, expected: int) -> None:
    assert units.quote_exp(px_exp, qty_exp) == expected


@given(PX, STEP, SIDES)
def test_a_limit_is_never_more_aggressive(px: int, tick: int, side: Side) -> None:
    rounded = units.limit_px(px, tick, side)
    assert rounded % tick == 0
    assert abs(rounded - px) < tick
    assert rounded <= px if side == "buy" else rounded >= px
    assert units.limit_px(rounded, tick, side) == rounded


@given(PX, STEP, SIDES, st.sampled_from(get_args(units.Trigger)))
def test_a_trigger_moves_away_from_the_market(
    px: int, tick: int, side: Side, kind: units.Trigger
) -> None:
    rounded = units.trigger_px(px, tick, side, kind)
    above = (side, kind) in {("buy", "stop"), ("sell", "take_profit")}
    assert rounded % tick == 0
    assert rounded >= px if above else rounded <= px


@given(PX, STEP)
def test_a_quantity_never_grows(qty: int, lot: int) -> None:
    rounded = units.order_qty(qty, lot)
    assert 0 <= rounded <= qty < rounded + lot
    assert rounded % lot == 0


def test_no_step_asks_for_nothing() -> None:
    assert units.limit_px(123, 0, "sell") == units.order_qty(123, 0) == 123


def test_rounding_up_out_of_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        units.ceil_to(2**63 - 1, 2)


def test_a_negative_price_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        units.limit_px(-1, 1, "buy")


@given(st.integers(0, 2**63 - 1))
def test_a_time_comes_back_from_its_text(ns: int) -> None:
    assert units.parse_iso(units.iso(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.500Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_723_075_200_000_000_000, "2024-08-08T00:00:00Z"),
    ],
)
def test_a_time_is_written_as_people_write_it(ns: int, text: str) -> None:
    assert units.iso(ns) == text


@pytest.mark.parametrize(
    "text",
    ["2024-08-08", "2024-08-08T00:00", "2024-08-08 00:00:00", "2024-08-08T02:00:00.0+02:00"],
)
def test_a_time_may_be_written_shorter(text: str) -> None:
    assert units.iso(units.parse_iso(text)) == "2024-08-08T00:00:00Z"


def test_times_to_the_millisecond_are_of_one_width() -> None:
    assert units.iso_ms(0) == "1970-01-01T00:00:00.000Z"
    assert units.iso_ms(1_723_161_601_271_999_999) == "2024-08-09T00:00:01.271Z"


@pytest.mark.parametrize(
    "text",
    ["", "now", "2024-13-01", "2024-08-08T25:00", "20240808", "2024-08-08Z", "0000-01-01", "1e9"],
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an ISO time"):
        units.parse_iso(text)


@given(st.integers(0, 2**62), st.sampled_from(list(TIMEFRAMES_NS)))
def test_a_bar_holds_its_opening_and_not_its_close(at_ns: int, timeframe: str) -> None:
    opened, closes = units.bar_open_ns(at_ns, timeframe), units.bar_close_ns(at_ns, timeframe)
    assert opened <= at_ns < closes
    assert units.bar_open_ns(opened, timeframe) == opened
    assert units.bar_open_ns(closes, timeframe) == closes
    assert closes - opened == TIMEFRAMES_NS[timeframe]


def test_an_unknown_timeframe_is_refused() -> None:
    with pytest.raises(ValueError, match="'2m': expected one of 1m 5m"):
        units.bar_open_ns(0, "2m")
