"""The exchange's decimal text as exact integers, and the traces that ingest gives."""

from hashlib import blake2b

from bus.errors import ProtocolError

MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
MS_NS = 1_000_000


def fit(text: str, exp: int) -> tuple[int, int]:
    """Return a decimal text as an integer, with `exp` decimals or as many more as it needs."""
    whole, _, decimals = text.partition(".")
    if not (text.isascii() and whole.isdigit() and (decimals.isdigit() or decimals == "")):
        raise ProtocolError(
            f"a number of the exchange: expected plain decimal digits, found {text!r}",
            "The exchange speaks differently than ingest reads; see services/ingest/numbers.py",
        )
    decimals = decimals.rstrip("0")
    exp = max(exp, len(decimals))
    return int(whole + decimals.ljust(exp, "0")), exp


def fit_all(texts: tuple[str, ...], exp: int) -> tuple[tuple[int, ...], int]:
    """Return several decimal texts as integers of one exponent that suits them all."""
    for text in texts:
        exp = fit(text, exp)[1]
    return tuple(fit(text, exp)[0] for text in texts), exp


def floor_ns(at_ns: int, step_ns: int = MINUTE_NS) -> int:
    """Return the last multiple of a step that is not after a time."""
    return at_ns - at_ns % step_ns


def trace_of(*parts: object) -> int:
    """Return 63 bits that are the same whenever the same thing is heard again."""
    text = "|".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1
