"""Lines of COPY in its text form: fields apart by tabs, with everything odd behind a backslash."""

import re
from collections.abc import Sequence

from bus.errors import HouseError
from services.rrr.journal_files import IntegrityError

Fields = list[str | None]

_escape = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_named = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def fields_of(line: bytes) -> Fields:
    """Return the texts of a line without its end; None for NULL, halves of bytes for no UTF-8."""
    if b"\\" not in line:
        return [*_decoded(line).split("\t")]
    return [_field(raw) for raw in line.split(b"\t")]


def _field(raw: bytes) -> str | None:
    if raw == b"\\N":
        return None
    return _decoded(_escape.sub(_meant, raw) if b"\\" in raw else raw)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _meant(found: re.Match[bytes]) -> bytes:
    what = found[1]
    if what in _named:
        return _named[what]
    if len(what) > 1 and what[:1] == b"x":
        return bytes([int(what[1:], 16)])
    if what.isdigit() and what[:1] < b"8":
        return bytes([int(what, 8) & 0xFF])
    return what


def columns_of(lines: Sequence[bytes], width: int, table: str) -> list[tuple[str | None, ...]]:
    """Return the fields of some lines column by column; IntegrityError for a torn line."""
    rows = [fields_of(line) for line in lines]
    for row in rows:
        if len(row) != width:
            raise torn(table, len(row), width)
    return list(zip(*rows, strict=True))


def torn(table: str, found: int, width: int) -> HouseError:
    """Return the failure of a line that lacks fields."""
    return IntegrityError(
        f"a row of {table} has {found} fields, expected {width}",
        "The dump is damaged, or no text form of COPY: make it anew",
    )
