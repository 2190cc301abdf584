"""What bad rows look like on the market's streams: one kind after the other, before the true row.

Each is made of the true event that it stands before, so that nothing but the spoiled field tells
them apart. What REST says stays true.
"""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import msgspec

LONG = "9" * 400
Row = dict[str, Any]
Spoil = Callable[[Row], object]

TRADES: dict[str, Spoil] = {
    "nan": lambda row: {**row, "p": "NaN"},
    "inf": lambda row: {**row, "p": "Infinity"},
    "zero": lambda row: {**row, "p": "0.00000000"},
    "negative": lambda row: {**row, "q": f"-{row['q']}"},
    "null": lambda row: {**row, "p": None},
    "digits": lambda row: {**row, "p": LONG},
    "hundredfold": lambda row: {**row, "p": _times_100(row["p"])},
    "microseconds": lambda row: {**row, "T": row["T"] * 1_000},
    "seconds": lambda row: {**row, "T": row["T"] // 1_000},
    "future": lambda row: {**row, "T": row["T"] + 86_400_000},
    "past": lambda row: {**row, "T": row["T"] - 86_400_000},
    "symbol": lambda row: {**row, "s": "NOSUCHUSDT"},
    "non_ascii": lambda row: {**row, "s": "₿USDT"},
    "leap": lambda row: {**row, "t": row["t"] + 1_000_000_000},
    "no_id": lambda row: {**row, "t": "abc"},
    "twice": dict,
    "garbage": lambda _row: "}{",
    "truncated": lambda row: msgspec.json.encode(row).decode()[:-9],
    "list": lambda row: [row],
    "bare": lambda _row: {"e": "trade"},
}
TOPS: dict[str, Spoil] = {
    "nan": lambda row: {**row, "b": "NaN"},
    "zero": lambda row: {**row, "b": "0", "a": "0"},
    "negative": lambda row: {**row, "a": f"-{row['a']}"},
    "hundredfold": lambda row: {**row, "b": _times_100(row["b"]), "a": _times_100(row["a"])},
    "crossed": lambda row: {**row, "b": row["a"], "a": row["b"]},
    "digits": lambda row: {**row, "a": LONG},
    "symbol": lambda row: {**row, "s": "NOSUCHUSDT"},
}


SPOILED = frozenset({"trade", "bookTicker"})


class Spoiler:
    """Makes one kind of bad row after the other."""

    def __init__(self) -> None:
        self._trades = cycle(TRADES.values())
        self._tops = cycle(TOPS.values())

    def before(self, event: Row) -> bytes:
        """Return the bad row that goes before a trade or a top."""
        spoiled = next(self._trades if event.get("e") == "trade" else self._tops)(event)
        return spoiled.encode() if isinstance(spoiled, str) else msgspec.json.encode(spoiled)


def _times_100(text: object) -> str:
    whole, _, decimals = str(text).partition(".")
    decimals = decimals.ljust(2, "0")
    return f"{whole}{decimals[:2]}.{decimals[2:] or '0'}"
