"""The rows of an export, read back: from a dump, from CSV by its rule, or from Parquet."""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

from bus.errors import HouseError
from services.rrr.db_export_manifest import DAMAGE_HINT, FileEntry, TableEntry, inside
from services.rrr.journal_files import IntegrityError
from services.rrr.progress import Passed
from services.writer.dump import Row, Table
from services.writer.dump_sql import literals, sql_insert
from services.writer.loading import BadRowError, Loading

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINE_CHARS_MAX = 64 << 20
SCHEMA_CHARS_MAX = 1 << 16
UNREADABLE = (EOFError, UnicodeDecodeError, zlib.error, zstd.ZstdError, gzip.BadGzipFile)

VALUES = " VALUES ("
RECORDED = """INSERT INTO "migration" ("name") VALUES ('{}');"""

_field = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\n]*))(,|\n)')


class Source(Protocol):
    """What brings the rows of one file of a shard in."""

    def load(self) -> None: ...


def source_of(form: str, root: Path, loading: Loading, entry: FileEntry, passed: Passed) -> Source:
    """Return what reads an export of a form."""
    if form == "sql":
        return SqlSource(root, loading, entry, passed)
    if form == "csv":
        return CsvSource(root, loading, entry, passed)
    from services.rrr.db_import_parquet import ParquetSource  # noqa: PLC0415 - needs duckdb

    return ParquetSource(root, loading, entry, passed)


class SqlSource:
    """Runs the INSERTs of a dump; all else in it must be what our own migrations make."""

    def __init__(self, root: Path, loading: Loading, entry: FileEntry, passed: Passed) -> None:
        self._root = root
        self._loading = loading
        self._entry = entry
        self._passed = passed
        self._known = set(_skeleton(loading, entry.version))

    def load(self) -> None:
        for part in self._entry.parts:
            path = inside(self._root, part.path)
            with lines_of(path) as lines:
                self._run(path, lines)
            self._passed(part.bytes)

    def _run(self, path: Path, lines: "Lines") -> None:
        heads = {sql_insert(one.name, one.columns): table_of(one) for one in self._entry.tables}
        held, begun, last = "", 0, ""
        for line in lines:
            if not held and line.startswith('INSERT INTO "') and line.strip() not in self._known:
                head = line[: line.find(VALUES) + len(VALUES)]
                lines.back(line)
                with at_line(path, lines):
                    self._insert(lines, head, heads.get(head))
                continue
            begun = begun if held else lines.number
            held += line
            if held.strip() in self._known:
                held, last = "", held.strip()
            elif len(held) > SCHEMA_CHARS_MAX:
                break
        if held.strip():
            what = f"{path}, line {begun}: a statement that is none of ours: {held[:60].strip()!r}"
            raise IntegrityError(what, "No dump that `rrr db export` wrote has it: nothing was run")
        if last != "COMMIT;":
            raise IntegrityError(f"{path} ends at line {lines.number}, too early", DAMAGE_HINT)

    def _insert(self, lines: "Lines", head: str, table: Table | None) -> None:
        """Insert the rows of one table that stand together; what is written otherwise is run."""
        before = lines.number
        if table is not None:
            self._loading.insert(table, self._literal_rows(lines, head, table))
        if lines.number == before:
            self._loading.run(next(lines))

    @staticmethod
    def _literal_rows(lines: "Lines", head: str, table: Table) -> Iterator[Row]:
        width, exact = len(table.columns), table.exact
        for line in lines:
            row = literals(line[len(head) :], exact=exact) if line.startswith(head) else None
            if row is None or len(row) != width:
                lines.back(line)
                return
            yield row


class CsvSource:
    """Inserts the rows of CSV files, one for each table."""

    def __init__(self, root: Path, loading: Loading, entry: FileEntry, passed: Passed) -> None:
        self._root = root
        self._loading = loading
        self._entry = entry
        self._passed = passed

    def load(self) -> None:
        for table in self._entry.tables:
            for part in table.parts:
                path = inside(self._root, part.path)
                with lines_of(path) as lines:
                    self._table(path, lines, table)
                self._passed(part.bytes)

    def _table(self, path: Path, lines: "Lines", table: TableEntry) -> None:
        head = next(lines, "")
        names = [value for value, _ in _fields(head)]
        if tuple(names) != table.columns:
            raise IntegrityError(
                f"{path}, line 1: its columns are {', '.join(map(str, names))}, expected "
                f"{', '.join(table.columns)}",
                DAMAGE_HINT,
            )
        with at_line(path, lines):
            self._loading.insert(table_of(table), csv_rows(lines, table.types, exact=table.exact))


def csv_rows(lines: Iterator[str], types: Sequence[str], *, exact: bool = False) -> Iterator[Row]:
    """Yield rows from the lines of CSV; BadRowError for a line that is none."""
    if exact:
        yield from _number_rows(lines, len(types))
        return
    for line in lines:
        found = _fields(_record(line, lines))
        _require_width(len(found), len(types))
        try:
            yield tuple(map(_value, found, types))
        except ValueError as error:
            raise BadRowError(str(error), 0) from error


def _number_rows(lines: Iterator[str], width: int) -> Iterator[Row]:
    for line in lines:
        try:
            row = tuple(map(int, line.split(",")))
        except ValueError as error:
            raise BadRowError(f"{error}: expected integers alone", 0) from error
        _require_width(len(row), width)
        yield row


def _record(line: str, lines: Iterator[str]) -> str:
    """Return a line, with those that follow while a quote has not ended."""
    parts, quotes, size = [line], line.count('"'), len(line)
    while quotes % 2:
        more = next(lines, "")
        if not more:
            raise BadRowError("a quote that does not end", 0)
        parts.append(more)
        quotes += more.count('"')
        size += len(more)
        if size > LINE_CHARS_MAX:
            raise BadRowError("a row of more than 64 MiB", 0)
    return "".join(parts)


def _require_width(found: int, expected: int) -> None:
    if found != expected:
        raise BadRowError(f"{found} fields, expected {expected}", 0)


def _fields(record: str) -> list[tuple[str, bool]]:
    """Return the fields of a record, each with whether it stood in quotes."""
    found: list[tuple[str, bool]] = []
    at, end = 0, len(record)
    while at < end:
        match = _field.match(record, at)
        if match is None:
            raise BadRowError(f"no field of CSV at character {at + 1}", 0)
        quoted = match[1] is not None
        found.append((match[1].replace('""', '"') if quoted else match[2], quoted))
        at = match.end()
        if match[3] == "\n" and at != end:
            raise BadRowError(f"a line that goes on at character {at + 1}", 0)
    return found


def _value(field: tuple[str, bool], kind: str) -> Any:
    text, quoted = field
    if not text and not quoted:
        return None
    if quoted != (kind == "TEXT") and (text or kind != "BLOB"):
        raise ValueError(f"{text[:60]!r} is no {kind}")
    match kind:
        case "INTEGER":
            return int(text)
        case "REAL":
            return float(text)
        case "BLOB":
            return bytes.fromhex(text)
    return text


class Lines:
    """The lines of a text file, and the number of the last one."""

    def __init__(self, file: TextIO) -> None:
        self.number = 0
        self._file = file
        self._back = ""

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._back or self._file.readline(LINE_CHARS_MAX)
        self._back = ""
        if not line:
            raise StopIteration
        self.number += 1
        return line

    def back(self, line: str) -> None:
        """Let the last line come once more."""
        self._back = line
        self.number -= 1


@contextmanager
def lines_of(path: Path) -> Iterator[Lines]:
    """Open a file of text, packed as its name says; IntegrityError where it cannot be read."""
    try:
        with path.open("rb") as raw, _unpacked(raw, path.suffix) as binary:
            yield Lines(io.TextIOWrapper(binary, encoding="utf-8", newline="\n"))
    except UNREADABLE as error:
        raise IntegrityError(f"{path} is damaged: {error}", DAMAGE_HINT) from error
    except OSError as error:
        raise HouseError(f"{path} cannot be read: {error.strerror}", "Look at the disk") from error


@contextmanager
def _unpacked(raw: BinaryIO, suffix: str) -> Iterator[Any]:
    match suffix:
        case ".gz":
            with gzip.GzipFile("", "rb", fileobj=raw) as plain:
                yield plain
        case ".zst":
            with zstd.ZstdFile(raw, "r") as plain:
                yield plain
        case _:
            yield raw


@contextmanager
def at_line(path: Path, lines: Lines) -> Iterator[None]:
    """Say of a bad row where it stands."""
    try:
        yield
    except BadRowError as error:
        what = f"{path}, line {lines.number}: {error.what}"
        raise IntegrityError(what, DAMAGE_HINT) from error


def table_of(entry: TableEntry) -> Table:
    """Return a table as an insert names it."""
    return Table(entry.name, entry.columns, entry.types, (), entry.exact)


def _skeleton(loading: Loading, version: int) -> Iterator[str]:
    """Yield all that a dump of ours holds beside the rows."""
    yield "PRAGMA foreign_keys=OFF;"
    yield f"PRAGMA application_id={loading.kind.application_id};"
    yield f"PRAGMA user_version={version};"
    yield from ("BEGIN;", "COMMIT;")
    for sql in loading.schema():
        yield f"{sql};"
    for name in loading.steps():
        yield RECORDED.format(name)
