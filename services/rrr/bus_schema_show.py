"""A message as a page: its fields, types, defaults, and the units that its source tells."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.shapes import shape_of_kind
from schema.streams import home
from services.rrr.screen import table

UNITS = {"_ns": "nanoseconds", "_ms": "milliseconds", "_us": "microseconds", "_bps": "0.01 %"}
_commented = re.compile(r"^    (\w+): [^#\n]*#\s*(.+)$", re.MULTILINE)


def message_lines(kind: type[msgspec.Struct]) -> Iterator[str]:
    """Yield the page of one kind of message."""
    shape = shape_of_kind(kind)
    stream = home(kind)
    where = f" on {stream.name}" if stream is not None else ""
    yield f"{shape.name} (tag {shape.tag}){where}"
    yield from (f"  {line}".rstrip() for line in _prose(kind).splitlines())
    notes = _notes(kind)
    rows: list[tuple[str, ...]] = [
        (f"  {field.name}", field.type, _default(field.default), _note(field.name, notes))
        for field in shape.fields
    ]
    yield from table(rows)


def json_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return one kind of message as an object."""
    shape, notes, stream = shape_of_kind(kind), _notes(kind), home(kind)
    return {
        "message": shape.name,
        "tag": shape.tag,
        "stream": stream.name if stream is not None else "",
        "about": _prose(kind),
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "default": None if field.default is None else msgspec.Raw(field.default.encode()),
                "required": field.default is None,
                "note": _note(field.name, notes),
            }
            for field in shape.fields
        ],
    }


def _default(text: str | None) -> str:
    return "" if text is None else f"= {text}"


def _note(name: str, notes: dict[str, str]) -> str:
    unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
    return notes.get(name, unit)


def _notes(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what is remarked beside the fields of a message and of what it grew from."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if one is not msgspec.Struct and issubclass(one, msgspec.Struct):
            found.update(_commented.findall(inspect.getsource(one)))
    return found


def _prose(kind: type[msgspec.Struct]) -> str:
    return inspect.cleandoc(kind.__doc__ or "")
