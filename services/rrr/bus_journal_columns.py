"""The columns of a stream's table: the fields of all its messages by name, nested ones as JSON."""

from typing import Any

import msgspec
from msgspec import inspect

from schema.streams import Stream
from services.rrr.ears import Seen

HEAD = {"stream": "str", "pos": "int", "ts_ns": "int", "type": "str"}

PLAIN: dict[type[inspect.Type], str] = {
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.BoolType: "bool",
    inspect.StrType: "str",
}

_encode = msgspec.json.Encoder().encode


class Columns:
    """Each column of a stream and what it holds: int, float, bool or str."""

    def __init__(self, stream: Stream) -> None:
        told = {kind: _kinds(kind) for kind in stream.messages}
        self.kinds = dict(HEAD)
        for own in told.values():
            for name, kind in own.items():
                # Where two messages mean different things by one name, it is text.
                self.kinds[name] = kind if self.kinds.get(name, kind) == kind else "str"
        self._texts = {
            kind: tuple(name for name in own if self.kinds[name] == "str")
            for kind, own in told.items()
        }

    def row(self, seen: Seen) -> dict[str, Any]:
        """Return a message by column; what is nested, or of another kind here, is JSON text."""
        row = self.told(seen)
        for name in self._texts[type(seen.message)]:
            value = row[name]
            if value is not None and not isinstance(value, str):
                row[name] = _encode(value).decode()
        return row

    def told(self, seen: Seen) -> dict[str, Any]:
        """Return a message as an object, and structs within it as objects too."""
        own = seen.message
        kind = type(own)
        row = {"stream": seen.stream, "pos": seen.pos, "ts_ns": seen.ts_ns, "type": kind.__name__}
        row.update(msgspec.structs.asdict(own))
        for name in self._texts[kind]:
            row[name] = _named(row[name])
        return row


def _named(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    return [_named(one) for one in value] if isinstance(value, tuple | list) else value


def _kinds(kind: type[msgspec.Struct]) -> dict[str, str]:
    told = inspect.type_info(kind)
    assert isinstance(told, inspect.StructType)
    return {field.name: _kind(field.type) for field in told.fields}


def _kind(told: inspect.Type) -> str:
    if isinstance(told, inspect.UnionType):
        others = {_kind(one) for one in told.types if not isinstance(one, inspect.NoneType)}
        return others.pop() if len(others) == 1 else "str"
    if isinstance(told, inspect.LiteralType):
        return "int" if all(isinstance(value, int) for value in told.values) else "str"
    return PLAIN.get(type(told), "str")
