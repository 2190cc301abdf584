"""Times of bars: epochs of seconds to nanoseconds told apart by magnitude, and dates as text, UTC.

A date is read only where it can mean one thing: 08/09/2021 and 8-Sep-21 are refused.
"""

import re
from functools import lru_cache

import numpy as np

from schema.units import SECOND_NS, parse_iso
from services.rrr.data_digits import ZERO, Bools, Bytes, Ints

EXPECTED = "a time: an epoch of s, ms, us or ns, or a date such as 2024-08-08 00:00:00"
DATE_WIDTHS = {10: 3, 16: 5, 19: 6}
"""Lengths of yyyy-mm-dd, of it with hh:mm, and with seconds; and how many numbers are in it."""

NUMBERS_AT = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
SIGNS_AT = {4: b"-", 7: b"-", 10: b" T", 13: b":", 16: b":"}
LIMITS = ((1970, 2199), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))
SCALES = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
"""Below 10**11 an epoch is of seconds, below 10**14 of ms, below 10**17 of us, else of ns."""
LAST_NS = 7_226_582_400 * SECOND_NS  # the year 2199

_CLOCK = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2})-(AM|PM)")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2}) ([0-9]{2}:[0-9]{2})")


def epochs(values: Ints, decimals: Ints) -> tuple[Ints, Bools]:
    """Return epochs as ns, and which of them are whole in their unit's ns."""
    whole = values // 10**decimals
    rest = values - whole * 10**decimals
    unit = np.select([whole < limit for limit, _ in SCALES], [ns for _, ns in SCALES], 1)
    part = np.where(rest != 0, rest * unit // 10**decimals, 0)
    fine = (part * 10**decimals == rest * unit) & (rest < 10**9) & (whole <= LAST_NS // unit)
    return np.where(fine, whole, 0) * unit + part, fine


def dates(block: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, Bools]:
    """Return dates as ns where a whole column has one of the usual forms; and which have it."""
    lengths = ends - starts
    width = int(lengths[0]) if len(lengths) else 0
    count = DATE_WIDTHS.get(width, 0)
    good = lengths == width if count else np.zeros(len(starts), np.bool_)
    starts = np.where(good, starts, 0)
    parts = [np.zeros(len(starts), np.int64) for _ in NUMBERS_AT]
    for index, (first, last) in enumerate(NUMBERS_AT[:count]):
        for at in range(first, last):
            digit = block[starts + at] - ZERO
            good &= digit <= 9
            parts[index] = parts[index] * 10 + digit
    for at, signs in SIGNS_AT.items():
        if at < width:
            good &= np.isin(block[starts + at], np.frombuffer(signs, np.uint8))
    for index, (low, high) in enumerate(LIMITS[:count]):
        good &= (parts[index] >= low) & (parts[index] <= high)
    days, exists = _days(*parts[:3])
    seconds = ((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]
    return seconds * SECOND_NS, good & exists


def _days(years: Ints, months: Ints, days: Ints) -> tuple[Ints, Bools]:
    # The day of a month beyond its end would count into the next one.
    start = (years - 1970) * 12 + months - 1
    first = start.astype("M8[M]").astype("M8[D]").astype(np.int64)
    after = (start + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    found = first + days - 1
    return found, found < after


@lru_cache(4096)
def moment(text: str, day: str = "") -> int:
    """Return the ns of one date; ValueError for what can mean more than one. `day`: yyyymmdd."""
    if day and text.isdecimal():  # Milliseconds since midnight.
        return parse_iso(f"{day[:4]}-{day[4:6]}-{day[6:]}") + int(text) * 10**6
    compact = _COMPACT.fullmatch(text)
    if compact is not None:
        return parse_iso(f"{compact[1]}-{compact[2]}-{compact[3]} {compact[4]}")
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return parse_iso(text)
    hour = int(clock[2])
    if not 1 <= hour <= 12:
        raise ValueError(f"{text!r}: expected an hour of 1 to 12 before AM or PM")
    return parse_iso(f"{clock[1]} {hour % 12 + 12 * (clock[3] == 'PM'):02d}:00")
