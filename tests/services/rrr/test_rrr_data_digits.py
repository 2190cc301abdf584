"""Columns of decimal text become the integers that a person would write down."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rrr.data_digits import PAD, number, numbers
from services.rrr.data_times import dates, epochs, moment

FIELDS = st.one_of(
    st.from_regex(r"[0-9]{1,22}(\.[0-9]{0,14})?", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}(e-?[0-9]{1,2})?", fullmatch=True),
    st.text(alphabet="0123456789.-+eE nax", max_size=12),
)


def laid(fields: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    text = ",".join(fields).encode()
    lengths = np.array([len(field) for field in fields])
    starts = PAD + np.concatenate(([0], np.cumsum(lengths + 1)[:-1]))
    return np.frombuffer(b" " * PAD + text + b"\n", np.uint8), starts, starts + lengths


@given(st.lists(FIELDS, min_size=1, max_size=20))
def test_what_numpy_reads_is_what_the_text_says_to_the_last_digit(fields: list[str]) -> None:
    found = numbers(*laid(fields))
    for at, field in enumerate(fields):
        if not found.odd[at]:
            exact = Decimal(int(found.values[at])).scaleb(-int(found.decimals[at]))
            assert exact == Decimal(field)
            assert number(field).restored is False


@given(st.lists(st.decimals(0, 10**9, places=8), min_size=1, max_size=20))
def test_plain_decimals_are_never_left_to_the_slow_way(values: list[Decimal]) -> None:
    assert not numbers(*laid([f"{value:f}" for value in values])).odd.any()


@given(st.decimals(0, 10**6, places=8))
def test_the_digits_of_a_binary_float_are_taken_off(value: Decimal) -> None:
    read = number(repr(float(value) * 3 / 3))
    assert abs(Decimal(read.value).scaleb(-read.decimals) - value) <= value / 10**15


@given(FIELDS)
def test_a_number_is_exact_or_says_that_it_is_not(field: str) -> None:
    try:
        read = number(field)
    except ValueError:
        return
    exact = Decimal(read.value).scaleb(-read.decimals)
    assert (exact == Decimal(field)) or read.rounded or read.restored
    if read.restored:
        assert abs(exact - Decimal(field)) <= abs(Decimal(field)) / 10**14
    else:
        assert abs(exact - Decimal(field)) <= Decimal(10) ** -read.decimals
    assert abs(read.value) < 2**63


@given(st.integers(946_684_800, 7_000_000_000), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_an_epoch_of_any_unit_is_the_same_moment(seconds: int, unit: int) -> None:
    found, fine = epochs(np.array([seconds * unit]), np.array([0]))
    assert fine.all()
    assert found[0] == seconds * 10**9


@given(st.datetimes())
def test_dates_by_the_column_are_dates_one_by_one(value: object) -> None:
    text = str(value)[:19]
    found, fine = dates(*laid([text]))
    if fine[0]:
        assert found[0] == moment(text)
    else:
        assert not "1970" <= text[:4] < "2200"


@pytest.mark.parametrize("text", ["2024-13-01", "2024-02-30 00:00:00", "2024-03-01 24:00:00"])
def test_days_that_are_not_in_the_calendar_are_no_dates(text: str) -> None:
    assert not dates(*laid([text]))[1].any()
    with pytest.raises(ValueError, match="expected an ISO time"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "hour"), [("12-AM", 0), ("01-AM", 1), ("11-AM", 11), ("12-PM", 12), ("11-PM", 23)]
)
def test_hours_of_the_clock_with_twelve_are_read(text: str, hour: int) -> None:
    assert moment(f"1970-01-01 {text}") == hour * 3600 * 10**9
