"""What a strategy remembers of one symbol, as bytes: its State, field by name.

What an instance holds after a call is what a restart would give it: the same values of the same
types, so that both go on alike.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect as kinds

from services.engine.bundle import LoadError
from services.engine.modules import theirs
from services.engine.plain import plain
from services.engine.strategy import State, Strategy

PLAIN = (
    *(kinds.IntType, kinds.FloatType, kinds.BoolType, kinds.StrType, kinds.BytesType),
    *(kinds.NoneType, kinds.AnyType, kinds.LiteralType),
)
STATE_BYTES_MAX = 65_536
"""Of one symbol, packed: it is said and kept anew whenever it changes."""

RENAME = "Give the field another name, so that it begins with its default, or keep its type"

SHRINK = "Remember less of each symbol: `view` shows the bars again after a restart"


def pack(state: State) -> bytes:
    """Return a state as a map of its fields; numpy's scalars become plain numbers."""
    return msgspec.msgpack.encode(state, enc_hook=_scalar)


def unpack(kind: type[Strategy], packed: bytes) -> Any:
    """Return the state that the same source packed."""
    return msgspec.msgpack.decode(packed, type=kind.State)


def settle(strategy: Strategy, before: bytes = b"") -> bytes:
    """Pack the state of an instance and put in its place what would come back; LoadError if none.

    Called after each call of the strategy, with what it returned the last time.
    """
    state = strategy.state
    if not state.__struct_fields__:
        return before or pack(state)
    packed, back = _round_trip(type(strategy), state)
    if packed != before:
        _require_same(state, back)
        packed = pack(back)  # A whole number in a float's place is packed as the float it becomes.
        _require_light(packed)
    object.__setattr__(strategy, "state", back)
    return packed


def migrated(kind: type[Strategy], packed: bytes) -> Any:
    """Return a state that another source packed: new fields get defaults, dropped ones vanish."""
    with theirs(kind.__name__):
        old = msgspec.msgpack.decode(packed)
        fields = msgspec.structs.fields(kind.State)
        return kind.State(**{f.name: _moved(f, old[f.name]) for f in fields if f.name in old})


def _moved(field: msgspec.structs.FieldInfo, value: object) -> object:
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        expected = str(error).partition(",")[0].replace("`", "").replace("Expected", "expected")
        raise LoadError(
            f"state `{field.name}` was {plain(repr(value))}, {expected}: reload refused", RENAME
        ) from error


def require_plain(kind: type[Strategy]) -> None:
    """Refuse a State that a restart would not give back as it was."""
    state: type[State] = kind.State
    config = state.__struct_config__
    if config.array_like or config.omit_defaults or config.tag is not None:
        raise LoadError("State: expected fields packed by name, without array_like, tag, omission")
    for field in msgspec.structs.fields(state):
        if field.required:
            raise LoadError(f"State.{field.name} has no default: a first start needs one")
        if field.encode_name != field.name:
            raise LoadError(f"State.{field.name} is renamed: it is remembered by its own name")
        for found in _strange(kinds.type_info(field.type), set()):
            raise LoadError(
                f"State.{field.name} holds a {found}: "
                "expected plain numbers, text, lists, dicts, or Structs of these"
            )
    msgspec.msgpack.Decoder(state)  # what its annotations name is found now, or never
    value = state()
    _require_same(value, _round_trip(kind, value)[1])


def _strange(info: Any, seen: set[type]) -> Iterator[str]:
    match info:
        case kinds.Metadata():
            yield from _strange(info.type, seen)
        case kinds.ListType() | kinds.VarTupleType():
            yield from _strange(info.item_type, seen)
        case kinds.TupleType(parts) | kinds.UnionType(parts):
            for part in parts:
                yield from _strange(part, seen)
        case kinds.DictType():
            yield from _strange(info.key_type, seen)
            yield from _strange(info.value_type, seen)
        case kinds.StructType() if info.cls not in seen:
            seen.add(info.cls)
            for field in info.fields:
                yield from _strange(field.type, seen)
        case kinds.CustomType():
            yield info.cls.__name__
        case _ if not isinstance(info, (*PLAIN, kinds.StructType)):
            yield type(info).__name__.removesuffix("Type").lower()


def _round_trip(kind: type[Strategy], state: Any) -> tuple[bytes, Any]:
    try:
        packed = pack(state)
        _require_light(packed)
        return packed, unpack(kind, packed)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        said = plain(error).replace(" - at `$.", " in `")
        raise LoadError(f"the state cannot be remembered: {said}") from error


def _require_light(packed: bytes) -> None:
    if len(packed) > STATE_BYTES_MAX:
        raise LoadError(
            f"the state has {len(packed)} bytes, at most {STATE_BYTES_MAX} are remembered", SHRINK
        )


def _require_same(state: Any, back: Any) -> None:
    for name in state.__struct_fields__:
        was, is_now = getattr(state, name), getattr(back, name)
        if not _same(was, is_now):
            raise LoadError(
                f"state `{name}` is {plain(repr(was))} and would come back as "
                f"{plain(repr(is_now))}: expected plain numbers, text, lists, dicts"
            )


def _same(was: Any, back: Any) -> bool:
    was = was.item() if getattr(was, "shape", None) == () else was
    if isinstance(was, list | tuple):
        alike = type(was) is type(back) and len(was) == len(back)
        return alike and all(map(_same, was, back))
    if isinstance(was, dict):
        return was.keys() == back.keys() and all(_same(was[key], back[key]) for key in was)
    if isinstance(was, msgspec.Struct):
        fields = was.__struct_fields__
        alike = type(was) is type(back)
        return alike and all(_same(getattr(was, name), getattr(back, name)) for name in fields)
    return bool(was == back or (was != was and back != back))  # noqa: PLR0124 - nan


def _scalar(value: object) -> object:
    item = getattr(value, "item", None)
    if item is None or getattr(value, "shape", None) != ():
        raise TypeError(f"{type(value).__name__} is no plain number, text, list or dict")
    return item()
