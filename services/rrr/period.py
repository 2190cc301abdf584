"""A day or a month of market time, as a person writes it: 2026-11-30, 2026-11, today, yesterday."""

import datetime as dt
import re

import click
import msgspec

from schema.units import DAY_NS, SECOND_NS, iso, parse_iso

FORMS = "a day as 2026-11-30, a month as 2026-11, `today` or `yesterday`"
YEARS = range(1970, 2262)
"""Those whose nanoseconds are integers of 64 bits, not below zero."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class Period(msgspec.Struct, frozen=True):
    """A stretch of market time from its first nanosecond to the one behind its last, UTC."""

    text: str
    first_ns: int
    stop_ns: int


def period_of(text: str, now_ns: int) -> Period:
    """Return the period that a text means, seen from a market time; UsageError for none."""
    today_ns = now_ns - now_ns % DAY_NS
    match text.lower():
        case "today":
            return _day(today_ns)
        case "yesterday":
            return _day(today_ns - DAY_NS)
    if month := _MONTH.fullmatch(text):
        return _month(text, int(month[1]), int(month[2]))
    try:
        if _DAY.fullmatch(text) and int(text[:4]) in YEARS:
            return _day(parse_iso(text))
    except ValueError:
        pass
    raise click.UsageError(f"no day or month {text!r}; expected {FORMS}")


def _day(first_ns: int) -> Period:
    return Period(iso(first_ns)[:10], first_ns, first_ns + DAY_NS)


def _month(text: str, year: int, month: int) -> Period:
    if year not in YEARS:
        raise click.UsageError(f"no day or month {text!r}; expected {FORMS}")
    behind = (year + month // 12, month % 12 + 1)
    return Period(text, _begin_ns(year, month), _begin_ns(*behind))


def _begin_ns(year: int, month: int) -> int:
    return int(dt.datetime(year, month, 1, tzinfo=dt.UTC).timestamp()) * SECOND_NS
