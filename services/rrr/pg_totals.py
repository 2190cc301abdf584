"""What both sides of a copy add up: rows, a hash without an order, and each column's numbers."""

import hashlib
from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, localcontext
from typing import Any

import msgspec

from services.rrr.pg_values import Keeping, Stat, UnfitError, decimal_of

HASH_LIMIT = 1 << 63
SHOWN_CHARS = 64
EXACT = Context(prec=400_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""More digits than PostgreSQL has; whatever would round raises."""

Texts = Sequence[str | None]


class Span(msgspec.Struct, frozen=True):
    """One column: how many values, the least, the greatest, and the sum of numbers."""

    count: int = 0
    low: str | None = None
    high: str | None = None
    total: str | None = None


class Totals(msgspec.Struct, frozen=True):
    """A table added up."""

    rows: int = 0
    hash: int = 0
    columns: dict[str, Span] = {}


class Converted(msgspec.Struct, frozen=True):
    """A column of a batch: what is kept, its canonical texts, and what could not be kept."""

    values: list[Any]
    texts: Texts
    unfit: dict[int, str]


def converted(keeping: Keeping, texts: Texts) -> Converted:
    """Return a column as it is kept; what has no exact form is None, with its reason."""
    read, normal = keeping.read, keeping.normal
    unfit: dict[int, str] = {}
    try:
        values = _at_once(keeping, texts) or [None if t is None else read(t) for t in texts]
    except UnfitError:
        values = [_tried(keeping, nth, text, unfit) for nth, text in enumerate(texts)]
    if normal is not None:
        texts = [None if text is None else normal(text) for text in texts]
    return Converted(values, texts, unfit)


def _at_once(keeping: Keeping, texts: Texts) -> list[Any] | None:
    if keeping.read_all is None:
        return None
    there = [text for text in texts if text is not None]
    try:
        found = keeping.read_all(there) if there else []
    except UnfitError:
        return None  # One by one it is told which, and why.
    if len(there) == len(texts):
        return found
    values = iter(found)
    return [None if text is None else next(values) for text in texts]


def _tried(keeping: Keeping, nth: int, text: str | None, unfit: dict[int, str]) -> Any:
    if text is None:
        return None
    try:
        return keeping.read(text)
    except UnfitError as error:
        unfit[nth] = str(error)
        return None


def written(keeping: Keeping, values: Sequence[Any]) -> Converted:
    """Return a column that was kept, with the canonical texts of its values."""
    write = keeping.write
    return Converted(
        list(values), [None if value is None else write(value) for value in values], {}
    )


def added_up(
    names: Sequence[str], keepings: Sequence[Keeping], columns: Sequence[Converted]
) -> Totals:
    """Return a batch added up."""
    texts = [column.texts for column in columns]
    return Totals(
        len(texts[0]),
        hash_of(texts),
        {
            name: _span(keeping, column)
            for name, keeping, column in zip(names, keepings, columns, strict=True)
        },
    )


def hash_of(columns: Sequence[Texts]) -> int:
    """Return the sum of the first 60 bits of each row's MD5, over its canonical texts."""
    sized = [["-" if text is None else f"{len(text)}:{text}" for text in one] for one in columns]
    total = 0
    for parts in zip(*sized, strict=True):
        row = "".join(parts).encode("utf-8", "surrogateescape")
        found = hashlib.md5(row, usedforsecurity=False).digest()
        total += int.from_bytes(found[:8], "big") >> 4
    return total % HASH_LIMIT


def _span(keeping: Keeping, column: Converted) -> Span:
    count = len(column.texts) - column.texts.count(None)
    match keeping.stat:
        case "whole":
            found = [*_there(column.values), *_beyond(keeping, column)]
            return _spread("whole", count, found, sum(found))
        case "decimal":
            exact = [one for text in column.texts if text and (one := decimal_of(text)) is not None]
            with localcontext(EXACT):
                return _spread("decimal", count, exact, sum(exact, Decimal()))
        case "real":
            return _spread("real", count, _there(column.values), None)
        case "text":
            return _spread("text", count, _there(column.texts), None)


def _there(found: Sequence[Any]) -> list[Any]:
    # Most columns have no NULL, and are not copied for it one by one.
    return [one for one in found if one is not None] if None in found else list(found)


def _beyond(keeping: Keeping, column: Converted) -> list[int]:
    # What does not fit is a number all the same, and the source adds it up.
    found = [decimal_of(column.texts[nth] or "") for nth in column.unfit]
    with localcontext(EXACT):
        return [int(one.scaleb(keeping.exponent or 0)) for one in found if one is not None]


def _spread(stat: Stat, count: int, found: Sequence[Any], total: Any) -> Span:
    if not found:
        return Span(count)
    low, high = min(found), max(found)
    return Span(count, *(_shown(stat, one) for one in (low, high, total)))


def _shown(stat: Stat, value: Any) -> str | None:
    if value is None:
        return None
    if stat == "text":
        return prefix(value)
    return plain(value) if stat == "decimal" else repr(value)


def prefix(text: str) -> str:
    """Return the beginning of a text, as far as it is compared."""
    return text[:SHOWN_CHARS].encode("utf-8", "backslashreplace").decode()


def plain(number: Decimal) -> str:
    """Return a decimal without zeros that say nothing."""
    with localcontext(EXACT):
        text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text


def merged(names: Sequence[str], keepings: Sequence[Keeping], parts: Iterable[Totals]) -> Totals:
    """Return what several parts of a table come to."""
    whole = Totals(columns=dict.fromkeys(names, Span()))
    stats = dict(zip(names, (keeping.stat for keeping in keepings), strict=True))
    for part in parts:
        whole = Totals(
            whole.rows + part.rows,
            (whole.hash + part.hash) % HASH_LIMIT,
            {
                name: _joined(stats[name], whole.columns[name], part.columns.get(name, Span()))
                for name in names
            },
        )
    return whole


def _joined(stat: Stat, one: Span, other: Span) -> Span:
    if one.low is None or other.low is None:
        rest = other if one.low is None else one
        return msgspec.structs.replace(rest, count=one.count + other.count)
    number = {"whole": int, "decimal": Decimal, "real": float, "text": str}[stat]
    with localcontext(EXACT):
        spread = [number(text or "") for span in (one, other) for text in (span.low, span.high)]
        sums = [number(span.total) for span in (one, other) if span.total is not None]
        total = sum(sums, number()) if sums else None
    return Span(
        one.count + other.count,
        *(_shown(stat, found) for found in (min(spread), max(spread), total)),
    )


def differences(expected: Totals, found: Totals) -> list[str]:
    """Return in words where two sums of one table differ."""
    said = []
    if expected.rows != found.rows:
        said.append(f"{found.rows} rows, the source has {expected.rows}")
    for name in expected.columns:
        there, here = expected.columns[name], found.columns.get(name, Span())
        for part in ("count", "low", "high", "total"):
            wanted, is_ = getattr(there, part), getattr(here, part)
            if wanted != is_:
                said.append(f"{name}: its {WORDS[part]} is {is_}, at the source {wanted}")
    if expected.hash != found.hash:
        said.append(f"the hash is {found.hash:016x}, at the source {expected.hash:016x}")
    return said


WORDS = {"count": "number of values", "low": "least", "high": "greatest", "total": "sum"}
