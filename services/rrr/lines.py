"""How a message looks on a line: JSON for scripts, decimals and UTC times for people."""

import msgspec

from bus.plain import printable
from schema.head import Message
from schema.units import iso, iso_ms, to_text
from services.rrr.ears import Seen

SCALES = {
    "px_exp": {"px", "open", "high", "low", "close", "bid_px", "ask_px", "tick"},
    "qty_exp": {"qty", "volume", "bid_qty", "ask_qty", "lot"},
    "quote_exp": {"quote_volume"},
}
"""Which fields an exponent beside them scales; all others are shown as they stand."""

HIDDEN = frozenset({"ts_event", "trace", "cause", *SCALES})


def as_json(seen: Seen) -> str:
    """Return a message as one JSON object, fields by name."""
    head = {
        "stream": seen.stream,
        "pos": seen.pos,
        "ts_ns": seen.ts_ns,
        "type": type(seen.message).__name__,
    }
    return msgspec.json.encode(head | fields(seen.message)).decode()


def as_text(seen: Seen) -> str:
    """Return a message as one line to read."""
    clock = iso_ms(seen.ts_ns)[11:-1]  # without the day
    values = fields(seen.message)
    shown = (
        f"{name}={_value(name, value, values)}"
        for name, value in values.items()
        if name not in HIDDEN and value not in ("", ())
    )
    return printable(f"{clock} {seen.stream} {type(seen.message).__name__} {' '.join(shown)}")


def fields(message: Message) -> dict[str, object]:
    """Return the fields of a message by name."""
    return {name: getattr(message, name) for name in message.__struct_fields__}


def _value(name: str, value: object, values: dict[str, object]) -> str:
    for exponent, scaled in SCALES.items():
        places = values.get(exponent)
        if name in scaled and isinstance(value, int) and isinstance(places, int):
            return to_text(value, places)
    if name.endswith("_ns") and isinstance(value, int) and value > 0:
        return iso(value)
    return str(value)
