"""Exports as text: a dump that SQLite reads back, and CSV of one rule.

The rule of CSV: a head; text always in double quotes, a quote in it doubled; numbers bare; bytes as
bare hexadecimal; nothing between two commas is NULL, and "" is empty text, or no bytes.
"""

import gzip
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from services.rrr.db_export_manifest import Part, part_of
from services.writer.dump import Block, Snapshot, Table
from services.writer.dump_sql import sql_head, sql_rows, sql_tail

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKINGS = ("none", "gz", "zst")
GZ_LEVEL = 6


class SqlForm:
    """A dump of each file of the shard."""

    def __init__(self, draft: Path, packing: str, name: str | None) -> None:
        self._draft = draft
        self._ending = ending("sql", packing)
        self._name = name

    def write(self, snapshot: Snapshot, tables: Iterable[tuple[Table, Iterator[Block]]]) -> Part:
        """Write the rows of some tables between the statements that make them."""
        path = self._draft / (self._name or f"{snapshot.stem}{self._ending}")
        rows = 0
        with opened(path) as file:
            _lines(file, sql_head(snapshot))
            for table, blocks in tables:
                for block in blocks:
                    rows += len(block)
                    file.writelines(sql_rows(table, block))
            _lines(file, sql_tail(snapshot))
        return part_of(self._draft, path, rows)


class CsvForm:
    """A file for each table of each file of the shard."""

    def __init__(self, draft: Path, packing: str, name: str | None) -> None:
        self._draft = draft
        self._ending = ending("csv", packing)
        self._name = name

    def write(self, folder: str, table: str, names: Sequence[str], blocks: Iterable[Block]) -> Part:
        """Write one table."""
        with self.sheet(folder, table, names) as sheet:
            for block in blocks:
                sheet.add(block)
        return sheet.part()

    @contextmanager
    def sheet(self, folder: str, table: str, names: Sequence[str]) -> Iterator["Sheet"]:
        """Open a file for rows with these names."""
        path = self._draft / (self._name or f"{folder}/{table}{self._ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened(path) as file:
            file.write(",".join(map(quoted, names)) + "\n")
            yield Sheet(self._draft, path, file)


class Sheet:
    """A file of CSV that rows are added to."""

    def __init__(self, draft: Path, path: Path, file: TextIO) -> None:
        self.rows = 0
        self._draft = draft
        self._path = path
        self._file = file

    def add(self, block: Block) -> None:
        """Write some rows."""
        self.rows += len(block)
        if isinstance(block, list):
            self._file.writelines(map(csv_line, block))
        elif len(block):
            line = ",".join(["%d"] * block.shape[1]) + "\n"
            self._file.write((line * len(block)) % tuple(block.ravel().tolist()))

    def part(self) -> Part:
        """Return what was written; it is closed by then."""
        return part_of(self._draft, self._path, self.rows)


def csv_line(row: Sequence[Any]) -> str:
    """Return a row as a line of CSV."""
    return ",".join([str(v) if type(v) is int else field(v) for v in row]) + "\n"


def field(value: Any) -> str:
    """Return a value as a field of CSV."""
    match value:
        case None:
            return ""
        case str():
            return quoted(value)
        case bytes():
            return value.hex() or '""'
    return repr(value)


def quoted(text: str) -> str:
    """Return text in quotes."""
    return '"' + text.replace('"', '""') + '"'


def ending(form: str, packing: str) -> str:
    """Return how a file's name ends."""
    return f".{form}" if packing == "none" else f".{form}.{packing}"


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Open a file for text, packed as its name says."""
    with path.open("wb") as raw, _packed(raw, path.suffix) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()


@contextmanager
def _packed(raw: BinaryIO, suffix: str) -> Iterator[Any]:
    if suffix == ".gz":
        with gzip.GzipFile("", "wb", GZ_LEVEL, raw, mtime=0) as packed:
            yield packed
    elif suffix == ".zst":
        with zstd.ZstdFile(
            raw, "w", options={int(zstd.CompressionParameter.checksum_flag): 1}
        ) as z:
            yield z
    else:
        yield raw


def _lines(file: TextIO, lines: Iterable[str]) -> None:
    file.writelines(f"{line}\n" for line in lines)
