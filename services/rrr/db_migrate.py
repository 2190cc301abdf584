"""`rrr db migrate`: the tables of a PostgreSQL database, or of its dump, as SQLite tables here."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError, ShardError
from bus.house import House
from bus.lease import Lease
from services.rrr.books import as_integrity
from services.rrr.journal_files import IntegrityError
from services.rrr.legacy import legacy_dir
from services.rrr.pg_copying import Job, Verdict, copy_table, totals_so_far, verified
from services.rrr.pg_dump_file import DumpFile
from services.rrr.pg_report import show, write_report
from services.rrr.pg_server import SCHEMES, Server
from services.rrr.pg_tables import Table, chosen, keepings_of, lay_out
from services.rrr.progress import progress_over
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.writer.legacy import FILE, Legacy

BATCH_ROWS = 20_000
SLOW_ROWS = 50_000
"""What takes about a second; for less, nobody needs a bar."""
ANEW_HINT = "Give another --name to keep both, or begin anew with --restart"

_name = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Wish(msgspec.Struct, frozen=True):
    """What a person asked for."""

    name: str = "supabase"
    tables: tuple[str, ...] = ()
    verify_only: bool = False
    restart: bool = False


@click.command("migrate")
@click.argument("source")
@click.option("--name", default="supabase", show_default=True, help="Its place in historical/.")
@click.option("--tables", help="Only these tables, apart by commas.")
@click.option("--schema", type=FilePath(), help="What `pg_dump --schema-only` wrote, for types.")
@click.option("--bars", is_flag=True, help="Write market_data as CSV that `rrr data import` takes.")
@click.option("--verify-only", is_flag=True, help="Compare what is here with the source again.")
@click.option("--restart", is_flag=True, help="Forget what was copied before, and begin anew.")
@click.option(
    "--batch-rows",
    type=click.IntRange(1, 1_000_000),
    default=BATCH_ROWS,
    show_default=True,
    help="Rows that are committed at once.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def migrate(
    source: str,
    name: str,
    tables: str | None,
    schema: Path | None,
    batch_rows: int,
    *,
    bars: bool,
    verify_only: bool,
    restart: bool,
    as_json: bool,
) -> None:
    """Copy the tables of SOURCE: postgresql://USER@HOST:5432/DATABASE, or a file of pg_dump.

    Every value is exact or in quarantine, with the row that it stood in. A copy that was
    interrupted goes on when the same command runs again. The password is taken from PGPASSWORD or
    ~/.pgpass. The result is data/historical/NAME/legacy.db.
    """
    if restart and verify_only:
        raise click.UsageError("--restart copies, --verify-only does not: choose one")
    names = tuple(one.strip() for one in (tables or "").split(",") if one.strip())
    wish = Wish(name, names, verify_only, restart)
    house = standing_house()
    with opened_source(source, schema, batch_rows) as there, held_place(house, name) as place:
        try:
            verdicts = migrated(there, place, wish)
        except ShardError as error:
            raise as_integrity(error) from error
        report = write_report(place, there, verdicts, SystemClock().wall_ns())
        written = _bars(house, place, wish) if bars else []
    show(report, place, written, as_json=as_json)
    if any(one.differences for one in verdicts):
        raise IntegrityError(
            f"{place / FILE} differs from its source",
            "The report says where; if the source changed meanwhile, begin anew with --restart",
        )


@contextmanager
def opened_source(source: str, schema: Path | None, batch_rows: int) -> Iterator[Server | DumpFile]:
    """Open what a person named: a server by its address, or else a file."""
    there: Server | DumpFile
    if source.startswith(SCHEMES):
        there = Server(source, batch_rows)
    elif "://" in source:
        raise click.UsageError("SOURCE is a postgresql:// address or a file; this is neither")
    elif Path(source).is_dir():
        raise HouseError(
            f"{source} is a directory",
            f"If pg_dump made it: pg_restore --no-owner --schema=public --file=dump.sql {source}",
        )
    else:
        there = DumpFile(Path(source), batch_rows, schema)
    with there:
        yield there


@contextmanager
def held_place(house: House, name: str) -> Iterator[Path]:
    """Hold the directory of a copy for this process alone."""
    if _name.fullmatch(name) is None:
        raise click.UsageError(f"no name {name!r}; expected lower-case letters, digits, - and _")
    place = legacy_dir(house.home, name)
    if (place / "db").exists():
        raise click.UsageError(f"{place} is the history of an exchange: give another --name")
    lease = Lease(place / "legacy.lease")
    try:
        place.mkdir(parents=True, exist_ok=True)
        taken = lease.take()
    except OSError as error:
        raise HouseError(
            f"{place} cannot be written: {error.strerror}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        ) from error
    if not taken:
        raise BusyError(f"{lease.whose()} copies to {place} already", "Let it finish")
    try:
        yield place
    finally:
        lease.release()


def migrated(source: Server | DumpFile, place: Path, wish: Wish) -> list[Verdict]:
    """Copy what is missing and compare all that was asked for."""
    tables = chosen(source.tables(), wish.tables)
    source.require_readable(tables)
    if wish.verify_only and not (place / FILE).exists():
        raise HouseError(f"there is no {place / FILE} to verify", "Copy it first")
    legacy = Legacy(place / FILE, wish.name)
    try:
        jobs = _prepared(source, legacy, tables, wish)
        return _done(source, legacy, jobs, verify_only=wish.verify_only)
    finally:
        legacy.seal()


def _prepared(
    source: Server | DumpFile, legacy: Legacy, tables: Sequence[Table], wish: Wish
) -> list[Job]:
    if wish.restart:
        legacy.forget()
    identity = legacy.meta("identity")
    if identity and identity != source.identity:
        raise HouseError(
            f"{legacy.path} was copied from {legacy.meta('source')}, this is {source.label}",
            ANEW_HINT,
        )
    if not wish.verify_only:
        missing = lay_out(tables, legacy.tables(), legacy.is_json, source.fits)
        legacy.make(missing, {"identity": source.identity, "source": source.label})
    known = legacy.tables()
    absent = [table.name for table in tables if table.name not in known]
    if absent:
        raise HouseError(f"{legacy.path} has no {', '.join(absent)}", "Copy first, or use --tables")
    return [
        Job(table, known[table.name], keepings_of(table, known[table.name], legacy.is_json))
        for table in tables
    ]


def _done(
    source: Server | DumpFile, legacy: Legacy, jobs: Sequence[Job], *, verify_only: bool
) -> list[Verdict]:
    expected: dict[str, Any] = {}
    rows = sum(job.table.rows for job in jobs)
    if not verify_only:
        with progress_over(rows, "copying", SLOW_ROWS) as progress:
            for job in jobs:
                state = copy_table(source, legacy, job, progress)
                expected[job.table.name] = totals_so_far(state)
    verdicts = []
    with progress_over(rows, "comparing", SLOW_ROWS) as progress:
        for job in jobs:
            wanted = expected.get(job.table.name)
            verdicts.append(verified(source, legacy, job, wanted))
            progress(job.table.rows)
    return verdicts


def _bars(house: House, place: Path, wish: Wish) -> list[str]:
    from services.rrr.pg_bars import write_bars  # noqa: PLC0415 - only with --bars

    return write_bars(house.home, wish.name, place / "bars")
