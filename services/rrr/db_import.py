"""`rrr db import`: what `rrr db export` wrote, as new files of a shard in a new directory.

Nothing is believed but the manifest: every file must have its hash, and every table must come to
hold what was exported, or nothing is left. A live shard is never touched.
"""

import shlex
from pathlib import Path
from typing import Any

import click
import msgspec

from bus.errors import HouseError
from bus.house import House
from bus.migrations import KINDS, NEWER_HINT, Kind, steps
from bus.month_names import ARCHIVED, month_named
from services.rrr.books import as_integrity
from services.rrr.db_export_manifest import (
    DAMAGE_HINT,
    FORMS,
    FileEntry,
    Manifest,
    read_manifest,
    require_whole,
)
from services.rrr.db_export_place import draft_for, publish, require_free
from services.rrr.db_import_rows import Source, source_of
from services.rrr.journal_files import IntegrityError
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import Passed, progress_over
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.writer.loading import BadRowError, Loading


@click.command("import")
@click.argument("path", metavar="PATH", type=FilePath())
@click.option("--to", "place", required=True, metavar="DIR", type=FilePath())
@click.option("--json", "as_json", is_flag=True, help="What was done, as one JSON object.")
def import_(path: Path, place: Path, *, as_json: bool) -> None:
    """Make the files of a shard in DIR of the export in PATH.

    DIR is new or empty. PATH is what `rrr db export` wrote: a directory, or a file. --json tells
    {"path", "shard", "world", "rows", "files": [{"name", "rows"}]}.
    """
    require_free(place, force=False)
    _require_elsewhere(running_house(standing_house()), place)
    try:
        root, manifest = read_manifest(path)
        kind = _kind_of(manifest)
        size = sum(part.bytes for part in manifest.all_parts())
        with draft_for(place) as draft, progress_over(size, "importing") as passed:
            require_whole(root, manifest)
            for entry in manifest.files:
                _bring_in(kind, root, draft, manifest, entry, passed)
            publish(draft, place)
    except HouseError as error:
        raise (
            as_integrity(error) if error.exit_code != IntegrityError.exit_code else error
        ) from error
    with reader_may_leave():
        _tell(place, manifest, as_json=as_json)


def _bring_in(
    kind: Kind, root: Path, draft: Path, manifest: Manifest, entry: FileEntry, passed: Passed
) -> None:
    loading = Loading(kind, draft / entry.name, entry.version)
    done = False
    try:
        source = source_of(manifest.form, root, loading, entry, passed)
        _load(source, loading, entry)
        loading.close(manifest.world)
        done = True
    except BadRowError as error:
        raise IntegrityError(error.what, DAMAGE_HINT) from error
    finally:
        if not done:
            loading.abort()


def _load(source: Source, loading: Loading, entry: FileEntry) -> None:
    _require_known(loading, entry)
    source.load()
    for table in entry.tables:
        found = loading.digest(table.name, table.columns, exact=table.exact)
        if (found.rows, found.hexdigest()) != (table.rows, table.hash):
            raise IntegrityError(
                f"{entry.name}: {table.name} came to hold {found.rows} rows with the hash "
                f"{found.hexdigest()[:12]}…, expected {table.rows} rows with {table.hash[:12]}…",
                DAMAGE_HINT,
            )


def _kind_of(manifest: Manifest) -> Kind:
    """Return the shard that an export is of; HouseError for one that cannot be brought in."""
    kind = KINDS.get(manifest.shard)
    if kind is None or manifest.form not in FORMS:
        raise IntegrityError(
            f"the export is of the shard {manifest.shard!r} as {manifest.form!r}; "
            f"known are {', '.join(KINDS)} as {', '.join(FORMS)}",
            NEWER_HINT,
        )
    if manifest.selection:
        chosen = ", ".join(f"{name} {value}" for name, value in manifest.selection.items())
        raise HouseError(
            f"the export is a selection ({chosen}), and no shard",
            "Export it whole; bars alone can be brought in by `rrr data import`",
        )
    if not any(entry.tables for entry in manifest.files):
        raise HouseError("the export holds views alone", "Export tables: leave out --views")
    _require_names(kind, manifest)
    return kind


def _is_of(kind: Kind, name: str) -> bool:
    if kind.monthly:
        return bool(month_named(name)) and not name.endswith(ARCHIVED)
    return name == f"{kind.name}.db"


def _require_names(kind: Kind, manifest: Manifest) -> None:
    names = [entry.name for entry in manifest.files]
    for name in names:
        if not _is_of(kind, name) or names.count(name) > 1:
            raise IntegrityError(
                f"the manifest names the file {name!r}, which {kind.name} has no place for",
                DAMAGE_HINT,
            )
    newest = max(entry.version for entry in manifest.files)
    oldest = min(entry.version for entry in manifest.files)
    if newest > len(steps(kind)) or oldest < 1:
        raise IntegrityError(
            f"the export has version {newest} of {kind.name}, this code knows {len(steps(kind))}",
            NEWER_HINT,
        )


def _require_known(loading: Loading, entry: FileEntry) -> None:
    for table in entry.tables:
        known = loading.tables.get(table.name)
        strange = known is None or set(table.columns) - set(known.columns)
        if strange or len(set(table.columns)) != len(table.columns):
            raise IntegrityError(
                f"the export has a table {table.name} with {', '.join(table.columns)}, which "
                f"version {entry.version} of the shard has not",
                DAMAGE_HINT,
            )


def _require_elsewhere(house: House, place: Path) -> None:
    target, data = place.resolve(), (house.home / "data").resolve()
    if target.name == "db" and target.is_relative_to(data):
        raise HouseError(
            f"{place} is where a world has its shards, which their writers alone write",
            "Name another directory; `rrr db query` and the notebooks read it there",
        )


def _tell(place: Path, manifest: Manifest, *, as_json: bool) -> None:
    files: list[dict[str, Any]] = [
        {"name": file.name, "rows": sum(table.rows for table in file.tables)}
        for file in manifest.files
    ]
    rows = sum(int(file["rows"]) for file in files)
    if as_json:
        named = {"path": str(place), "shard": manifest.shard, "world": manifest.world}
        click.echo(msgspec.json.encode({**named, "rows": rows, "files": files}))
        return
    for file in files:
        click.echo(f"{file['name']}  {file['rows']} rows")
    click.echo(f"{rows} rows of {manifest.shard} of world {manifest.world} in {place}, as exported")
    asked = shlex.join(["rrr", "db", "query", manifest.shard, "SELECT …", "--in", str(place)])
    click.echo(f"To look into it: {asked}")
