"""Where on a stream one begins: `beginning`, `end`, -N, a position, a time, `snapshot`.

Here a place is read and written; `starts` finds it in a journal.
"""

import re
from typing import Literal

import click
import msgspec

from schema.frame import EPOCH_SHIFT, N_MASK, epoch_of, position
from schema.units import DAY_NS, MINUTE_NS, SECOND_NS, iso, parse_iso

UNITS_NS = {"s": SECOND_NS, "m": MINUTE_NS, "h": 60 * MINUTE_NS, "d": DAY_NS}
FORMS = "beginning, end, -N, a position, EPOCH:N, @ISO-TIME, @-10m or snapshot"
EPOCH_MAX = (1 << (63 - EPOCH_SHIFT)) - 1
COUNT_DIGITS_MAX = 12

_span = re.compile(r"([0-9]{1,9})([smhd])")
_number = re.compile(r"[0-9]{1,19}")
_pair = re.compile(r"([0-9]{1,8}):([0-9]{1,13})")
_back = re.compile(rf"-([0-9]{{1,{COUNT_DIGITS_MAX}}})")

Kind = Literal["beginning", "end", "snapshot", "back", "position", "time", "ago"]


class Place(msgspec.Struct, frozen=True):
    """A place as a person means it; `number`: messages, a position, or nanoseconds."""

    kind: Kind
    number: int = 0


def read_place(text: str) -> Place:
    """Return the place that a text means; UsageError when it means none."""
    match text:
        case "beginning" | "end" | "snapshot":
            return Place(text)
    if found := _back.fullmatch(text):
        return Place("back", int(found[1]))
    if text.startswith("@-"):
        return Place("ago", span_ns(text[2:]))
    if text.startswith("@"):
        return Place("time", _moment_ns(text[1:]))
    return Place("position", read_position(text, FORMS))


def place_text(place: Place) -> str:
    """Return a place as a person writes it."""
    match place.kind:
        case "back":
            return f"-{place.number}"
        case "position":
            return position_text(place.number)
        case "time":
            return f"@{iso(place.number)}"
        case "ago":
            return f"@-{place.number // SECOND_NS}s"
        case _:
            return place.kind


def read_position(text: str, expected: str = "a position, as 3298534883332 or 3:4") -> int:
    """Return the position that an integer or EPOCH:N means; UsageError when it means none."""
    if (pair := _pair.fullmatch(text)) and int(pair[1]) <= EPOCH_MAX and int(pair[2]) <= N_MASK:
        return position(int(pair[1]), int(pair[2]))
    if _number.fullmatch(text) and epoch_of(int(text)) <= EPOCH_MAX:
        return int(text)
    raise click.UsageError(f"no place {text!r} on a stream; expected {expected}")


def position_text(pos: int) -> str:
    """Return a position as EPOCH:N."""
    return f"{epoch_of(pos)}:{pos & N_MASK}"


def span_ns(text: str) -> int:
    """Return a stretch like 10m in nanoseconds."""
    found = _span.fullmatch(text)
    if found is None:
        raise click.UsageError(
            f"no stretch of time {text!r}; expected a form like 90s, 10m, 2h, 1d"
        )
    return int(found[1]) * UNITS_NS[found[2]]


def _moment_ns(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError as error:
        raise click.UsageError(f"no time {text!r}; expected {FORMS}") from error
