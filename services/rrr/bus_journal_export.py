"""`rrr bus journal export`: a stream as a table in a file, for whatever reads tables.

Numbers are the integers that were said, with their exponents beside them. The file has its name
only once it is whole.
"""

import csv
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from schema.streams import Stream
from services.rrr.books import as_integrity
from services.rrr.bus_journal_columns import Columns
from services.rrr.ears import Lost, Seen, Tail, shown
from services.rrr.journal_files import Journal, journal_named
from services.rrr.lab_export import Batch, require_polars, write_parquet
from services.rrr.places import FORMS, Place, read_place
from services.rrr.progress import Passed, progress_over
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.rrr.starts import last_position, start_of
from services.rrr.survey import running_house

FORMATS = ("parquet", "csv", "jsonl")
BATCH_ROWS = 1 << 14

Rows = Iterator[Seen]


class Count(msgspec.Struct):
    """What was written, and what the journal lacked."""

    rows: int = 0
    holes: int = 0
    lost: int = 0


@click.command("export")
@click.argument("name", metavar="STREAM")
@click.option("-o", "--output", required=True, metavar="FILE", type=FilePath())
@click.option("--parquet", "form", flag_value="parquet", help="Columns, compressed; needs polars.")
@click.option("--csv", "form", flag_value="csv", help="Text with a head.")
@click.option("--jsonl", "form", flag_value="jsonl", help="One JSON object a line.")
@click.option("--from", "begin", default="beginning", show_default=True, help=f"{FORMS}.")
@click.option("--until", "end", default="end", show_default=True, help="A place; the last one.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def export(name: str, output: Path, form: str | None, begin: str, end: str, *, force: bool) -> None:
    """Write what STREAM holds into FILE, a row for each message; FILE's ending names the form."""
    form = form or output.suffix.removeprefix(".")
    if form not in FORMATS:
        raise click.UsageError(f"no form {form!r}; expected --parquet, --csv or --jsonl")
    first, last = read_place(begin), _end(end)
    if form == "parquet":
        require_polars()
    house = running_house(standing_house())
    journal = journal_named(house, name)
    _refuse_used(output, force=force)
    count = Count()
    try:
        with progress_over(journal.size, "exporting") as passed, _whole(output) as draft:
            rows = _rows(house, journal.stream, (first, last), count, passed)
            _write(draft, form, journal.stream, rows)
    except HouseError as error:
        raise as_integrity(error) from error
    _tell(journal, output, count)


def _refuse_used(output: Path, *, force: bool) -> None:
    if output.exists() and not output.is_file():  # A device would be replaced by a file.
        raise HouseError(
            f"{output} is no file", "Name a file; `rrr bus cat STREAM --csv` writes to a pipe"
        )
    if output.exists() and not force:
        raise HouseError(f"{output} is there already", "Name another file, or add --force")


def _write(path: Path, form: str, stream: Stream, rows: Rows) -> None:
    columns = Columns(stream)
    if form == "parquet":
        write_parquet(path, columns.kinds, _batches(rows, columns))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            _csv(file, rows, columns)
        else:
            file.writelines(msgspec.json.encode(columns.told(one)).decode() + "\n" for one in rows)


def _csv(file: IO[str], rows: Rows, columns: Columns) -> None:
    writer = csv.DictWriter(file, columns.kinds, restval="", lineterminator="\n")
    writer.writeheader()
    truths = [name for name, kind in columns.kinds.items() if kind == "bool"]
    for seen in rows:
        row = columns.row(seen)
        for name in truths:
            if name in row:
                row[name] = str(row[name]).lower()
        writer.writerow(row)


def _batches(rows: Rows, columns: Columns) -> Iterator[Batch]:
    while some := [columns.row(seen) for seen in islice(rows, BATCH_ROWS)]:
        yield {name: [row.get(name) for row in some] for name in columns.kinds}


def _rows(
    house: House, stream: Stream, span: tuple[Place, Place], count: Count, passed: Passed
) -> Rows:
    journals, now_ns = house.journal_dir, SystemClock().wall_ns()
    start = start_of(journals, stream, span[0], now_ns)
    last, until_ns = _limit(journals, stream, span[1], now_ns)
    with closing(Tail(journals, stream, start.after, start.since_ns, shown)) as tail:
        while tail.fill():
            while tail.ready:
                one = tail.ready.popleft()
                if one.pos > last or one.ts_ns >= until_ns:
                    return
                if isinstance(one, Lost):
                    count.holes += 1
                    count.lost += one.count
                    continue
                passed(one.size)
                count.rows += 1
                yield one


def _end(text: str) -> Place:
    place = read_place(text)
    if place.kind not in {"end", "position", "time", "ago"}:
        raise click.UsageError(
            f"no end {text!r}; expected end, a position, EPOCH:N, @ISO-TIME or @-10m"
        )
    return place


def _limit(journals: Path, stream: Stream, place: Place, now_ns: int) -> tuple[int, int]:
    """Return the last position, and the wall time before which all must have been written."""
    never_ns = (1 << 63) - 1
    match place.kind:
        case "position":
            return place.number, never_ns
        case "time":
            return never_ns, place.number
        case "ago":
            return never_ns, now_ns - place.number
    return last_position(journals, stream), never_ns


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    draft = path.with_name(path.name + ".part")
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise HouseError(
            f"{path} cannot be written: {error.strerror or error}", "Free space, or name another"
        ) from error
    finally:
        with suppress(OSError):  # Where it could not be made, it cannot be removed.
            draft.unlink(missing_ok=True)


def _tell(journal: Journal, path: Path, count: Count) -> None:
    click.echo(f"{count.rows} messages of {journal.stream.name} in {path}")
    if count.holes:
        click.echo(
            f"rrr: it steps over {count.holes} holes of {count.lost} positions or more", err=True
        )
