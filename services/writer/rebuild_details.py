"""What a row's detail says, whichever release wrote it: a field that says nothing is left out.

A message gains fields, each with a default that stands for "not said". Rows of before do not have
them, and a fold of the same message by today's code has; both say the same.
"""

from functools import cache
from typing import Any

import msgspec

from bus.reading import add_function
from bus.shard import Connection
from schema.messages import MESSAGES
from services.writer.content import Part

DETAILED = {
    "audit": '"what"',
    "instruments": "'Instrument'",
    "instrument_versions": "'Instrument'",
    "order_events": '"type"',
    "risk_events": '"type"',
}
"""Tables that have a message whole, and how SQL names its kind."""

_kinds = {kind.__name__: kind for kind in MESSAGES.values()}


def add_as_told(db: Connection) -> None:
    """Let SQL leave out of a detail what says nothing."""
    add_function(db, "as_told", as_told, 2)


def told(part: Part) -> Part | None:
    """Return the part with its details as they are told; None where it has none."""
    kind = DETAILED.get(part.name)
    if kind is None:
        return None
    sql = part.sql.replace('"detail"', f'as_told({kind}, "detail") AS "detail"', 1)
    return msgspec.structs.replace(part, sql=sql)


def as_told(name: str, detail: str) -> str:
    """Return a message's fields as JSON, without those that are at their defaults."""
    kind = _kinds.get(name)
    if kind is None:
        return detail
    fields = msgspec.json.decode(detail, type=dict[str, Any])
    return msgspec.json.encode(_told(kind, fields)).decode()


def _told(kind: type[msgspec.Struct], fields: dict[str, Any]) -> dict[str, Any]:
    defaults, inner = _shape(kind)
    return {
        name: _told(inner[name], value) if name in inner and isinstance(value, dict) else value
        for name, value in fields.items()
        if name not in defaults or defaults[name] != value
    }


@cache
def _shape(kind: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, type[msgspec.Struct]]]:
    """Return the defaults of a kind's fields, as JSON has them, and which hold Structs."""
    defaults: dict[str, Any] = {}
    inner: dict[str, type[msgspec.Struct]] = {}
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            inner[field.name] = field.type
        elif not field.required:
            unset = field.default is msgspec.NODEFAULT
            value = field.default_factory() if unset else field.default
            defaults[field.name] = msgspec.to_builtins(value, builtin_types=(bytes,))
    return defaults, inner
