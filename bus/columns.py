"""Bars and ticks as arrays of integers, and how those of several files become one.

What stands in an earlier file wins by its key; numbers of fewer decimals take on the most that any
of them has, exactly, or are refused where 64 bits do not hold them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from bus.errors import ShardError
from schema.units import INT64_LIMIT, MS_NS, to_text

Ints = np.ndarray[Any, np.dtype[np.int64]]
Exponents = tuple[int, int, int]
"""Decimals of price, quantity and quote volume."""

BarRow = tuple[int, int, int, int, int, int, int, int]
"""open_ns, open, high, low, close, volume, quote volume, trades, in the exponents beside them."""

NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
BAR_COLUMNS = (*NUMBERS, "source")
TICK_COLUMNS = ("px", "qty", "side")
SCALES = {
    **dict.fromkeys(("open", "high", "low", "close", "px"), 0),
    **dict.fromkeys(("volume", "qty"), 1),
    "quote_volume": 2,
}
"""Which of the exponents a column has; the others are plain counts."""

ZERO, POINT = ord("0"), ord(".")

EMPTY: Ints = np.empty(0, np.int64)


class Bars(msgspec.Struct, frozen=True):
    """Bars of one series, oldest first; only the columns that were asked for."""

    exponents: Exponents
    open_ns: Ints
    columns: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.open_ns)

    def __getitem__(self, name: str) -> Ints:
        return self.columns[name]

    def rows(self) -> list[BarRow]:
        """Return them as plain tuples."""
        numbers = (self.columns[name].tolist() for name in NUMBERS)
        return list(zip(self.open_ns.tolist(), *numbers, strict=True))


class Candle(msgspec.Struct, frozen=True):
    """One bar; source is 0 when it was folded from trades, 1 when it was fetched whole."""

    open_ns: int
    exponents: Exponents
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    source: int


class Ticks(msgspec.Struct, frozen=True):
    """Trades of one symbol by time, then by id; side is the aggressor's: 0 buy, 1 sell."""

    exponents: Exponents
    trade_id: Ints
    ts_ns: Ints
    columns: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.trade_id)

    def __getitem__(self, name: str) -> Ints:
        return self.columns[name]


class Part(msgspec.Struct, frozen=True):
    """What one file holds of a series: keys, oldest first, and the columns beside them."""

    exponents: Exponents
    keys: Ints
    columns: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.keys)


def no_part(names: Sequence[str]) -> Part:
    """Return the part of a file that holds nothing."""
    return Part((0, 0, 0), EMPTY, dict.fromkeys(names, EMPTY))


def united(parts: Sequence[Part], names: Sequence[str], what: str) -> Part:
    """Return parts that may hold the same keys as one, in the order of the keys; the first wins."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else no_part(names)
    keys = np.concatenate([part.keys for part in parts])
    _, chosen = np.unique(keys, return_index=True)
    whole = chained(parts, names, what)
    return taken(whole, chosen)


def chained(parts: Sequence[Part], names: Sequence[str], what: str) -> Part:
    """Return parts one behind the other, in the most decimals that one of them has."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else no_part(names)
    most = (
        max(part.exponents[0] for part in parts),
        max(part.exponents[1] for part in parts),
        max(part.exponents[2] for part in parts),
    )
    columns = {
        name: np.concatenate([_rescaled(part, name, most, what) for part in parts])
        for name in parts[0].columns
    }
    return Part(most, np.concatenate([part.keys for part in parts]), columns)


def taken(part: Part, chosen: "np.ndarray[Any, np.dtype[np.intp]] | slice") -> Part:
    """Return some rows of a part."""
    columns = {name: column[chosen] for name, column in part.columns.items()}
    return Part(part.exponents, part.keys[chosen], columns)


def ticks_of(part: Part) -> Ticks:
    """Return trades, keyed by their ids, by time."""
    ts_ns = part.columns["ts_ns"]
    if (np.diff(ts_ns) < 0).any():
        part = taken(part, np.lexsort((part.keys, ts_ns)))
    columns = {name: part.columns[name] for name in TICK_COLUMNS}
    return Ticks(part.exponents, part.keys, part.columns["ts_ns"], columns)


def decimal_texts(numbers: Ints, exp: int) -> list[str]:
    """Return integers of so many decimals as plain texts, exactly."""
    if not exp or not len(numbers) or numbers.min() < 0:
        return [to_text(number, exp) for number in numbers.tolist()]
    width = max(len(str(numbers.max())), exp + 1)
    letters = np.empty((len(numbers), width + 1), np.uint32)
    letters[:, width - exp] = POINT
    rest = numbers
    for at in range(width):  # Digit by digit, all numbers at once, from the last one on.
        tens = rest // 10
        letters[:, width - at - (at >= exp)] = rest - tens * 10 + ZERO
        rest = tens
    texts: list[str] = letters.reshape(-1).view(f"U{width + 1}").tolist()
    return texts if numbers.min() >= 10 ** (width - 1) else list(map(_led, texts))


def _led(text: str) -> str:
    """Return a text without zeros in front, but the one before a point."""
    text = text.lstrip("0")
    return f"0{text}" if text[0] == "." else text


def iso_texts(ns: Ints) -> list[str]:
    """Return times as ISO text in UTC, to the millisecond, of one width."""
    ms = (ns // MS_NS).astype("M8[ms]")
    texts: list[str] = np.datetime_as_string(ms, unit="ms", timezone="UTC").tolist()
    return texts


def _rescaled(part: Part, name: str, exponents: Exponents, what: str) -> Ints:
    column, at = part.columns[name], SCALES.get(name)
    if at is None or part.exponents[at] == exponents[at]:
        return column
    factor = 10 ** (exponents[at] - part.exponents[at])
    largest = max(abs(int(column.max())), abs(int(column.min())))
    if largest * factor >= INT64_LIMIT:
        raise ShardError(
            f"{name} of {what} has {part.exponents[at]} decimals in one month and "
            f"{exponents[at]} in another, and 64 bits do not hold {largest} with the latter",
            "Ask for these months one by one, or ask the view, which shows decimals",
        )
    scaled: Ints = column * np.int64(factor)
    return scaled
