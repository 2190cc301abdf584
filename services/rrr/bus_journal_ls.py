"""`rrr bus journal ls`: the segments of the streams, what they hold, and where they lie."""

from pathlib import Path

import click
import msgspec

from bus.archive import SUFFIX, bases, place_of, read_segment
from bus.errors import HouseError
from bus.repair import end_mark, record_at
from schema.frame import HEADER_BYTES
from schema.streams import Stream
from schema.units import iso
from services.rrr.journal_files import Journal, journals_named
from services.rrr.pipes import reader_may_leave
from services.rrr.places import position_text
from services.rrr.progress import Passed, progress_over
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

HEAD = ("STREAM", "BASE", "", "LAST", "RECORDS", "SIZE", "SEALED", "ARCHIVED", "FIRST", "LAST", "")


class Row(msgspec.Struct):
    """One segment."""

    stream: str
    base: int
    base_place: str
    last: int = 0
    last_place: str = ""
    records: int = 0
    messages: int = 0
    bytes: int = 0  # on the disk, compressed or not
    sealed: bool = False
    archived: bool = False
    first_ns: int = 0  # wall time of its first record
    last_ns: int = 0
    unread_bytes: int = 0  # from where no record stands: a tear, or damage
    trouble: str = ""


@click.command("ls")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def list_segments(names: tuple[str, ...], *, json_lines: bool) -> None:
    """List the segments of all streams or of some; STREAM may end in *."""
    house = running_house(standing_house())
    found = journals_named(house, names)
    with progress_over(sum(one.size for one in found), "reading") as passed:
        rows = [row for one in found for row in _rows(one, passed)]
    with reader_may_leave():
        if json_lines:
            for row in rows:
                click.echo(msgspec.json.encode(row).decode())
        elif rows:
            click.echo("\n".join(table([HEAD, *map(_cells, rows)])))
        else:
            click.echo(f"no journal of {' '.join(names) or 'any stream'} in {house.journal_dir}")


def _rows(journal: Journal, passed: Passed) -> list[Row]:
    rows = []
    for base in bases(journal.directory):
        path = place_of(journal.directory, base)
        row = Row(journal.stream.name, base, position_text(base))
        row.archived = not path.name.endswith(SUFFIX)
        try:
            row.bytes = path.stat().st_size
            _count(row, read_segment(journal.directory, base), journal.stream)
        except FileNotFoundError:
            continue  # Retention was faster.
        except (OSError, HouseError) as error:
            row.trouble = _told(error, path)
        passed(row.bytes)
        rows.append(row)
    return rows


def _count(row: Row, data: bytes, stream: Stream) -> None:
    at = 0
    while at < len(data) and not row.sealed:
        frame = record_at(data, at, stream.name)
        if frame is None:
            row.unread_bytes = len(data) - at
            row.trouble = f"no record at byte {at}"
            return
        at += HEADER_BYTES + len(frame.body)
        row.first_ns = row.first_ns or frame.ts_ns
        row.last_ns = frame.ts_ns
        row.sealed = end_mark(frame, row.base) is not None
        if frame.count:
            row.last, row.last_place = frame.last, position_text(frame.last)
            row.records += 1
            row.messages += frame.count


def _told(error: OSError | HouseError, path: Path) -> str:
    return error.what if isinstance(error, HouseError) else f"{path}: {error.strerror}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.stream,
        str(row.base),
        row.base_place,
        row.last_place,
        str(row.records),
        mebibytes(row.bytes),
        "yes" if row.sealed else "no",
        "yes" if row.archived else "no",
        iso(row.first_ns) if row.first_ns else "",
        iso(row.last_ns) if row.last_ns else "",
        row.trouble,
    )
