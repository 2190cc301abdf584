"""`rrr bus journal prune`: puts old segments away for an owner that does not run.

The plan is the one by which the owner itself does it every minute. Where the owner runs, nothing is
done for it: two who delete from one journal would each have to trust the other.
"""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from bus.archive import bases
from bus.clock import SystemClock
from bus.cursors import read_cursors
from bus.errors import BusyError, HouseError
from bus.house import House, open_house
from bus.keeper import carry_out, clear_drafts, kept, limits_of
from bus.retention import Kept, Plan, plan
from schema.streams import STREAMS, Stream
from services.rrr.books import as_integrity
from services.rrr.bus_names import chosen
from services.rrr.digging import directory_of
from services.rrr.journal_files import instead_of
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import mebibytes
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

PORTION_BYTES = 256 << 20
GAP_MS = 100
"""After each portion the lease is free for so long: an owner that starts does not wait for all."""


@click.command("prune")
@click.argument("streams", metavar="[STREAM...]", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would be done; it may run meanwhile.")
@click.option("-J", "--json", "as_json", is_flag=True, help="One JSON object a line.")
def prune(streams: tuple[str, ...], *, dry_run: bool, as_json: bool) -> None:
    """Compress and delete old segments of all streams or of some; STREAM may end in *.

    A service that runs does it by itself every minute; this is for one that does not. Nothing goes
    that a registered consumer has not read, but for what is beyond bus.stream_cap_mib.
    """
    # What is deleted goes by the limits that stand in the settings, and not by shipped ones.
    house = running_house(standing_house() if dry_run else open_house())
    wanted = [STREAMS[name] for name in (chosen(streams) if streams else STREAMS)]
    journaled = [stream for stream in wanted if stream.journaled]
    if not journaled:
        raise click.UsageError("streams of class E have no journal")
    lying = [one for one in journaled if bases(directory_of(house.journal_dir, one))]
    if not lying:
        click.echo(f"no journal in {house.journal_dir}", err=True)
    busy: list[str] = []
    with reader_may_leave():
        for stream in lying:
            try:
                _show(_pruned(house, stream, dry_run=dry_run), as_json=as_json)
            except BusyError as error:
                busy.append(stream.name)
                click.echo(f"rrr: {error}", err=True)
    if busy and streams:
        raise HouseError(f"not done: {', '.join(busy)}", "Leave it to the owner, which runs")


def _held(house: House, owner: str) -> AbstractContextManager[None]:
    def busy(pid: str) -> BusyError:
        return BusyError(
            f"{owner} runs (process {pid}), so it prunes its own streams",
            "--dry-run shows what it is about to do",
        )

    return instead_of(house, owner, busy)


def _pruned(house: House, stream: Stream, *, dry_run: bool) -> dict[str, Any]:
    directory = directory_of(house.journal_dir, stream)
    before = kept(directory, stream)
    planned = _planned(house, stream, before)
    if not dry_run:
        with _held(house, stream.owner):
            clear_drafts(directory)
        while not _planned(house, stream, kept(directory, stream)).idle:
            with _held(house, stream.owner):
                lying = kept(directory, stream)  # Somebody else may have done it meanwhile.
                _do(directory, stream, _portion(_planned(house, stream, lying), lying))
            SystemClock().pause_ms(GAP_MS)
    return _row(stream, before, planned, sum(one.size for one in kept(directory, stream)))


def _planned(house: House, stream: Stream, lying: list[Kept]) -> Plan:
    cursors = read_cursors(house.journal_dir, stream)
    limits = limits_of(house.settings.bus)
    return plan(stream, lying, cursors, SystemClock().wall_ns(), limits)


def _portion(left: Plan, lying: list[Kept]) -> Plan:
    sizes, taken, total = {one.base: one.size for one in lying}, 0, 0
    for base in left.archive:
        total += sizes.get(base, 0)
        if taken and total > PORTION_BYTES:
            break
        taken += 1
    return structs.replace(left, archive=left.archive[:taken])


def _do(directory: Path, stream: Stream, portion: Plan) -> None:
    try:
        done = carry_out(directory, stream, portion, lambda: False)
    except HouseError as error:
        raise as_integrity(error) from error
    if done.failure:
        raise HouseError(f"{stream.name}: {done.failure}", "What was done until then stays")


def _row(stream: Stream, before: list[Kept], planned: Plan, size: int) -> dict[str, Any]:
    return {
        "stream": stream.name,
        "segments": len(before),
        "bytes_before": sum(one.size for one in before),
        "bytes": size,
        "archive": planned.archive,
        "delete": planned.delete,
        "forced": planned.forced,
        "held_by": planned.held_by,
        "over_bytes": planned.over_bytes,
    }


def _show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row))
        return
    words = [f"{len(row['archive'])} to archive", f"{len(row['delete'])} to delete"]
    if row["forced"]:
        words.append(f"{len(row['forced'])} of them beyond the cap")
    if row["held_by"]:
        words.append(f"held for {', '.join(row['held_by'])}")
    if row["over_bytes"]:
        words.append(f"{mebibytes(row['over_bytes'])} beyond the cap and staying")
    sizes = f"{mebibytes(row['bytes_before'])} -> {mebibytes(row['bytes'])}"
    click.echo(f"{row['stream']}: {row['segments']} segments, {', '.join(words)}, {sizes}")
