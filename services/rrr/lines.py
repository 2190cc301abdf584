"""How a message looks on a line: JSON for scripts, decimals and UTC times for people."""

import json

import msgspec

from bus.plain import printable
from schema.head import Message
from schema.units import iso, iso_ms, to_text
from services.rrr.bus_fields import SCALES, exponent_of
from services.rrr.ears import Lost, Seen

TIMES = frozenset({"ts_event", "ts_recv"})
STRETCH_MAX = 10**17
"""Nanoseconds of three years: no stretch is longer, and no moment is as early."""

HIDDEN = frozenset({"ts_event", "trace", "cause", *SCALES})


def as_json(seen: Seen) -> str:
    """Return a message as one JSON object, fields by name."""
    return json_text(head(seen) | fields(seen.message))


def head(seen: Seen) -> dict[str, object]:
    """Return where a message stood and what it is."""
    return {
        "stream": seen.stream,
        "pos": seen.pos,
        "ts_ns": seen.ts_ns,
        "type": type(seen.message).__name__,
    }


def json_text(value: object) -> str:
    """Return JSON on one line that a terminal obeys in nothing."""
    text = msgspec.json.encode(value).decode()
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def as_text(seen: Seen) -> str:
    """Return a message as one line to read."""
    clock = iso_ms(seen.ts_ns)[11:-1]  # without the day
    return printable(f"{clock} {seen.stream} {type(seen.message).__name__} {body_text(seen)}")


def body_text(seen: Seen, chars_max: int = 0) -> str:
    """Return the fields of a message that tell something, as name=value."""
    message = seen.message
    return " ".join(
        f"{name}={shortened(value_text(message, name, value), chars_max)}"
        for name, value in fields(message).items()
        if name not in HIDDEN and value not in ("", ())
    )


def shortened(text: str, chars_max: int) -> str:
    """Return a text of at most so many characters; 0 is without end."""
    return text if not chars_max or len(text) <= chars_max else f"{text[:chars_max]}…"


def lost_text(lost: Lost) -> str:
    """Return what is missing as one line to read."""
    clock = iso_ms(lost.ts_ns)[11:-1]
    return f"{clock} {lost.stream} lost {lost.count} before {lost.pos}"


def fields(message: Message) -> dict[str, object]:
    """Return the fields of a message by name."""
    return {name: getattr(message, name) for name in message.__struct_fields__}


def value_text(holder: object, name: str, value: object) -> str:
    """Return the value of a field: exact decimals, times in UTC."""
    places = exponent_of(holder, name)
    if places is not None and isinstance(value, int):
        return to_text(value, places)
    if (name.endswith("_ns") or name in TIMES) and isinstance(value, int) and value > STRETCH_MAX:
        return iso(value)
    return str(value)
