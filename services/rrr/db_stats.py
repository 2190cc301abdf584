"""`rrr db stats`: how large the shards are, what of it is in use, and what they hold."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from bus.clock import Clock, SystemClock
from bus.disk import file_bytes
from bus.errors import HouseError
from bus.history import histories
from bus.house import House
from bus.migrations import KINDS, Kind
from bus.rows import shard_files
from services.rrr.books import as_integrity
from services.rrr.db_export_files import sealed_in
from services.rrr.db_stats_file import FileStats, file_stats
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress_over
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

TIME_LIMIT_MS = 10_000
LEAST_MS = 100
MIB = 1 << 20

Place = tuple[Kind, Path, str]
"""A file, the shard that it is of, and whether it is live, an archive or history."""


@click.command("stats")
@click.argument("shards", metavar="[SHARD]...", nargs=-1)
@click.option("--history", is_flag=True, help="The imported histories of markets, too.")
@click.option("--time-limit-ms", type=click.IntRange(1), default=TIME_LIMIT_MS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def stats(shards: tuple[str, ...], time_limit_ms: int, *, history: bool, as_json: bool) -> None:
    """Show the size, pages, log, tables and times of each file.

    Of all shards, unless some are named.

    --json is {"world", "files": [...], "totals": {"files", "bytes", "wal_bytes",
    "wal_pending_bytes", "rows", "candles"}}. A file is {"shard", "file", "kind": "live" | "archive"
    | "history", "bytes", "wal_bytes", "wal_pending_bytes": of the log what is not in the file yet,
    "page_size", "pages", "free_pages", "fragmentation": 0 to 1, "fragmentation_from": "dbstat" |
    "freelist", "complete": whether every page was looked at, "version", "world", "checksums",
    "first", "last", "candles", "bytes_per_candle", "tables": [{"name", "rows", "exact", "bytes",
    "unused"}]}; what could not be told in the time is null, and rows that are not "exact" are an
    estimate.
    """
    for shard in shards:
        if shard not in KINDS:
            known = ", ".join(KINDS)
            raise click.UsageError(f"There is no shard {shard!r}. The shards are: {known}")
    house = running_house(standing_house())
    kinds = [KINDS[name] for name in dict.fromkeys(shards)] or list(KINDS.values())
    places = list(_places(house, kinds, history=history))
    if not places:
        raise NotReadyError(
            f"there is no shard in {house.db_dir} yet",
            "Its writer makes it with its first rows: `rrr status` shows how it is",
        )
    try:
        found = _looked(places, SystemClock(), time_limit_ms)
    except HouseError as error:
        raise as_integrity(error) from error
    with reader_may_leave():
        if as_json:
            click.echo(msgspec.json.encode(_told(house, found)))
        else:
            click.echo("\n".join(_lines(house, found)))


def _places(house: House, kinds: Iterable[Kind], *, history: bool) -> Iterator[Place]:
    for kind in kinds:
        yield from ((kind, path, "live") for path in shard_files(house.db_dir, kind))
        if kind.monthly:
            yield from ((kind, path, "archive") for path in sealed_in(house.world_dir)[::-1])
            for place in histories(house) if history else ():
                live = shard_files(place / "db", kind)
                yield from ((kind, path, "history") for path in (*live, *sealed_in(place)[::-1]))


def _looked(places: list[Place], clock: Clock, time_limit_ms: int) -> list[tuple[str, FileStats]]:
    until_ns = clock.mono_ns() + time_limit_ms * 1_000_000
    found: list[tuple[str, FileStats]] = []
    size = sum(file_bytes(path) for _, path, _ in places)
    with progress_over(size, "looking") as passed:
        for at, (kind, path, what) in enumerate(places):
            left_ms = (until_ns - clock.mono_ns()) // 1_000_000
            limit_ms = max(LEAST_MS, left_ms // (len(places) - at))
            try:
                one = file_stats(kind, path, what, clock, limit_ms)
            except FileNotFoundError:
                one = None  # It was retired meanwhile.
            if one is not None:
                found.append((kind.name, one))
            passed(file_bytes(path))
    return found


def _told(house: House, found: list[tuple[str, FileStats]]) -> dict[str, Any]:
    files = [{"shard": shard, **msgspec.to_builtins(one)} for shard, one in found]
    return {"world": house.world, "files": files, "totals": _totals(found)}


def _totals(found: list[tuple[str, FileStats]]) -> dict[str, int]:
    files = [one for _, one in found]
    return {
        "files": len(files),
        "bytes": sum(one.bytes for one in files),
        "wal_bytes": sum(one.wal_bytes for one in files),
        "wal_pending_bytes": sum(one.wal_pending_bytes for one in files),
        "rows": sum(table.rows or 0 for one in files for table in one.tables),
        "candles": sum(one.candles or 0 for one in files),
    }


def _lines(house: House, found: list[tuple[str, FileStats]]) -> Iterator[str]:
    for shard, one in found:
        yield from _file_lines(house, shard, one)
        yield ""
    totals = _totals(found)
    yield (
        f"{totals['files']} files, {_sized(totals['bytes'])} and "
        f"{_sized(totals['wal_bytes'])} of logs, {totals['rows']} rows"
    )


def _file_lines(house: House, shard: str, one: FileStats) -> Iterator[str]:
    strange = f"  of world {one.world}" if one.world != house.world else ""
    sums = "checksums" if one.checksums else "no checksums"
    yield f"{one.file}  {shard}, {one.kind}, version {one.version}, {sums}{strange}"
    yield (
        f"  {_sized(one.bytes)} in {one.pages} pages of {one.page_size}, {one.free_pages} free, "
        f"{one.fragmentation:.1%} unused by {one.fragmentation_from}"
    )
    if one.wal_bytes:
        yield f"  log {_sized(one.wal_bytes)}, {_sized(one.wal_pending_bytes)} not in the file yet"
    if one.first is not None:
        yield f"  from {one.first} to {one.last}"
    if one.bytes_per_candle is not None:
        yield f"  {one.candles} candles, {one.bytes_per_candle} bytes each"
    if not one.complete:
        yield "  too large for the time that there was: --time-limit-ms allows more"
    for table in one.tables:
        rows = "?" if table.rows is None else f"{'' if table.exact else '~'}{table.rows}"
        size = "" if table.bytes is None else f"{_sized(table.bytes):>12}"
        yield f"  {table.name:<22}{rows:>14} rows{size}"


def _sized(size: int) -> str:
    return f"{size / MIB:.1f} MiB" if size >= MIB else f"{size / 1024:.1f} KiB"
