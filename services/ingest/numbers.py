"""What ingest makes of the exchange's texts: exact integers, and traces."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from bus.errors import ProtocolError
from schema.units import to_ints

ALIKE_EXP = 9
"""Decimals with which nine digits before the point still fit."""

_PLAIN = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?")


def is_plain(value: object) -> bool:
    """Say whether a value is the text of a plain number."""
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None


def read(texts: Iterable[str], exp: int) -> tuple[tuple[int, ...], int]:
    """Return numbers of the exchange as `to_ints` does; ProtocolError for what is none."""
    texts = tuple(texts)
    for text in texts:
        if not _PLAIN.fullmatch(text):
            raise ProtocolError(
                f"a number of the exchange: expected plain decimal digits, found {text!r}",
                "The exchange speaks differently than ingest reads; see services/ingest/numbers.py",
            )
    return to_ints(texts, exp)


def read_many(texts: Sequence[str], exp: int) -> tuple[Sequence[int], int]:
    """Return what `read` does, sooner for many texts that are written alike."""
    alike = _alike(texts, exp) if texts and exp <= ALIKE_EXP else None
    return read(texts, exp) if alike is None else (alike, exp)


def _alike(texts: Sequence[str], exp: int) -> list[int] | None:
    decimals = len(texts[0].partition(".")[2])
    if not 0 < decimals <= ALIKE_EXP or not _row_of(decimals).fullmatch(" ".join(texts)):
        return None
    found = [int(text.replace(".", "")) for text in texts]
    if decimals <= exp:
        up = 10 ** (exp - decimals)
        return found if up == 1 else [n * up for n in found]
    down = 10 ** (decimals - exp)
    return None if any(n % down for n in found) else [n // down for n in found]


@lru_cache(ALIKE_EXP)
def _row_of(decimals: int) -> re.Pattern[str]:
    number = rf"[0-9]{{1,9}}\.[0-9]{{{decimals}}}"
    return re.compile(f"{number}(?: {number})*")


def trace_of(*parts: object) -> int:
    """Return 63 bits that are the same whenever the same thing is heard again."""
    text = "|".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1
