"""What the messages of a stream look like, written beside its journal by whoever writes it.

Bodies are arrays without names. The file of a shape, `schemas/<id>.json`, keeps names, types and
defaults of its time, so that a journal can be read, and compared, without the code that wrote it.
Every frame carries the id.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from bus.disk import make_directory
from bus.errors import HouseError
from bus.holes import replace
from bus.record import schema_id, shape
from schema.streams import TURNS, Stream

FOLDER = "schemas"


class Field(msgspec.Struct, frozen=True):
    """One place in a message."""

    name: str
    type: str
    default: str | None = None  # as JSON; None where it must be said


class Shape(msgspec.Struct, frozen=True):
    """One message, or one struct inside messages, which has no tag."""

    name: str
    tag: int | None
    fields: tuple[Field, ...]


class StreamShape(msgspec.Struct, frozen=True):
    """All that stands on a stream."""

    stream: str
    id: str
    messages: tuple[Shape, ...]
    inner: tuple[Shape, ...]
    schema: Any = None  # the JSON schema without prose whose checksum the id is

    @property
    def shapes(self) -> dict[int | str, Shape]:
        """Each shape by its tag, and those within others by name."""
        return {one.name if one.tag is None else one.tag: one for one in self.messages + self.inner}


def name_of(stream: Stream) -> str:
    """Return the id of a stream's shape as its file is named."""
    return f"{schema_id(stream.number):08x}"


def shape_of(stream: Stream) -> StreamShape:
    """Return the shape that this tree writes a stream in."""
    kinds = stream.messages + TURNS
    told = inspect.multi_type_info(kinds)
    messages = tuple(_shape(one) for one in told if isinstance(one, inspect.StructType))
    found: dict[str, Shape] = {}
    for one in told:
        for inner in _within(one):
            found.setdefault(inner.cls.__name__, _shape(inner))
    inside = tuple(found[name] for name in sorted(found) if name not in {m.name for m in messages})
    return StreamShape(stream.name, name_of(stream), messages, inside, shape(stream.number))


def shape_of_kind(kind: type[msgspec.Struct]) -> Shape:
    """Return the shape of one kind of message."""
    told = inspect.type_info(kind)
    assert isinstance(told, inspect.StructType)
    return _shape(told)


def keep_shape(directory: Path, stream: Stream) -> None:
    """Write the shape of a stream beside its journal, unless it stands there."""
    path = directory / FOLDER / f"{name_of(stream)}.json"
    if not path.exists():
        make_directory(path.parent)
        replace(path, msgspec.json.format(msgspec.json.encode(shape_of(stream))) + b"\n")


def read_shape(path: Path) -> StreamShape:
    """Return the shape that a file holds; HouseError when it holds none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=StreamShape)
    except OSError as error:
        raise HouseError(
            f"{path} cannot be read: {error.strerror}", "`rrr bus schema ls` names what is there"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HouseError(
            f"{path} holds no shape of a stream: {error}",
            "Expected a file from a folder `schemas` of a journal",
        ) from error


def differences(old: StreamShape, new: StreamShape) -> Iterator[str]:
    """Yield how two shapes differ, in words."""
    before, after = old.shapes, new.shapes
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in after:
            yield f"- {_called(before[key])}"
        elif key not in before:
            yield f"+ {_called(after[key])}"
        elif before[key] != after[key]:
            yield from _in_one(before[key], after[key])


def breaks(old: StreamShape, new: StreamShape) -> Iterator[str]:
    """Yield why code of the new shape must not read what was written in the old one."""
    after = new.shapes
    for key, shape_before in old.shapes.items():
        shape_after = after.get(key)
        if shape_after is not None:
            yield from _breaks_one(shape_before, shape_after)
        elif shape_before.tag is not None:
            yield f"{_called(shape_before)} is not known any more"


def _breaks_one(old: Shape, new: Shape) -> Iterator[str]:
    if old.name != new.name:
        yield f"tag {old.tag} was {old.name}, and is {new.name} now"
    for place, (before, after) in enumerate(zip(old.fields, new.fields, strict=False), start=1):
        if (before.name, before.type) != (after.name, after.type):
            yield (
                f"{new.name}: place {place} was {before.name}: {before.type}, "
                f"and is {after.name}: {after.type} now"
            )
    for field in new.fields[len(old.fields) :]:
        if field.default is None:
            yield f"{new.name}.{field.name} was appended without a default"


def _in_one(old: Shape, new: Shape) -> Iterator[str]:
    if old.name != new.name:
        yield f"~ tag {old.tag}: {old.name} -> {new.name}"
    for before, after in zip(old.fields, new.fields, strict=False):
        if before != after:
            yield f"~ {new.name}: {field_text(before)} -> {field_text(after)}"
    shared = min(len(old.fields), len(new.fields))
    yield from (f"- {new.name}: {field_text(field)}" for field in old.fields[shared:])
    yield from (f"+ {new.name}: {field_text(field)}" for field in new.fields[shared:])


def field_text(field: Field) -> str:
    """Return a field as it is written in code."""
    default = "" if field.default is None else f" = {field.default}"
    return f"{field.name}: {field.type}{default}"


def _called(one: Shape) -> str:
    return one.name if one.tag is None else f"{one.name} (tag {one.tag})"


def _shape(one: inspect.StructType) -> Shape:
    tag = one.tag if isinstance(one.tag, int) else None
    return Shape(one.cls.__name__, tag, tuple(_field(field) for field in one.fields))


def _field(field: inspect.Field) -> Field:
    default = None
    if field.default is not msgspec.NODEFAULT:
        default = msgspec.json.encode(field.default).decode()
    elif field.default_factory is not msgspec.NODEFAULT:
        default = msgspec.json.encode(field.default_factory()).decode()
    return Field(field.name, type_text(field.type), default)


def _within(one: inspect.Type) -> Iterator[inspect.StructType]:
    for part in _parts(one):
        if isinstance(part, inspect.StructType):
            yield part
        yield from _within(part)


def _parts(one: inspect.Type) -> Sequence[inspect.Type]:
    match one:
        case inspect.StructType():
            return [field.type for field in one.fields]
        case inspect.TupleType():
            return one.item_types
        case inspect.UnionType():
            return one.types
        case inspect.DictType():
            return (one.key_type, one.value_type)
        case inspect.CollectionType():
            return (one.item_type,)
    return ()


def type_text(one: inspect.Type) -> str:
    """Return a type as it is written in code."""
    match one:
        case inspect.StructType():
            return str(one.cls.__name__)
        case inspect.LiteralType():
            return f"Literal[{_joined(map(repr, sorted(one.values, key=repr)))}]"
        case inspect.TupleType():
            return f"tuple[{_joined(map(type_text, one.item_types))}]"
        case inspect.VarTupleType():
            return f"tuple[{type_text(one.item_type)}, ...]"
        case inspect.UnionType():
            return " | ".join(map(type_text, one.types))
        case inspect.DictType():
            return f"dict[{type_text(one.key_type)}, {type_text(one.value_type)}]"
        case inspect.CollectionType():
            return f"{_plain(one)}[{type_text(one.item_type)}]"
    return _plain(one)


def _plain(one: inspect.Type) -> str:
    return type(one).__name__.removesuffix("Type").lower()


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts)
