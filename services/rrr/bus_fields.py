"""Fields of a message by the names that a person asks for: exact numbers, keys, parts of parts."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import click
import msgspec

from schema.head import Message
from schema.streams import STREAMS
from schema.units import EXP_MAX
from services.rrr.ears import Seen

HEAD = ("stream", "pos", "ts_ns", "type", "key")
"""What every message has beside its own fields."""

SCALES = {
    "px_exp": {
        "px", "open", "high", "low", "close", "bid_px", "ask_px", "tick", "min_px", "max_px",
        "limit_px", "stop_px", "take_px", "ref_px", "mark_px",
    },
    "qty_exp": {
        "qty", "volume", "bid_qty", "ask_qty", "lot", "min_qty", "max_qty", "market_max_qty",
        "cum_qty",
    },
    "fee_exp": {"fee"},
    "quote_exp": {
        "quote_volume", "quote_qty", "fee", "fees", "cost", "cash", "equity", "realized",
        "unrealized", "gross_exposure", "net_exposure", "peak_equity", "deposits", "min_notional",
        "max_notional",
    },
    "exp": {"amount", "free", "locked", "difference"},
}  # fmt: skip
"""Which fields an exponent beside them scales; all others are what they are."""

KEYS = (
    "symbol",
    "strategy",
    "client_order_id",
    "limit_name",
    "service",
    "program",
    "asset",
    "name",
    "method",
    "run_id",
    "quote",
)
"""The fields that say whom or what a message is about; the first one that it has is its key."""


def key_of(message: Message) -> str:
    """Return whom or what a message is about; nothing when it does not say."""
    return next(_keys(message), "")


def has_key(message: Message, texts: Iterable[str]) -> bool:
    """Return whether a message is about one of these, small and capital letters alike."""
    wanted = {text.casefold() for text in texts}
    return any(key.casefold() in wanted for key in _keys(message))


def identity(seen: Seen) -> tuple[str, ...]:
    """Return what a later message has to share so that it takes the place of this one."""
    message = seen.message
    own = (str(getattr(message, name, "")) for name in ("strategy", "timeframe", "name"))
    return seen.stream, type(message).__name__, key_of(message), *own


def _keys(message: Message) -> Iterator[str]:
    for name in KEYS:
        value = getattr(message, name, "")
        if value and isinstance(value, str):
            yield value


def exponent_of(holder: object, name: str) -> int | None:
    """Return how many decimals a field has; None when nothing beside it says so, or nonsense."""
    for exponent, scaled in SCALES.items():
        places = getattr(holder, exponent, None)
        if name in scaled and isinstance(places, int) and 0 <= places <= EXP_MAX:
            return places
    return None


def field(seen: Seen, path: str) -> Any:
    """Return a field, numbers exact; None when the message has none of this name."""
    if path in HEAD:
        return _head(seen, path)
    holder: object = seen.message
    *parts, last = path.split(".")
    for part in parts:
        holder = getattr(holder, part, None) if isinstance(holder, msgspec.Struct) else None
    if not isinstance(holder, msgspec.Struct) or last not in holder.__struct_fields__:
        return None
    value = getattr(holder, last)
    places = exponent_of(holder, last)
    if places is None or not isinstance(value, int):
        return value
    return Decimal(value).scaleb(-places)


def raw_field(seen: Seen, path: str) -> Any:
    """Return a field as it stands in the message; None when it has none of this name."""
    if path in HEAD:
        return _head(seen, path)
    holder: object = seen.message
    for part in path.split("."):
        holder = getattr(holder, part, None) if isinstance(holder, msgspec.Struct) else None
    return holder


def _head(seen: Seen, name: str) -> Any:
    match name:
        case "type":
            return type(seen.message).__name__
        case "key":
            return key_of(seen.message)
        case _:
            return getattr(seen, name)


def require_field(path: str, streams: Iterable[str]) -> None:
    """Refuse a field that no message of some streams has."""
    kinds = [kind for name in streams for kind in STREAMS[name].messages]
    if path in HEAD or any(_has(kind, path.split(".")) for kind in kinds):
        return
    known = [*HEAD, *columns(streams)]
    near = get_close_matches(path, known, 1)
    hint = f"the nearest is {near[0]}" if near else f"there are {' '.join(known)}"
    raise click.UsageError(f"no field {path!r} in what is watched; {hint}")


def columns(streams: Iterable[str]) -> list[str]:
    """Return the fields of all messages of some streams, each once."""
    kinds = (kind for name in streams for kind in STREAMS[name].messages)
    return list(dict.fromkeys(name for kind in kinds for name in kind.__struct_fields__))


def _has(kind: Any, parts: list[str]) -> bool:
    found = {one.name: one.type for one in msgspec.structs.fields(kind)}
    if parts[0] not in found:
        return False
    inner = found[parts[0]]
    if len(parts) == 1:
        return True
    return isinstance(inner, type) and issubclass(inner, msgspec.Struct) and _has(inner, parts[1:])
