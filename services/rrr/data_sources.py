"""Files of bars as blocks of whole lines, whatever they are packed in, in bounded memory.

Nothing is ever unpacked to the disk: archives are read as a stream, and a stream that does not end
is left after a limit.
"""

import csv
import gzip
import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from bus.errors import HouseError

BLOCK_BYTES = 1 << 20
LINE_BYTES_MAX = 1 << 20
TEXT_BYTES_MAX = 4 << 30
ENTRIES_MAX = 2000
JSON_BYTES_MAX = 256 << 20
PARQUET_ROWS = 20_000
PARQUET_MEMORY = "256MB"

ENDINGS = (
    *(".csv", ".csv.gz", ".txt", ".txt.gz", ".zip", ".json", ".json.gz", ".parquet", ".pq"),
    ".feather",
)
CANDLES = ("date", "open", "high", "low", "close", "volume")
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What the packers of the standard library say of a file that they cannot read."""

Stream = IO[bytes] | gzip.GzipFile


class SourceError(HouseError):
    """A file that cannot be read as bars, with what to do."""


class Source(msgspec.Struct, frozen=True):
    """One file of bars: on the disk, or within an archive."""

    path: Path
    entry: str = ""  # of a zip

    @property
    def name(self) -> str:
        """The name that tells of its bars."""
        return self.entry or self.path.name

    @property
    def shown(self) -> str:
        return f"{self.path}:{self.entry}" if self.entry else str(self.path)


def sources(paths: Sequence[Path]) -> tuple[list[Source], int]:
    """Return the files of bars in some places, and how many other files lie there.

    SourceError names an archive of too many.
    """
    found: list[Source] = []
    others = 0
    for path in paths:
        if not path.is_dir():
            found.append(Source(path))
            continue
        for folder, _, names in sorted(os.walk(path)):
            fit = [name for name in sorted(names) if _fits(name)]
            others += len(names) - len(fit)
            found += [Source(Path(folder) / name) for name in fit]
    return [inner for one in found for inner in _entries(one)], others


def digest(source: Source) -> str:
    """Return the sha256 of a file; of a file within an archive, of both names of it."""
    found = hashlib.sha256()
    with _opened(source.path) as file:
        while data := file.read(BLOCK_BYTES):
            found.update(data)
    if source.entry:
        found.update(f"\0{source.entry}".encode())
    return found.hexdigest()


def blocks(source: Source) -> Generator[bytes, None, None]:
    """Yield the text of a file in blocks of whole lines; SourceError when it cannot be read."""
    name = source.path.name.lower()
    try:
        if name.endswith((".parquet", ".pq")):
            yield from _parquet(source.path)
        elif name.endswith((".json", ".json.gz")):
            yield from _json(source.path, packed=name.endswith(".gz"))
        elif name.endswith(".feather"):
            raise SourceError(
                f"{source.shown} is a feather file, which is not read",
                "Convert it with `freqtrade convert-data --format-to json`, or to CSV or Parquet",
            )
        else:
            yield from _texts(source)
    except DAMAGED as error:
        raise SourceError(
            f"{source.shown} cannot be read: {_said(error)}", "Fetch it again, or unpack it first"
        ) from error


def _fits(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def _entries(source: Source) -> Iterator[Source]:
    if not source.path.name.lower().endswith(".zip"):
        yield source
        return
    try:
        with zipfile.ZipFile(source.path) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
    except DAMAGED:
        yield source  # Reading it will say why.
        return
    if len(names) > ENTRIES_MAX:
        raise SourceError(
            f"{source.path} has {len(names)} files in it, more than {ENTRIES_MAX}",
            "Each of them is looked up in the whole: unpack it, and name the directory",
        )
    named = [name for name in names if name.lower().endswith((".csv", ".txt"))]
    yield from (Source(source.path, name) for name in named or names)


def _texts(source: Source) -> Iterator[bytes]:
    if source.entry:
        with (
            _opened(source.path) as file,
            zipfile.ZipFile(file) as archive,
            archive.open(source.entry) as stream,
        ):
            yield from _whole_lines(stream, source)
        return
    with _opened(source.path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield from _whole_lines(file, source)
            return
        with gzip.GzipFile(fileobj=file) as stream:
            yield from _whole_lines(stream, source)


def _whole_lines(stream: Stream, source: Source) -> Iterator[bytes]:
    rest, total = b"", 0
    while data := stream.read(BLOCK_BYTES):
        total += len(data)
        cut = data.rfind(b"\n") + 1
        if total > TEXT_BYTES_MAX or (not cut and len(rest) + len(data) > LINE_BYTES_MAX):
            raise SourceError(
                f"{source.shown} is no list of bars: a line of more than {LINE_BYTES_MAX >> 20} "
                f"MiB, or more than {TEXT_BYTES_MAX >> 30} GiB of text",
                "Part it, or leave it out",
            )
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest += data
    if rest:
        yield rest + b"\n"


def _json(path: Path, *, packed: bool) -> Iterator[bytes]:
    """Yield the candles of freqtrade's older files: a list of [ms, o, h, l, c, v]."""
    with _opened(path) as file:
        stream: Stream = gzip.GzipFile(fileobj=file) if packed else file
        data = stream.read(JSON_BYTES_MAX + 1)
    if len(data) > JSON_BYTES_MAX:
        raise SourceError(f"{path} has more than {JSON_BYTES_MAX >> 20} MiB", "Convert it to CSV")
    decoder = msgspec.json.Decoder(list[list[Any]], float_hook=str)  # never a float
    try:
        rows = decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path} is no list of candles: {error}",
            "Expected [[ms, open, high, low, close, volume], …], as freqtrade writes it",
        ) from error
    yield (",".join(CANDLES) + "\n").encode()
    for start in range(0, len(rows), PARQUET_ROWS):
        yield _lines(rows[start : start + PARQUET_ROWS])


def _parquet(path: Path) -> Iterator[bytes]:
    try:
        import duckdb  # noqa: PLC0415 - only Parquet needs it
    except ImportError:
        raise SourceError(
            f"{path} is Parquet, and DuckDB is not installed",
            "Run `make up`, which installs what the lock names, or convert it to CSV",
        ) from None
    with _opened(path):  # It is a file, and may be read.
        pass
    limits = {"memory_limit": PARQUET_MEMORY, "threads": 1, "autoinstall_known_extensions": False}
    with closing(duckdb.connect(":memory:", config=limits)) as db:
        try:
            yield from _of_table(db, _literally(path))
        except duckdb.Error as error:
            raise SourceError(f"{path} cannot be read: {error}", "Fetch it again") from error


def _of_table(db: Any, pattern: str) -> Iterator[bytes]:
    columns = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [pattern]).fetchall()
    yield _lines([[name for name, *_ in columns]])
    wanted = ", ".join(_as_text(str(name), str(kind)) for name, kind, *_ in columns)
    select = f"SELECT {wanted} FROM read_parquet(?)"  # noqa: S608 - its own columns
    rows = db.execute(select, [pattern])
    while some := rows.fetchmany(PARQUET_ROWS):
        yield _lines(some)


def _as_text(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"epoch_us({quoted}::TIMESTAMP)::VARCHAR"
    return f"{quoted}::VARCHAR"


def _literally(path: Path) -> str:
    # DuckDB takes names for patterns.
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path.absolute()))


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    # A pipe or a device would never end, or never begin.
    if not stat.S_ISREG(path.stat().st_mode):
        raise SourceError(f"{path} is no regular file", "Name a file")
    with path.open("rb") as file:
        yield file


def _said(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
