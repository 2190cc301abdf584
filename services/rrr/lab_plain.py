"""Messages and rows of the house as plain columns: integers with exponents become floats.

The same names mean the same everywhere in the house, so that one list of them does for streams and
shards. What has parts of its own becomes JSON text, bytes become hexadecimal text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schema.head import Message
from schema.streams import BY_NUMBER
from services.rrr.lab_table import columns_of

SCALES: dict[str, tuple[str, ...]] = {
    "px_exp": (
        *("px", "open", "high", "low", "close", "bid_px", "ask_px", "tick", "min_px", "max_px"),
        *("limit_px", "stop_px", "ref_px", "mark_px", "take_px"),
        *("price", "limit_price", "stop_price", "ref_price", "take_price"),
    ),
    "qty_exp": (
        *("qty", "volume", "bid_qty", "ask_qty", "lot", "min_qty", "max_qty", "market_max_qty"),
        "cum_qty",
    ),
    "filled_exp": ("filled_qty",),
    "quote_exp": (
        *("quote_volume", "quote_qty", "cash", "equity", "gross_exposure", "net_exposure"),
        *("realized", "unrealized", "fees", "peak_equity", "cost", "deposits", "min_notional"),
        *("max_notional", "filled_quote", "gain"),
    ),
    "exp": ("amount", "free", "locked", "difference"),
}
"""Which fields an exponent beside them scales."""

EXPONENT = {name: exponent for exponent, names in SCALES.items() for name in names}
EXPONENTS = frozenset({*SCALES, "fee_exp"})
LEVELS = frozenset({"bids", "asks"})
UNSET = frozenset(
    {
        *("limit_px", "stop_px", "ref_px", "take_px", "mark_px"),
        *("limit_price", "stop_price", "ref_price"),
    }
)
"""Prices of which 0 says that there is none."""

SPANS = frozenset({"horizon_ns"})
FLAGS = frozenset({"maker", "late"})
PARTS = (tuple, list, dict, msgspec.Struct)


def message_row(message: Message) -> dict[str, Any]:
    """Return the fields of a message as one row of plain values."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    number, pos = fields.pop("cause")
    stream = BY_NUMBER.get(number)
    caused = {"cause_stream": stream.name if stream is not None else "", "cause_pos": pos}
    return {"time": fields.pop("ts_event"), **plain_row(fields), **caused}


def message_names(fields: Sequence[str]) -> list[str]:
    """Return the columns that these fields of messages become, without the time."""
    head = {"ts_event", "cause"}
    own = [plain_name(name) for name in fields if _kept(name) and name not in head]
    return [*dict.fromkeys(own), "cause_stream", "cause_pos"]


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its numbers scaled and without the exponents; times stay in ns."""
    return {
        plain_name(name): _value(name, value, row)
        for name, value in row.items()
        if name not in EXPONENTS
    }


def plain_columns(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()
) -> tuple[dict[str, list[Any]], set[str]]:
    """Return raw rows of a shard as columns, and which of them are times."""
    raw = columns_of(rows, names)
    columns = columns_of([plain_row(row) for row in rows], [plain_name(n) for n in raw if _kept(n)])
    return columns, {plain_name(name) for name in raw if is_time(name)}


def is_time(name: str) -> bool:
    """Return whether a field of this name is ns since 1970."""
    return (name.endswith("_ns") and name not in SPANS) or name in {"ts_event", "ts_recv"}


def _kept(name: str) -> bool:
    return name not in EXPONENTS


def plain_name(name: str) -> str:
    """Return how a column is called that a field becomes."""
    if name == "ts_ns":
        return "time"
    plain = name.removesuffix("_ns") if is_time(name) else name
    return f"{plain}_time" if plain != name and plain in EXPONENT else plain


def _value(name: str, value: Any, row: Mapping[str, Any]) -> Any:
    if name in LEVELS:
        return _json([[_scaled(px, row["px_exp"]), _scaled(q, row["qty_exp"])] for px, q in value])
    if name in UNSET and value == 0:
        return None
    if isinstance(value, int) and name in FLAGS:
        return bool(value)
    exponent = row.get(_exponent(name, row))
    if isinstance(value, int) and isinstance(exponent, int):
        return _scaled(value, exponent)
    if isinstance(value, bytes):
        return value.hex()
    return _json(value) if isinstance(value, PARTS) else value


def _exponent(name: str, row: Mapping[str, Any]) -> str:
    if name == "fee":
        return "fee_exp" if "fee_exp" in row else "quote_exp"
    return EXPONENT.get(name, "")


def _scaled(number: int, exponent: int) -> float:
    return float(number / 10**exponent)


def _json(value: object) -> str:
    return msgspec.json.encode(_named(value)).decode()


def _named(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [_named(part) for part in value]
    return value.hex() if isinstance(value, bytes) else value
