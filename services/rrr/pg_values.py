"""One value of PostgreSQL as its text, as SQLite keeps it, and back to a text that both agree on.

`read` makes what is kept of a text, or raises Unfit: exact, or not at all. `write` makes the
canonical text of what is kept, over which both sides are compared; `normal` makes it of a text.
"""

import datetime as dt
import re
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from schema.units import to_text

Stat = Literal["whole", "decimal", "real", "text"]
Text = Callable[[str], str]
ReadAll = Callable[[Sequence[str]], list[int]]

INT64_LIMIT = 1 << 63
SHORT_CHARS = 18  # Whatever digits they are, they fit 64 bits.
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the zone of a timestamp is kept beside it
MICRO = dt.timedelta(microseconds=1)
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # Of the years 1 and 9999.
NAN = "7ff8000000000000"
YEARS = "outside of the years 1 to 9999"

_decimal = re.compile(r"(?!-0*\.?0*$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_zero = re.compile(r"0(?:\.0+)?")
_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_time = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?"
    r"([+-][0-9]{2}(?::[0-9]{2}){0,2})?"
)
_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_octal = re.compile(rb"\\(\\|[0-3][0-7]{2})")


class UnfitError(ValueError):
    """A value that has no exact form here: why."""


class Keeping(msgspec.Struct, frozen=True):
    """How the values of one type are kept, and how they are compared."""

    kept: str
    form: str
    rule: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    normal: Text | None = None  # None: the text itself
    sql: str = "concat({0})"  # the canonical text, as the source computes it
    stat: Stat = "text"
    exponent: int | None = None
    plain: str = "{0}"  # what the source adds up
    read_all: ReadAll | None = None  # reads a whole column at once, or raises UnfitError


def same(text: str) -> str:
    """Return a text as it is."""
    return text


def read_text(text: str) -> str:
    """Return a text that SQLite can hold whole."""
    if "\0" in text:
        raise UnfitError("a NUL within a text")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UnfitError("not UTF-8") from error
    return text


def read_whole(text: str) -> int:
    """Return an integer of 64 bits."""
    try:
        number = int(text)
    except ValueError as error:
        raise UnfitError("not an integer") from error
    if str(number) != text:
        raise UnfitError("not an integer as PostgreSQL writes one")
    return fitting(number)


def all_integers(places: int) -> ReadAll:
    """Return what reads a column of decimals of so many places, when they are short and plain.

    One look at all of them costs a tenth of a look at each; what is odd is looked at alone.
    """
    decimals = f"\\.[0-9]{{{places}}}" if places else ""
    one = rf"(?!-[0.]+(?:\n|\Z))-?(?:0|[1-9][0-9]*){decimals}"
    form = re.compile(rf"{one}(?:\n{one})*+")

    def read(texts: Sequence[str]) -> list[int]:
        joined = "\n".join(texts)
        if max(map(len, texts)) > SHORT_CHARS or form.fullmatch(joined) is None:
            raise UnfitError("not all of them are short and plain")
        found = list(map(int, joined.replace(".", "").split("\n")))
        if len(found) != len(texts):
            raise UnfitError("one of them is more than one")
        return found

    return read


def fitting(number: int) -> int:
    """Return an integer that fits 64 bits."""
    if not -INT64_LIMIT <= number < INT64_LIMIT:
        raise UnfitError("overflow: it does not fit 64 bits")
    return number


def scaled(exponent: int) -> Callable[[str], int]:
    """Return what reads decimals of exactly so many places as integers."""
    places = f"\\.[0-9]{{{exponent}}}" if exponent > 0 else ""
    form = re.compile(rf"(?!-[0.]+$)-?(?:0|[1-9][0-9]*){places}")
    zeros = "0" * -exponent

    def read(text: str) -> int:
        if form.fullmatch(text) is None:
            raise not_finite(text) or UnfitError(f"not a number of {exponent} decimals")
        if exponent >= 0:
            return fitting(int(text.replace(".", "")))
        if text != "0" and not text.endswith(zeros):
            raise UnfitError(f"not a number of {exponent} decimals")
        return fitting(int(text) // 10**-exponent)

    return read


def unscaled(exponent: int) -> Callable[[int], str]:
    """Return what writes such integers as the decimals that they were."""
    if exponent < 0:
        return lambda number: str(number * 10**-exponent)
    return lambda number: to_text(number, exponent)


def read_decimal(text: str) -> str:
    """Return a decimal as its own text."""
    if _decimal.fullmatch(text) is None:
        raise not_finite(text) or UnfitError("not a decimal as PostgreSQL writes one")
    return text


def not_finite(text: str) -> UnfitError | None:
    """Return why a special value is not kept; None for what is none."""
    known = text.lower().lstrip("-") in {"nan", "infinity"}
    return UnfitError(f"{text} has no exact number") if known else None


def read_real(text: str) -> float:
    """Return a double; infinities are exact, and minus zero is zero."""
    try:
        number = float(text) + 0.0
    except ValueError as error:
        raise UnfitError("not a number") from error
    if number != number:  # noqa: PLR0124 - only NaN differs from itself
        raise UnfitError("NaN cannot be stored: SQLite makes it NULL")
    return number


def read_single(text: str) -> float:
    """Return a number of 32 bits as the double that equals it."""
    number = read_real(text)
    try:
        return float(struct.unpack(">f", struct.pack(">f", number))[0])
    except OverflowError as error:
        raise UnfitError("overflow: it does not fit 32 bits") from error


def write_real(number: float) -> str:
    """Return the bits of a double: its text differs from version to version."""
    return struct.pack(">d", number).hex()


def normal_real(read: Callable[[str], float]) -> Text:
    """Return what makes the bits of a double of its text."""

    def normal(text: str) -> str:
        try:
            return write_real(read(text))
        except UnfitError:
            return NAN if text.lower() == "nan" else text

    return normal


def read_boolean(text: str) -> int:
    """Return 0 or 1."""
    if text not in {"t", "f"}:
        raise UnfitError("neither t nor f")
    return int(text == "t")


def read_uuid(text: str) -> bytes:
    """Return the 16 bytes of a UUID."""
    if _uuid.fullmatch(text) is None:
        raise UnfitError("not a UUID as PostgreSQL writes one")
    return bytes.fromhex(text.replace("-", ""))


def write_uuid(raw: bytes) -> str:
    """Return a UUID as PostgreSQL writes it."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read_bytes(text: str) -> bytes:
    """Return the bytes of either form of a bytea."""
    try:
        if text.startswith("\\x"):
            return bytes.fromhex(text[2:])
        return _octal.sub(_unoctal, text.encode("ascii"))
    except ValueError as error:
        raise UnfitError("not a bytea as PostgreSQL writes one") from error


def _unoctal(found: re.Match[bytes]) -> bytes:
    return b"\\" if found[1] == b"\\" else bytes([int(found[1], 8)])


def write_bytes(raw: bytes) -> str:
    """Return bytes in the form of hexadecimal digits."""
    return f"\\x{raw.hex()}"


def read_date(text: str) -> str:
    """Return a day as ISO text, which sorts within the years that have four digits."""
    if _date.fullmatch(text) is None:
        raise UnfitError(YEARS if text[:1].isdigit() else f"{text} is no day")
    return text


def read_time(text: str) -> int:
    """Return a moment as microseconds since 1970; with a zone it is UTC, else as it stands."""
    found = _time.fullmatch(text)
    if found is None:
        raise UnfitError(YEARS if text[:1].isdigit() else f"{text} is no moment")
    try:
        moment = dt.datetime.fromisoformat(found[1] + (found[2] or ""))
    except ValueError as error:
        raise UnfitError(YEARS) from error
    micros = int((moment - EPOCH) // MICRO)
    if found[3] in {None, "+00"}:
        return micros
    micros -= _offset_us(found[3])
    if not FIRST_US <= micros <= LAST_US:
        raise UnfitError(YEARS)
    return micros


def _offset_us(zone: str) -> int:
    parts = [int(part) for part in zone[1:].split(":")]
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    return (-seconds if zone[0] == "-" else seconds) * 1_000_000


def write_time(micros: int) -> str:
    """Return a moment as PostgreSQL writes it without a zone."""
    text = (EPOCH + micros * MICRO).isoformat(" ")
    return text.rstrip("0") if len(text) > 19 else text


def write_instant(micros: int) -> str:
    """Return a moment as PostgreSQL writes it in UTC."""
    return f"{write_time(micros)}+00"


def normal_instant(text: str) -> str:
    """Return a moment of any zone in UTC; what is none stays."""
    if text.endswith("+00"):
        return text
    try:
        return write_instant(read_time(text))
    except (UnfitError, OverflowError):
        return text


def decimal_of(text: str) -> Decimal | None:
    """Return a finite decimal; None for what is none."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
