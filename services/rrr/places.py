"""Where on a stream a watcher begins: `beginning`, `end`, -N, a position, a time, or a time ago."""

import datetime as dt
import re

import click

from bus.journal import JournalReader
from schema.frame import N_MASK

UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}
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
    if offset.isdigit():
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
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"no time {text!r}; expected {FORMS}") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return int(aware.timestamp()) * 10**9
