"""`rrr db archive`: which months are archives, and makes those of the months that are over.

The archive is built here, at the side of a running writer, which it only reads; that the live file
leaves is its writer's to do.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from bus.month_names import archive_dir, month_text
from services.rrr.books import as_integrity, require_shard
from services.rrr.hands import through_writer
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress_of
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.survey import market_clock, running_house

SHARD = "market"
HEAD = ("MONTH", "STATE", "ROWS", "SIZE", "BYTES A ROW", "REVISION", "")
BUILDS = frozenset({"due", "changed"})
LEAVES = "leaves"

Row = dict[str, Any]


@click.command("archive")
@click.argument("months", metavar="[YYYY-MM...]", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would be done; it reads only.")
@click.option("-J", "--json", "as_json", is_flag=True, help="One JSON object a line.")
def archive(months: tuple[str, ...], *, dry_run: bool, as_json: bool) -> None:
    """Archive the months that are over, or those named, and show all.

    The writer of the market does it by itself once `writer.archive_grace_ms` has passed since a
    month's end. A named month need not wait for that: what comes late goes into its next revision.
    """
    from services.writer.archive_states import states  # noqa: PLC0415 - help is quick

    wanted = [_month(text) for text in months]
    house = running_house(standing_house())
    place = house.world_dir
    if not archive_dir(place).is_dir():
        require_shard(house, SHARD)
    found = states(place, *_times(house))
    chosen = _chosen(found, wanted)
    failures: list[HouseError] = []
    if not dry_run:
        for row in chosen:
            failures += _done(house, place, row)
        done = {row["month"]: row["done"] for row in chosen if "done" in row}
        found = [
            row | {"done": done.get(row["month"], "")} for row in states(place, *_times(house))
        ]
    with reader_may_leave():
        _show(found, as_json=as_json)
    if failures:
        raise failures[0]


def _month(text: str) -> int:
    digits = text.replace("-", "")
    if len(digits) == 6 and digits.isdecimal() and digits.isascii() and 1 <= int(digits[4:]) <= 12:
        return int(digits)
    raise click.UsageError(f"{text!r} is no month; write it as 2026-01")


def _times(house: House) -> tuple[int, int]:
    # Without a running house nothing comes late: the market's time is as if the grace were over.
    market = market_clock(house)
    grace_ns = house.settings.writer.archive_grace_ms * 1_000_000
    if market is None:
        return (1 << 63) - 1, 0
    return SystemClock(market).market_ns(), grace_ns


def _chosen(found: Sequence[Row], wanted: Sequence[int]) -> list[Row]:
    if not wanted:
        return [row for row in found if row["state"] in {*BUILDS, LEAVES}]
    by_month = {int(row["month"].replace("-", "")): row for row in found}
    for month in wanted:
        row = by_month.get(month)
        if row is None:
            raise click.UsageError(f"there is no month {month_text(month)} here")
        if row["state"] == "open":
            what = f"{row['month']} is not over: it is the newest month, which is written to"
            raise HouseError(what, "It is archived once a newer one has begun")
    return [by_month[month] for month in dict.fromkeys(wanted)]


def _done(house: House, place: Path, row: Row) -> list[HouseError]:
    # One month that cannot be archived does not keep the others from it.
    from services.writer.archiving import archive_month  # noqa: PLC0415 - a list needs no numpy

    if row["state"] == "archived":
        return []
    month = int(row["month"].replace("-", ""))
    try:
        if row["state"] != LEAVES:
            with progress_of(row["month"]) as tell:
                archive_month(place, month, SystemClock(), tell)
        row["done"] = through_writer(house, SHARD, "retire", (str(month),))
    except HouseError as error:
        row["done"] = f"failed: {error}"
        return [as_integrity(error)]
    return []


def _show(found: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        for row in found:
            click.echo(json.dumps(row))
        return
    click.echo("\n".join(table([HEAD, *map(_line, found)])) if found else "no months yet")


def _line(row: Row) -> tuple[str, ...]:
    size = row["archive_bytes"] or row["live_bytes"]
    each = "" if row["bytes_per_row"] is None else f"{row['bytes_per_row']:.1f}"
    rows, rev = (str(row[name]) if row["rev"] else "" for name in ("rows", "rev"))
    said = row.get("done") or row["problem"]
    return row["month"], row["state"], rows, mebibytes(size), each, rev, said
