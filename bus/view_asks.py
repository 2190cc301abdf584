"""What a SELECT asks of a view over months, told as ranges of keys.

SQLite hands over comparisons of columns with values; here they become sets of names and closed
ranges of integers, by the rules of SQLite for values of other types: exact, so that it need not
compare again, or not used at all.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from schema.units import MS_NS, iso_ms

LEAST, MOST = -(1 << 63), (1 << 63) - 1
LAST_MS = 253_402_300_799_999  # of the year 9999, the last that ISO text has four digits for
EQUAL, LESS, AT_MOST, MORE, AT_LEAST = "=", "<", "<=", ">", ">="

_number = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")

Range = tuple[int, int]
"""The least and the greatest integer; an empty one has them the wrong way round."""

ALL: Range = (LEAST, MOST)
NONE: Range = (1, 0)


class Asked(msgspec.Struct):
    """What is wanted: of which series, when, and how."""

    symbols: frozenset[str] | None = None
    timeframes: frozenset[str] | None = None
    ms: Range = ALL
    ids: Range = ALL
    limit: int | None = None
    descending: bool = False
    once: bool = False  # one row a series is enough
    columns: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return self.ms[0] > self.ms[1] or self.ids[0] > self.ids[1]

    def wants(self, symbol: str, timeframe: str) -> bool:
        """Return whether a series is among those asked for."""
        return (self.symbols is None or symbol in self.symbols) and (
            self.timeframes is None or timeframe in self.timeframes
        )


def plan_text(terms: Sequence[str], flags: Sequence[str], columns: Sequence[str]) -> str:
    """Return what a plan shows, and what the cursor is told by."""
    return " | ".join((" ".join(terms), " ".join(flags), " ".join(columns)))


def read_plan(text: str, values: Sequence[object]) -> Asked:
    """Return what is asked by the text of a plan and the values of its terms."""
    terms, flags, columns = (part.split() for part in text.split(" | "))
    asked = Asked(descending="desc" in flags, once="once" in flags, columns=tuple(columns))
    offset, exact = 0, True
    for term, value in zip(terms, values, strict=True):
        match term:
            case "limit":
                asked.limit = _count(value)
            case "offset":
                offset = max(0, _count(value) or 0)
            case _:
                exact &= _take(asked, *_split(term), value)
    if asked.limit is not None:
        asked.limit = asked.limit + offset if exact and asked.limit >= 0 else None
    return asked


def number_range(op: str, value: object) -> Range:
    """Return the integers for which a comparison with a value is true."""
    if value is None:
        return NONE
    if isinstance(value, str) and _number.fullmatch(value):
        value = float(value) if {*value} & {*".eE"} else int(value)
    if isinstance(value, int | float):
        return _compared(op, value)
    return ALL if op in {LESS, AT_MOST} else NONE  # Text and bytes are greater than any number.


def time_range(op: str, text: str) -> Range:
    """Return the ms since 1970 whose ISO text compares so with a text."""
    at = bisect_left(_Times(), text)
    there = at <= LAST_MS and iso_ms(at * MS_NS) == text
    behind = at + there
    match op:
        case "=":
            return (at, at) if there else NONE
        case "<":
            return LEAST, at - 1
        case "<=":
            return LEAST, behind - 1
        case ">":
            return behind, MOST
    return at, MOST


class _Times(Sequence[str]):
    """All ISO times of one width, as a sorted sequence that nobody writes down."""

    def __len__(self) -> int:
        return LAST_MS + 1

    def __getitem__(self, at: int) -> str:  # type: ignore[override] # nobody slices it
        return iso_ms(at * MS_NS)


def _take(asked: Asked, name: str, op: str, value: object) -> bool:
    """Narrow what is asked; False where the value says nothing that could be used."""
    match name:
        case "symbol":
            asked.symbols = _common(asked.symbols, value)
        case "timeframe":
            asked.timeframes = _common(asked.timeframes, value)
        case "trade_id":
            asked.ids = _narrowed(asked.ids, number_range(op, value))
        case "time":
            if not isinstance(value, str):
                return value is not None or _nothing(asked)
            asked.ms = _narrowed(asked.ms, time_range(op, value))
        case _:
            asked.ms = _narrowed(asked.ms, number_range(op, value))
    return True


def _nothing(asked: Asked) -> bool:
    asked.ms = NONE
    return True


def _split(term: str) -> tuple[str, str]:
    name = term.rstrip("<>=")
    return name, term[len(name) :]


def _common(known: frozenset[str] | None, value: object) -> frozenset[str]:
    values = value if isinstance(value, set | frozenset) else {value}
    texts = frozenset(one for one in values if isinstance(one, str))
    return texts if known is None else known & texts


def _narrowed(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])


def _compared(op: str, value: float) -> Range:
    if not LEAST <= value <= MOST:
        above = value > 0
        fits = op in ({LESS, AT_MOST} if above else {MORE, AT_LEAST})
        return ALL if fits else NONE
    low, high = math.floor(value), math.ceil(value)
    match op:
        case "=":
            return (low, low) if low == high else NONE
        case "<":
            return LEAST, high - 1
        case "<=":
            return LEAST, low
        case ">":
            return low + 1, MOST
    return high, MOST


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
