"""Where on a stream a watcher begins: `beginning`, `end`, -N, a position, a time, or a time ago."""

import re

import click

from bus.journal import JournalReader
from schema.frame import N_MASK
from schema.units import DAY_NS, MINUTE_NS, SECOND_NS, parse_iso

UNITS_NS = {"s": SECOND_NS, "m": MINUTE_NS, "h": 60 * MINUTE_NS, "d": DAY_NS}
FORMS = "beginning, end, -N, a position, @ISO-TIME or @-10m"

_span = re.compile(r"(\d+)([smhd])")


def after_and_since(reader: JournalReader, offset: str, now_ns: int) -> tuple[int, int]:
    """Return the position to read behind, and the wall time before which to skip."""
    if offset == "end":
        return reader.last(), 0
    if offset == "beginning":
        return 0, 0
    if offset.startswith("@"):
        return 0, _moment_ns(offset[1:], now_ns)
    if re.fullmatch(r"-\d+", offset):
        return _before_end(reader.last(), int(offset[1:])), 0
    if offset.isdecimal():
        return int(offset) - 1, 0
    raise click.UsageError(f"no place {offset!r} on a stream; expected {FORMS}")


def span_ns(text: str) -> int:
    """Return a stretch like 10m in nanoseconds."""
    found = _span.fullmatch(text)
    if found is None:
        raise click.UsageError(
            f"no stretch of time {text!r}; expected a form like 90s, 10m, 2h, 1d"
        )
    return int(found[1]) * UNITS_NS[found[2]]


def _before_end(last: int, count: int) -> int:
    return last - min(count, (last & N_MASK) + 1)


def _moment_ns(text: str, now_ns: int) -> int:
    if text.startswith("-"):
        return now_ns - span_ns(text[1:])
    try:
        return parse_iso(text)
    except ValueError as error:
        raise click.UsageError(f"no time {text!r}; expected {FORMS}") from error
