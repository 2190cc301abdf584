"""`rrr db optimize`: shards as small and as quick as their rows allow, through their writers."""

import json
from typing import Any

import click

from bus.errors import HouseError
from bus.house import House
from bus.migrations import KINDS
from bus.rows import shard_files
from services.rrr.books import as_integrity
from services.rrr.hands import through_writer
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress_of
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

HEAD = ("SHARD", "FILE", "BEFORE", "AFTER", "")
NONE_HINT = "its writer makes it with its first rows: `rrr status` shows how it is"

Row = dict[str, Any]


@click.command("optimize")
@click.argument("shards", metavar="[SHARD]...", nargs=-1)
@click.option("-J", "--json", "as_json", is_flag=True, help="One JSON object a line.")
def optimize(shards: tuple[str, ...], *, as_json: bool) -> None:
    """Make shards small, and let SQLite know how their rows lie; all of them, or those named.

    Others read on meanwhile. While a writer runs it pauses for that long, so a file of more than
    512 MiB is left to you: stop its writer first.
    """
    for name in shards:
        if name not in KINDS:
            known = ", ".join(KINDS)
            raise click.UsageError(f"There is no shard {name!r}. The shards are: {known}")
    house = running_house(standing_house())
    chosen = list(dict.fromkeys(shards)) or [name for name in KINDS if _is_there(house, name)]
    rows: list[Row] = []
    failures: list[HouseError] = []
    with progress_of("optimize") as tell:
        for done, name in enumerate(chosen):
            tell(done / len(chosen))
            try:
                rows += _optimized(house, name)
            except HouseError as error:
                failures.append(as_integrity(error))
                rows.append({"shard": name, "file": "", "error": str(error)})
    with reader_may_leave():
        _show(rows, as_json=as_json)
    if failures:
        raise failures[0]


def _is_there(house: House, name: str) -> bool:
    return bool(shard_files(house.db_dir, KINDS[name]))


def _optimized(house: House, name: str) -> list[Row]:
    if not _is_there(house, name):
        raise NotReadyError(f"there is no {name} shard in {house.db_dir} yet", NONE_HINT)
    said = through_writer(house, name, "optimize", ("json",))
    return [{"shard": name, **one} for one in json.loads(said)]


def _show(rows: list[Row], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    lines = [_line(row) for row in rows]
    click.echo("\n".join(table([HEAD, *lines])) if lines else "no shards yet")


def _line(row: Row) -> tuple[str, ...]:
    if "error" in row:
        return row["shard"], "", "", "", "failed: it stays as it was"
    sizes = mebibytes(row["before_bytes"]), mebibytes(row["after_bytes"])
    return row["shard"], row["file"], *sizes, ""
