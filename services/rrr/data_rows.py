"""Lines of a file to rows of integers: whole columns where they are plain, one by one where not.

What cannot be read is told line by line, and what was read keeps its line for what comes after.
"""

import csv
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from services.rrr.data_digits import (
    PAD,
    UNKNOWN,
    Bools,
    Bytes,
    Ints,
    Numbers,
    Smalls,
    number,
    numbers,
)
from services.rrr.data_layouts import Layout
from services.rrr.data_report import Report
from services.rrr.data_times import EXPECTED, dates, epochs, moment

NEWLINE, RETURN, QUOTE, SPACE = 10, 13, b'"', 32
VALUES = ("open", "high", "low", "close", "volume", "quote", "trades")
OPTIONAL = frozenset({"quote", "trades"})
FOUND_CHARS = 60


class Rows(msgspec.Struct):
    """What was read of some lines, in their order: values[i] / 10**decimals[i] for each row."""

    lines: Ints
    opens_ns: Ints
    values: list[Ints]  # in the order of VALUES
    decimals: list[Smalls]


class Reader:
    """Reads the blocks of one file, whose layout is known."""

    def __init__(self, layout: Layout, report: Report, day: str = "") -> None:
        self._layout = layout
        self._report = report
        self._day = day
        self.read = 0
        self.symbol = b""  # of the first row, where there is a column for it

    def rows(self, block: bytes, first_line: int) -> Rows:
        """Return what can be read of whole lines; the rest goes into the report."""
        lines = np.arange(first_line, first_line + block.count(b"\n"), dtype=np.int64)
        if QUOTE in block:
            block, lines = self._unquoted(block, first_line)
        return self._parsed(block, lines)

    def _parsed(self, block: bytes, lines: Ints) -> Rows:
        text = np.frombuffer(b" " * PAD + block, np.uint8)
        starts, ends, lines = self._fields(text, lines)
        self.read += len(lines)
        bad = np.zeros(len(lines), np.bool_)
        columns = [self._column(text, starts, ends, lines, role, bad) for role in VALUES]
        self._check_symbol(text, starts, ends, lines, bad)
        opens_ns = self._opens(text, starts, ends, lines, bad)
        good = ~bad
        return Rows(
            lines[good],
            opens_ns[good],
            [column.values[good] for column in columns],
            [column.decimals[good].astype(np.int8) for column in columns],
        )

    def _fields(self, text: Bytes, lines: Ints) -> tuple[Ints, Ints, Ints]:
        """Return where the fields of each row start and end, (rows, columns), and their lines."""
        marks = np.flatnonzero((text == NEWLINE) | (text == self._layout.delimiter[0]))
        marks = np.concatenate((np.array([PAD - 1]), marks))
        breaks = np.flatnonzero(text[marks] == NEWLINE)
        if len(breaks) and breaks[0] == 0:  # The mark that we put before the first field.
            breaks = breaks[1:]
        before = np.concatenate((np.array([0]), breaks[:-1]))
        counts = breaks - before
        blank = (counts == 1) & (marks[breaks] - marks[before] <= 2)
        fits = counts == self._layout.count
        self._tell_counts(text, marks, (before, breaks), lines, ~fits & ~blank)
        at = before[fits][:, None] + np.arange(self._layout.count)
        starts, ends = marks[at] + 1, marks[at + 1]
        if len(ends):
            ends[:, -1] -= text[ends[:, -1] - 1] == RETURN
        return starts, ends, lines[fits]

    def _tell_counts(
        self, text: Bytes, marks: Ints, rows: tuple[Ints, Ints], lines: Ints, wrong: Bools
    ) -> None:
        before, breaks = rows
        for at in np.flatnonzero(wrong):
            found = text[marks[before[at]] + 1 : marks[breaks[at]]].tobytes()
            count = int(breaks[at] - before[at])
            self.read += 1
            self._report.bad(
                int(lines[at]),
                f"{self._layout.count} columns",
                f"{count}: {_shown(found)}",
            )

    def _column(
        self,
        text: Bytes,
        starts: Ints,
        ends: Ints,
        lines: Ints,
        role: str,
        bad: Bools,
    ) -> Numbers:
        at = self._layout.columns.get(role)
        if at is None or not len(lines):
            return _zeros(len(lines))
        first, last = _trimmed(text, starts[:, at], ends[:, at])
        column = numbers(text, first, last)
        for row in np.flatnonzero(column.odd & ~bad):
            found = text[first[row] : last[row]].tobytes()
            column.values[row] = column.decimals[row] = 0
            if role in OPTIONAL and found.decode("latin-1").lower() in UNKNOWN:
                continue
            self._read_one(column, int(row), found, int(lines[row]), role, bad)
        return column

    def _read_one(
        self,
        column: Numbers,
        row: int,
        found: bytes,
        line: int,
        role: str,
        bad: Bools,
    ) -> None:
        try:
            read = number(found.decode("latin-1"))
        except ValueError as error:
            bad[row] = True
            self._report.bad(line, f"{role} to be {error}", _shown(found))
            return
        column.values[row], column.decimals[row] = read.value, read.decimals
        self._report.restored += read.restored
        if read.rounded:
            self._report.rounded(line, role, _shown(found), read.value, read.decimals)

    def _check_symbol(self, text: Bytes, starts: Ints, ends: Ints, lines: Ints, bad: Bools) -> None:
        at = self._layout.columns.get("symbol")
        if at is None or not len(lines):
            return
        first, last = _trimmed(text, starts[:, at], ends[:, at])
        self.symbol = self.symbol or text[first[0] : last[0]].tobytes()
        same = last - first == len(self.symbol)
        for offset, char in enumerate(self.symbol):
            same &= text[np.where(same, first + offset, 0)] == char
        for row in np.flatnonzero(~same & ~bad):
            bad[row] = True
            expected = f"the symbol {_shown(self.symbol)} of the first row"
            self._report.bad(
                int(lines[row]), expected, _shown(text[first[row] : last[row]].tobytes())
            )

    def _opens(self, text: Bytes, starts: Ints, ends: Ints, lines: Ints, bad: Bools) -> Ints:
        if not len(lines):
            return np.zeros(0, np.int64)
        at = self._layout.columns["time"]
        first, last = _trimmed(text, starts[:, at], ends[:, at])
        opens_ns, fine = self._times(text, first, last)
        for row in np.flatnonzero(~fine & ~bad):
            found = text[first[row] : last[row]].tobytes()
            try:
                opens_ns[row] = moment(found.decode("latin-1"), self._day)
            except (ValueError, OverflowError):
                bad[row] = True
                self._report.bad(int(lines[row]), EXPECTED, _shown(found))
        self._compare_dates(text, starts, ends, opens_ns, lines, bad)
        return opens_ns

    def _times(self, text: Bytes, first: Ints, last: Ints) -> tuple[Ints, Bools]:
        if self._day:
            return np.zeros(len(first), np.int64), np.zeros(len(first), np.bool_)
        column = numbers(text, first, last)
        opens_ns, fine = epochs(column.values, column.decimals)
        fine &= ~column.odd
        if not fine.all():
            of_dates, dated = dates(text, first, last)
            opens_ns[dated & ~fine] = of_dates[dated & ~fine]
            fine |= dated
        return opens_ns, fine

    def _compare_dates(
        self, text: Bytes, starts: Ints, ends: Ints, opens_ns: Ints, lines: Ints, bad: Bools
    ) -> None:
        at = self._layout.columns.get("date")
        if at is None:
            return
        first, last = _trimmed(text, starts[:, at], ends[:, at])
        of_dates, dated = dates(text, first, last)
        for row in np.flatnonzero(~dated & ~bad):
            try:
                of_dates[row] = moment(text[first[row] : last[row]].tobytes().decode("latin-1"))
            except ValueError:
                of_dates[row] = -1
        for row in np.flatnonzero((of_dates != opens_ns) & ~bad):
            found = _shown(text[first[row] : last[row]].tobytes())
            self._report.date_differs(int(lines[row]), int(opens_ns[row]), found)

    def _unquoted(self, block: bytes, first_line: int) -> tuple[bytes, Ints]:
        """Return lines without their quotes; one that needs them goes into the report."""
        kept: list[bytes] = []
        lines: list[int] = []
        for line, text in _numbered(block, first_line):
            plain = self._plain(line, text) if QUOTE in text else text
            if plain is not None:
                kept.append(plain)
                lines.append(line)
        return b"\n".join([*kept, b""]), np.array(lines, np.int64)

    def _plain(self, line: int, text: bytes) -> bytes | None:
        delimiter = self._layout.delimiter.decode()
        try:
            (fields,) = csv.reader([text.decode("latin-1")], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            fields = [""]
        if len(fields) == 1 or any(delimiter in field or "\n" in field for field in fields):
            self.read += 1
            self._report.bad(line, "fields in quotes that are closed", _shown(text))
            return None
        return delimiter.join(fields).encode("latin-1")


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several blocks as one; theirs are given up, column by column."""
    values, decimals = [], []
    for at in range(len(VALUES)):
        values.append(np.concatenate([part.values[at] for part in parts]))
        decimals.append(np.concatenate([part.decimals[at] for part in parts]))
        for part in parts:
            part.values[at], part.decimals[at] = values[at][:0], decimals[at][:0]
    lines = np.concatenate([part.lines for part in parts])
    opens_ns = np.concatenate([part.opens_ns for part in parts])
    return Rows(lines, opens_ns, values, decimals)


def _numbered(block: bytes, first_line: int) -> Iterator[tuple[int, bytes]]:
    yield from enumerate(block.split(b"\n")[:-1], first_line)


def _trimmed(text: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Return the fields without spaces around them."""
    while (spaced := (text[starts] == SPACE) & (starts < ends)).any():
        starts = starts + spaced
    while (spaced := (text[ends - 1] == SPACE) & (starts < ends)).any():
        ends = ends - spaced
    return starts, ends


def _zeros(count: int) -> Numbers:
    zeros = np.zeros(count, np.int64)
    return Numbers(zeros, zeros.copy(), np.zeros(count, np.bool_))


def _shown(found: bytes) -> str:
    text = found.decode("utf-8", errors="replace")
    return text if len(text) <= FOUND_CHARS else text[:FOUND_CHARS] + "…"
