"""One consistent copy of a shard while its writer goes on, and months as plain rows."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from bus.errors import BusyError
from bus.migrations import KINDS, Kind
from bus.reading import attach, open_reader
from bus.rows import shard_files
from bus.shard import Connection, failure, open_writer
from services.writer.archive_rows import BAR, TICK, Blocks, Table, chunk_blocks, merged, row_blocks

TRIES = 5
MARKET = KINDS["market"]
HINT = "Late rows of a month that is over come one after the other: try again in a minute"


def copy_shard(shard: str, db_dir: Path, target: Path) -> dict[str, int]:
    """Copy all files of a shard as of one moment; return its stream positions."""
    kind = KINDS[shard]
    with contextlib.ExitStack() as held:
        files = list(_attached(kind, db_dir, held))
        for _ in range(TRIES):
            for path in target.glob("*.db"):
                path.unlink()
            before = _versions(files[1:])
            for db, path in files:  # The newest first: it holds the positions.
                _copy(db, target / path.name)
            if before == _versions(files[1:]):
                return positions_in(kind, target)
    raise BusyError(f"older months in {db_dir} change all the time", HINT)


def bring_up(shard: str, directory: Path, world: str) -> None:
    """Take the steps that copies of files still need, so that they have the tables of today."""
    for path in shard_files(directory, KINDS[shard]):
        open_writer(KINDS[shard], path, world).close()


def positions_in(kind: Kind, directory: Path) -> dict[str, int]:
    """Return the stream positions that the files of a shard hold."""
    files = shard_files(directory, kind)
    if not files:
        return {}
    with attached(kind, files[0]) as db:
        rows: list[Any] = db.execute("SELECT stream, pos FROM file.stream_position").fetchall()
    return {str(stream): int(pos) for stream, pos in rows}


@contextlib.contextmanager
def attached(kind: Kind, path: Path, name: str = "file") -> Iterator[Connection]:
    """Open one file of a shard to read from."""
    with contextlib.closing(open_reader()) as db:
        attach(db, kind, path, name)
        yield db


@contextlib.contextmanager
def plain_month(live: Path | None, archive: Path | None, scratch: Path) -> Iterator[Path]:
    """Yield a file with all bars and ticks of a month as rows, whatever form they have."""
    if archive is None:
        assert live is not None
        yield live
        return
    path = scratch / f"{archive.name.partition('.')[0]}.db"
    try:
        _unseal(live, archive, path)
        yield path
    finally:
        for made in scratch.glob(f"{path.name}*"):
            made.unlink()


def _unseal(live: Path | None, archive: Path, path: Path) -> None:
    shard = open_writer(MARKET, path, "scratch")
    try:
        with contextlib.closing(open_reader()) as source:
            _attach_sealed(source, archive)
            if live is not None:
                attach(source, MARKET, live, "late")
            shard.db.pragma("synchronous", 0)
            with shard.transaction() as db:
                series: list[Any] = source.execute("SELECT * FROM arc.series").fetchall()
                db.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", series)
                for table in (BAR, TICK):
                    _insert(db, table, _blocks(source, table, late=live is not None))
    finally:
        shard.close()


def _attach_sealed(db: Connection, archive: Path) -> None:
    db.execute('ATTACH ? AS "arc"', (f"{archive.absolute().as_uri()}?mode=ro&immutable=1",))


def _blocks(source: Connection, table: Table, *, late: bool) -> Blocks:
    sealed = chunk_blocks(source, "arc", table)
    return merged(sealed, row_blocks(source, "late", table)) if late else sealed


def _insert(db: Connection, table: Table, blocks: Blocks) -> None:
    marks = ", ".join("?" * len(table.columns))
    sql = f"INSERT INTO {table.name} VALUES ({marks})"  # noqa: S608 - our own tables
    for block in blocks:
        db.executemany(sql, block.tolist())


def _attached(
    kind: Kind, db_dir: Path, held: contextlib.ExitStack
) -> Iterator[tuple[Connection, Path]]:
    for path in shard_files(db_dir, kind):
        db = held.enter_context(contextlib.closing(open_reader()))
        if attach(db, kind, path, "file"):
            yield db, path


def _versions(files: Sequence[tuple[Connection, Path]]) -> list[Any]:
    return [db.pragma("data_version", schema="file") for db, _ in files]


def _copy(db: Connection, target: Path) -> None:
    try:
        db.execute("VACUUM file INTO ?", (str(target),))
    except apsw.Error as error:
        raise failure(target, error, db) from error
