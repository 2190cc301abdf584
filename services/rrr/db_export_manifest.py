"""What an export says of itself in `export.json`: what it holds, and the hash of it all.

It is written last, so that a directory without it is no export; an import believes nothing else.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from bus.errors import HouseError
from services.rrr.journal_files import IntegrityError
from services.writer.archive_files import sha256_of

NAME = "export.json"
BESIDE = ".export.json"
"""Behind the name of an export that is one file."""

FORMAT = 1
DAMAGE_HINT = "Take the export again, or take it from another copy; nothing was brought in"
FORMS = ("sql", "csv", "parquet")


class Part(msgspec.Struct, kw_only=True):
    """One file of an export; `series`: whose bars or ticks, for Parquet."""

    path: str
    bytes: int
    sha256: str
    rows: int
    series: int = 0


class TableEntry(msgspec.Struct, kw_only=True):
    """A table of one shard file: its columns and what they hold."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    exact: bool
    rows: int
    hash: str
    parts: list[Part] = []


class FileEntry(msgspec.Struct, kw_only=True):
    """A file of the shard, at one moment."""

    name: str
    version: int
    archived: bool
    positions: dict[str, int]
    tables: list[TableEntry]
    parts: list[Part] = []


class ViewEntry(msgspec.Struct, kw_only=True):
    """A view for people, which an import passes over."""

    name: str
    rows: int
    parts: list[Part]


class Manifest(msgspec.Struct, kw_only=True):
    """The whole of an export."""

    format: int = FORMAT
    form: str
    shard: str
    world: str
    made: str
    selection: dict[str, str] = {}
    decimals: dict[str, tuple[int, int]] = {}  # digits and decimals of Parquet's numbers, by kind
    files: list[FileEntry]
    views: list[ViewEntry] = []

    def all_parts(self) -> Iterator[Part]:
        """Yield every file that the export consists of."""
        for file in self.files:
            yield from file.parts
            for table in file.tables:
                yield from table.parts
        for view in self.views:
            yield from view.parts

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        tables = sum(table.rows for file in self.files for table in file.tables)
        return tables + sum(view.rows for view in self.views)


def part_of(root: Path, path: Path, rows: int, series: int = 0) -> Part:
    """Return a file that was just written as a part."""
    return Part(
        path=path.relative_to(root).as_posix(),
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        rows=rows,
        series=series,
    )


def read_manifest(path: Path) -> tuple[Path, Manifest]:
    """Return where an export lies and what it says of itself; IntegrityError for no export."""
    root, file = _places(path)
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise HouseError(
            f"{path} is no export: expected {file}, which is not there",
            "Name what `rrr db export` made; one without it was not finished",
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{file} is no manifest of an export: {error}", DAMAGE_HINT) from error
    except OSError as error:
        what = f"{file} cannot be read: {error.strerror}"
        raise HouseError(what, "Mend its permissions") from error
    if found.format > FORMAT:
        raise IntegrityError(
            f"{file} has the format {found.format}, this code reads {FORMAT}",
            "Update this checkout to the code that made the export",
        )
    return root, found


def _places(path: Path) -> tuple[Path, Path]:
    if path.is_dir():
        return path, path / NAME
    if path.name == NAME:
        return path.parent, path
    return path.parent, path.with_name(path.name + BESIDE)


def require_whole(root: Path, manifest: Manifest) -> None:
    """Refuse an export of which a file is missing, changed, or lies elsewhere."""
    for part in manifest.all_parts():
        path = inside(root, part.path)
        try:
            size = path.stat().st_size
            changed = size != part.bytes or sha256_of(path) != part.sha256
        except OSError as error:
            what = f"{path} cannot be read: {error.strerror}"
            raise IntegrityError(what, DAMAGE_HINT) from error
        if changed:
            raise IntegrityError(
                f"{path} is not as it was exported: expected {part.bytes} bytes with the hash "
                f"{part.sha256[:12]}…, found {size} bytes",
                DAMAGE_HINT,
            )


def inside(root: Path, name: str) -> Path:
    """Return a file of an export; IntegrityError for a name that leads elsewhere."""
    pure = PurePosixPath(name)
    path = root / name
    outside = pure.is_absolute() or ".." in pure.parts or not name or "\0" in name
    if outside or not path.resolve().is_relative_to(root.resolve()):
        raise IntegrityError(
            f"the manifest names {name!r}, which is not within {root}",
            "That is no export of ours: do not bring it in",
        )
    return path
