"""A file of pg_dump in its plain form as the source of a copy."""

import gzip
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, Self

from bus.errors import HouseError
from services.rrr.journal_files import IntegrityError
from services.rrr.pg_lines import fields_of, torn
from services.rrr.pg_statements import Schema, copy_of, is_whole
from services.rrr.pg_tables import Batch, Table, cut
from services.rrr.pg_totals import Totals
from services.rrr.pg_types import is_wide, keeping_of
from services.rrr.pg_values import Keeping, UnfitError
from services.writer.archive_files import sha256_of

Lines = IO[bytes] | gzip.GzipFile

END = b"\\.\n"
RIGHT = "pg_dump --schema=public --no-owner --encoding=UTF8 --file=dump.sql ADDRESS"
PUBLIC = "public."
SURE_CHARS = 18  # Text so short is a number that fits, whichever it is.
STATEMENT_LINES_MAX = 20_000
LINE_BYTES_MAX = 64 << 20


class Block(NamedTuple):
    """Where the rows of one COPY stand."""

    table: str
    columns: list[str]
    offset: int
    rows: int


class DumpFile:
    """What a file of pg_dump holds, found in one pass over it."""

    def __init__(self, path: Path, batch_rows: int, schema_path: Path | None = None) -> None:
        self.label = str(path)
        self.notes: list[str] = []
        self._path, self._batch_rows = path, batch_rows
        self._schema = Schema()
        self._blocks: list[Block] = []
        if schema_path is not None:
            self._scan(schema_path, [])
        self.identity = f"sha256:{_hash_of(path)}"
        self._scan(path, self._blocks)
        self._file = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def tables(self) -> list[Table]:
        """Return the tables of the schema public that have rows, or at least a head of rows."""
        blocks: dict[str, list[Block]] = {}
        for block in self._blocks:
            blocks.setdefault(self._schema.root(block.table), []).append(block)
        others = sorted({name.partition(".")[0] for name in blocks if not name.startswith(PUBLIC)})
        if others:
            self.notes.append(f"other schemas are left out: {', '.join(others)}")
        found = [self._table(name, own) for name, own in blocks.items() if name.startswith(PUBLIC)]
        untyped = [one.name for one in found if PUBLIC + one.name not in self._schema.columns]
        if untyped:
            self.notes.append(
                "the file says no types, so everything is text: "
                f"{', '.join(untyped)} (--schema FILE of `pg_dump --schema-only` says them)"
            )
        return found

    def require_readable(self, tables: Sequence[Table]) -> None:
        """Whoever has the file may read all of it."""

    def fits(self, table: Table, columns: Sequence[str]) -> frozenset[str]:
        """Return which of some wide columns hold nothing that does not fit 64 bits."""
        if not columns:
            return frozenset()
        wide = {n: one for n, one in enumerate(table.columns) if is_wide(one.type)}
        reads = {n: keeping_of(one.type, bool, fits=True).read for n, one in wide.items()}
        beyond: set[int] = set()
        for batch in self.batches(table, "", 0):
            for line in batch.lines:
                fields = fields_of(line)
                for place, read in reads.items():
                    text = fields[place] if place < len(fields) else None
                    if text is not None and len(text) > SURE_CHARS and _overflows(read, text):
                        beyond.add(place)
        return frozenset(one.name for n, one in wide.items() if n not in beyond)

    def resumes(self, table: Table) -> bool:
        """Return True: the same file has the same rows in the same order."""
        return True

    def batches(self, table: Table, last_key: str, done_rows: int) -> Iterator[Batch]:
        """Yield the rows of a table behind those that are done."""
        place = 0
        for block in self._blocks:
            if self._schema.root(block.table) != PUBLIC + table.name:
                continue
            skip = min(max(done_rows - place, 0), block.rows)
            place += block.rows
            if skip < block.rows:
                yield from self._lines(block, skip, _order(table, block.columns))

    def totals(self, table: Table, keepings: Sequence[Keeping]) -> Totals | None:
        """Return None: a file adds nothing up, its lines are."""
        return None

    def same_rows(
        self, table: Table, keepings: Sequence[Keeping], rows: Sequence[Sequence[str | None]]
    ) -> list[str]:
        """Every line was looked at already."""
        return []

    def _table(self, name: str, blocks: list[Block]) -> Table:
        columns = self._schema.described(name, blocks[0].columns)
        return Table(name.removeprefix(PUBLIC), tuple(columns), sum(one.rows for one in blocks))

    def _lines(self, block: Block, skip: int, order: list[int] | None) -> Iterator[Batch]:
        self._file.seek(block.offset)
        wanted = islice(self._file, skip, block.rows)
        lines = (_reordered(line[:-1], order, block.table) for line in wanted)
        for piece in cut(lines, self._batch_rows):
            yield Batch(piece, "")

    def _scan(self, path: Path, blocks: list[Block]) -> None:
        """Find the statements and the blocks of rows of a file."""
        with _opened(path) as file:
            try:
                self._scan_lines(file, path, blocks)
            except (EOFError, gzip.BadGzipFile, OSError) as error:
                raise IntegrityError(
                    f"{path} cannot be read to its end: {error}", f"Make it anew: {RIGHT}"
                ) from error

    def _scan_lines(self, file: Lines, path: Path, blocks: list[Block]) -> None:
        statement: list[str] = []
        offset = databases = 0
        for line in _lines_of(file, path):
            offset += len(line)
            databases += line.startswith(b"\\connect ")
            if databases > 1:
                raise HouseError(f"{path} holds several databases", f"Dump one: {RIGHT}")
            if not statement and (line[:2] == b"--" or line[:1] in b"\\\r\n"):
                continue  # A comment, or a word to psql such as \restrict.
            statement.append(_text(line, path))
            _require_short(statement, path)
            if b";" not in line or not is_whole("".join(statement)):
                continue
            said = "".join(statement)
            statement = []
            _refuse(said, path)
            head = copy_of(said)
            if head is None:
                self._schema.take(said)
                continue
            rows, size = _count(file, head.table, path)
            if head.columns:
                blocks.append(Block(self._schema.name(head.table), head.columns, offset, rows))
            offset += size


def _opened(path: Path) -> Lines:
    try:
        file = path.open("rb")
    except OSError as error:
        raise HouseError(
            f"{path} cannot be read: {error.strerror}", "Name a file of pg_dump"
        ) from error
    with file:
        begin = file.read(512)
    if begin[:5] == b"PGDMP" or b"toc.dat" in begin[:100]:
        raise HouseError(
            f"{path} is a dump in the custom or tar form",
            f"Make it plain: pg_restore --no-owner --schema=public --file=dump.sql {path}",
        )
    if begin[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    return path.open("rb")


def _hash_of(path: Path) -> str:
    with _opened(path):  # Whatever is no plain dump is refused before it is read whole.
        pass
    return sha256_of(path)


def _text(line: bytes, path: Path) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise HouseError(f"{path} is no text in UTF-8", f"Make it anew: {RIGHT}") from error


def _require_short(statement: list[str], path: Path) -> None:
    if len(statement) > STATEMENT_LINES_MAX:
        what = f"{path} has a statement of more than {STATEMENT_LINES_MAX:,} lines"
        raise HouseError(what, f"Is it a dump? Make one: {RIGHT}")


def _refuse(statement: str, path: Path) -> None:
    begin = statement.lstrip()[:200]
    if begin.startswith("INSERT INTO"):
        raise HouseError(f"{path} is a dump of INSERT statements", f"Make one with COPY: {RIGHT}")
    found = re.match(r"SET client_encoding = '([^']*)'", begin)
    if found and found[1].upper().replace("-", "") != "UTF8":
        raise HouseError(f"{path} is written in {found[1]}", f"Make it anew in UTF-8: {RIGHT}")


def _count(file: Lines, table: str, path: Path) -> tuple[int, int]:
    """Return how many rows a block has, and its size with the line that ends it."""
    rows = size = 0
    for line in _lines_of(file, path):
        size += len(line)
        if line == END:
            return rows, size
        rows += 1
    raise IntegrityError(
        f"{path} ends within the rows of {table}, after {rows:,} of them",
        "It was cut off: make it anew, or copy it again",
    )


def _lines_of(file: Lines, path: Path) -> Iterator[bytes]:
    for line in iter(partial(file.readline, LINE_BYTES_MAX + 1), b""):
        if len(line) > LINE_BYTES_MAX:
            raise IntegrityError(
                f"{path} has a line of more than {LINE_BYTES_MAX >> 20} MiB",
                f"Is it a dump? Make one: {RIGHT}",
            )
        yield line


def _order(table: Table, columns: list[str]) -> list[int] | None:
    names = [column.name for column in table.columns]
    if names == columns:
        return None
    if sorted(names) != sorted(columns):
        raise IntegrityError(
            f"parts of {table.name} have different columns: {', '.join(columns)}",
            f"Make the dump anew with --load-via-partition-root: {RIGHT}",
        )
    return [columns.index(name) for name in names]


def _reordered(line: bytes, order: list[int] | None, table: str) -> bytes:
    if order is None:
        return line
    fields = line.split(b"\t")
    if len(fields) != len(order):
        raise torn(table, len(fields), len(order))
    return b"\t".join(fields[place] for place in order)


def _overflows(read: object, text: str) -> bool:
    assert callable(read)
    try:
        read(text)
    except UnfitError as error:
        return "overflow" in str(error)
    return False
