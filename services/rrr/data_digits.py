"""Decimal texts to integers, a column of a block at a time, exactly and never by way of a float.

The plain ones, digits with at most one point, are read by numpy; whatever else stands in a column
is read one by one, by the rules of `number`.
"""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import msgspec
import numpy as np

from schema.units import INT64_LIMIT

DECIMALS_MAX = 12
"""What has more decimals is rounded to so many, half to even, counted and listed."""

NOISE_DECIMALS, NOISE_DIGITS, NOISE_KEPT = 8, 16, 15
FLOAT_DIGITS = 17  # No binary float has more.
NOISE_SPARED = 3
"""A number of 16 or 17 digits, with more than 8 decimals, that loses three digits or more when it
is written with 15, is the text of a binary float: 5.330000000000001e-05 is 0.0000533."""

DIGITS_MAX = 19
WIDTH_MAX = DIGITS_MAX + 1  # and a point
EIGHT = 8 + 48
"""Nineteen digits fit into 64 bits when the first of them is not a nine."""

PAD = 32
"""Bytes before the first field of a block, so that every window lies within it."""

ZERO, POINT = 48, 46 - 48 + 256
UNKNOWN = frozenset({"", "null", "none", "nan", "na", "n/a", "-"})

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Smalls = np.ndarray[tuple[int], np.dtype[np.int8]]
Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})(?:[eE][+-]?[0-9]{1,3})?"
)


class Numbers(msgspec.Struct):
    """A column: `values[i] / 10**decimals[i]`, and which of them numpy could not read."""

    values: Ints
    decimals: Ints
    odd: Bools


class Read(msgspec.Struct, frozen=True):
    """One number: value / 10**decimals, and what had to be done to it."""

    value: int
    decimals: int
    restored: bool = False  # digits that a binary float added are gone
    rounded: bool = False


def numbers(block: Bytes, starts: Ints, ends: Ints) -> Numbers:
    """Read the fields of a column that are digits with at most one point."""
    lengths = ends - starts
    width = int(min(lengths.max(initial=1), WIDTH_MAX))
    values = np.zeros(len(starts), np.int64)
    odd = (lengths < 1) | (lengths > width)
    points = np.zeros(len(starts), np.int8)
    place = np.full(len(starts), width - 1, np.int64)
    for at, char in enumerate(_chars(block, starts, ends, width)):
        is_point = char == POINT
        values = np.where(is_point, values, values * 10 + char)
        odd |= (char > 9) & ~is_point
        points += is_point
        place[is_point] = at
    edges = (block[starts] == POINT - 256 + ZERO) | (block[ends - 1] == POINT - 256 + ZERO)
    digits = lengths - points
    decimals = width - 1 - place
    odd |= (points > 1) | edges | (digits > DIGITS_MAX) | (decimals > DECIMALS_MAX)
    odd |= (digits == DIGITS_MAX) & (block[starts] > EIGHT)
    odd |= (decimals > NOISE_DECIMALS) & (digits >= NOISE_DIGITS)
    return Numbers(values, decimals, odd)


def _chars(block: Bytes, starts: Ints, ends: Ints, width: int) -> Iterator[Bytes]:
    """Yield the fields' characters, right-aligned, as digits; what lies before a field is 0."""
    first = ends - width
    shortest = int((ends - starts).min(initial=width))
    for at in range(width):
        char = block[first + at] - ZERO
        if at < width - shortest:
            char[first + at < starts] = 0
        yield char


def number(text: str) -> Read:
    """Read one decimal as it is written; ValueError says what it should be."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("a number")
    with localcontext() as context:
        context.prec = 200
        found = Decimal(text).normalize()
        restored = _without_noise(found)
        kept = restored if restored is not None else found
        decimals = min(_decimals(kept), DECIMALS_MAX)
        while abs(value := _rounded(kept, decimals)) >= INT64_LIMIT and decimals:
            decimals -= 1
        rounded = Decimal(value).scaleb(-decimals) != kept
    if abs(value) >= INT64_LIMIT:
        raise ValueError("a number below 2**63")
    return Read(value, decimals, restored is not None, rounded)


def _decimals(found: Decimal) -> int:
    return max(0, -int(found.as_tuple().exponent))


def _rounded(found: Decimal, decimals: int) -> int:
    return int(found.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))


def _without_noise(found: Decimal) -> Decimal | None:
    digits = found.as_tuple().digits
    if _decimals(found) <= NOISE_DECIMALS or not NOISE_DIGITS <= len(digits) <= FLOAT_DIGITS:
        return None
    with localcontext() as context:
        context.prec, context.rounding = NOISE_KEPT, ROUND_HALF_EVEN
        short = (+found).normalize()
    return short if len(short.as_tuple().digits) <= len(digits) - NOISE_SPARED else None
