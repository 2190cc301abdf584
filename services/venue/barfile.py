"""Reads recorded one-minute bars, and refuses what could not have been traded.

Each refusal names the file, the line, what was expected and what was found. Numbers stay exact:
text becomes integers of the file's own decimals, without a float between.
"""

import gzip
import re
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np

from bus.errors import SettingsError
from services.venue.columns import MINUTE_MS, Bars
from services.venue.noise import Ints
from services.venue.tape import flaw

HEADER = "timestamp_ms,open,high,low,close,volume"
COLUMNS = HEADER.split(",")
EXP = 8
INT_MAX = 2**62
MS_MIN = 10**11  # smaller ones are seconds
MS_MAX = 10**13
ROWS_TO_JUDGE = 10
LINE_MAX = 1 << 16
NUMBER = re.compile(r"\d{1,24}(?:\.\d{1,24})?")
_SMALL = re.compile(r"\d(?:\.\d{1,20})?e-\d{1,2}", re.IGNORECASE)
_ROW = re.compile(",".join([r"(\d{1,15})"] + [rf"({NUMBER.pattern})"] * 5))


def _column() -> "array[int]":
    return array("q")


@dataclass
class BarFile:
    """The rows of one file; numbers at eight decimals, however many the file shows."""

    path: Path
    px_exp: int = 0  # the most decimals that a price of the file has
    qty_exp: int = 0  # and a volume
    at_ms: "array[int]" = field(default_factory=_column)
    open: "array[int]" = field(default_factory=_column)
    high: "array[int]" = field(default_factory=_column)
    low: "array[int]" = field(default_factory=_column)
    close: "array[int]" = field(default_factory=_column)
    volume: "array[int]" = field(default_factory=_column)

    def bars(self, px_exp: int, qty_exp: int) -> Bars:
        """Return the minutes with trades, in exponents that several files share."""
        unit, lot = 10 ** (EXP - px_exp), 10 ** (EXP - qty_exp)
        volume = np.array(self.volume, np.int64)
        traded = volume > 0
        open_, high, low, close = (
            np.array(column, np.int64)[traded] // unit
            for column in (self.open, self.high, self.low, self.close)
        )
        at_ms: Ints = np.array(self.at_ms, np.int64)[traded]
        count: Ints = np.zeros(len(at_ms), np.int64)
        return Bars(at_ms, open_, high, low, close, volume[traded] // lot, count)


def refuse(path: Path, line: int, expected: str, found: str) -> NoReturn:
    """Raise the SettingsError of one line."""
    raise SettingsError(
        f"{path}:{line}: expected {expected}, found {found}",
        "Correct the file, or name another one in venue.replay",
    )


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of a text file, which may be gzipped."""
    number = 0
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        refuse(path, number + 1, "text in UTF-8", f"other bytes ({error.reason})")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        refuse(path, number + 1, "a whole gzip file", str(error))
    except OSError as error:
        raise SettingsError(
            f"`venue.replay` names {path}, which cannot be read: {error.strerror or error}",
            "Name files that exist, with absolute paths",
        ) from error


def read_bars(path: Path) -> BarFile:
    """Return the rows of a file, each of which trades can make."""
    rows = BarFile(path)
    before_ms = 0
    for line, row in _texts(path):
        before_ms = _time(path, line, row[0], before_ms)
        _add(rows, line, before_ms, row)
    if not rows.at_ms:
        refuse(path, 2, "a row of numbers", "the end of the file")
    _check_minutes(path, rows.at_ms)
    return rows


def _texts(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    ended = line = 0
    for line, text in lines_of(path):
        if line == 1:
            if text.strip() != HEADER:
                refuse(path, 1, f"the header {HEADER}", _short(text))
        elif not text and not ended:
            ended = line
        elif ended:
            refuse(path, ended, "a row of numbers", "an empty line")
        else:
            yield line, _row(path, line, text)
    if not line:
        refuse(path, 1, f"the header {HEADER}", "an empty file")


def _row(path: Path, line: int, text: str) -> tuple[str, ...]:
    match = _ROW.fullmatch(text)
    if match is not None:
        return match.groups()
    cells = [_spelled_out(cell) for cell in text.split(",")]
    if len(cells) != len(COLUMNS):
        refuse(path, line, f"{len(COLUMNS)} columns", f"{len(cells)}: {_short(text)}")
    for name, cell in zip(COLUMNS, cells, strict=True):
        if not NUMBER.fullmatch(cell):
            refuse(path, line, f"a plain decimal number as {name}", repr(cell))
    if not cells[0].isdecimal():
        refuse(path, line, "a time in milliseconds since 1970", repr(cells[0]))
    return tuple(cells)


def _spelled_out(cell: str) -> str:
    # Programs write small numbers as 5e-05, which is exact all the same.
    return f"{Decimal(cell):f}" if _SMALL.fullmatch(cell) else cell


def _time(path: Path, line: int, text: str, before_ms: int) -> int:
    at_ms = int(text)
    if not MS_MIN <= at_ms < MS_MAX:
        refuse(path, line, "a time in milliseconds since 1970", text)
    if at_ms % MINUTE_MS:
        refuse(path, line, "the start of a minute", text)
    if at_ms <= before_ms:
        refuse(path, line, f"a time after {before_ms}", text)
    return at_ms


def _add(rows: BarFile, line: int, at_ms: int, row: tuple[str, ...]) -> None:
    open_, high, low, close, volume = (scaled(rows.path, line, text) for text in row[1:])
    if expected := flaw(open_, high, low, close, volume):
        refuse(rows.path, line, expected, ",".join(row[1:]))
    rows.px_exp = max(rows.px_exp, *(_decimals(text) for text in row[1:5]))
    rows.qty_exp = max(rows.qty_exp, _decimals(row[5]))
    rows.at_ms.append(at_ms)
    rows.open.append(open_)
    rows.high.append(high)
    rows.low.append(low)
    rows.close.append(close)
    rows.volume.append(volume)


def scaled(path: Path, line: int, text: str) -> int:
    """Return a number as it stands in a file, with eight decimals."""
    whole, _, part = text.partition(".")
    if len(part) > EXP:
        part = part.rstrip("0")
    if len(part) > EXP:
        refuse(path, line, f"at most {EXP} decimals", text)
    number = int(whole + part.ljust(EXP, "0"))
    if number >= INT_MAX:
        refuse(path, line, f"a number below {INT_MAX // 10**EXP}", text)
    return number


def _decimals(text: str) -> int:
    # All eight decimals, as the exchange pads its numbers, say nothing about the tick.
    part = text.partition(".")[2]
    return len(part) if len(part) < EXP else len(part.rstrip("0"))


def _check_minutes(path: Path, at_ms: "array[int]") -> None:
    if len(at_ms) < ROWS_TO_JUDGE:
        return
    step = min(after - before for before, after in pairwise(at_ms))
    if step > MINUTE_MS:
        refuse(path, 3, "bars of one minute", f"bars of {step // MINUTE_MS} minutes")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
