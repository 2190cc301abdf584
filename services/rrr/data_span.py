"""From when to when: the times of `rrr data fetch`, as a person writes them."""

import re

import click

from schema.units import DAY_NS, parse_iso
from services.rrr.period import period_of

FORMS = "a day as 2026-11-30, a month as 2026-11, a time as 2026-11-30T12:00, or days ago as 30d"
_AGO = re.compile(r"([0-9]{1,5})d")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+")


def since_ns(text: str, now_ns: int) -> int:
    """Return the first instant that a text means; UsageError for none."""
    return _instant_ns(text, now_ns, end=False)


def until_ns(text: str, now_ns: int) -> int:
    """Return the instant behind the last one that a text means; a day and a month are whole."""
    return _instant_ns(text, now_ns, end=True)


def _instant_ns(text: str, now_ns: int, *, end: bool) -> int:
    if found := _AGO.fullmatch(text):
        return max(0, now_ns - int(found[1]) * DAY_NS)
    try:
        if _TIME.fullmatch(text):
            return parse_iso(text)
        period = period_of(text, now_ns)
    except (ValueError, click.UsageError):
        raise click.UsageError(f"no time {text!r}: expected {FORMS}") from None
    return period.stop_ns if end else period.first_ns
