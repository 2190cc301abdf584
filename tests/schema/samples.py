"""One message of every kind, each field with a value of its own that is not its default."""

from types import GenericAlias, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from schema.messages import LOCALS, MESSAGES

FIRST_NS = 1_700_000_000_000_000_000


def sample(kind: type[msgspec.Struct], seed: int = 0) -> Any:
    """Return a message of a kind; the same for ever, as long as the kind only grows at its end."""
    hints = get_type_hints(kind)
    values = {
        field.name: _value(hints[field.name], f"{field.name}-{seed}", seed * 100 + place)
        for place, field in enumerate(msgspec.structs.fields(kind), start=1)
    }
    return kind(**values)


def _value(hint: Any, name: str, place: int) -> Any:
    origin = get_origin(hint)
    if origin is Literal:
        return get_args(hint)[-1]
    if origin is UnionType:
        return _value(get_args(hint)[-1], name, place)
    if origin is dict:
        return {f"{name}.key": _value(get_args(hint)[1], name, place)}
    if origin is tuple or isinstance(hint, GenericAlias):
        return _tuple(get_args(hint), name, place)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return sample(hint, place)
    plain = {int: FIRST_NS + place, float: place / 8, bool: True, str: name}
    return plain[hint] if hint in plain else name.encode()


def _tuple(args: tuple[Any, ...], name: str, place: int) -> tuple[Any, ...]:
    if args[-1] is not Ellipsis:
        return tuple(_value(arg, f"{name}.{n}", place + n) for n, arg in enumerate(args))
    return tuple(_value(args[0], f"{name}.{n}", place + n) for n in range(2))


SAMPLES: dict[int, Any] = {tag: sample(kind) for tag, kind in (MESSAGES | LOCALS).items()}
