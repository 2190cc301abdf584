"""What ingest makes of the exchange's texts: exact integers, and traces."""

import re
from collections.abc import Iterable
from hashlib import blake2b

from bus.errors import ProtocolError
from schema.units import to_ints

_PLAIN = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?")


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


def trace_of(*parts: object) -> int:
    """Return 63 bits that are the same whenever the same thing is heard again."""
    text = "|".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1
