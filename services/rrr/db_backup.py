"""`rrr db backup`: proven copies of the shards, now; the house may run or not."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError
from bus.house import House, open_house
from bus.migrations import KINDS
from schema.units import iso
from services.rrr.books import as_integrity, require_shard
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress_of
from services.rrr.screen import mebibytes, table
from services.rrr.spans import FilePath
from services.rrr.survey import NotReadyError, market_clock, running_house

if TYPE_CHECKING:
    from services.writer.backup import Outcome
    from services.writer.backup_manifest import Manifest
    from services.writer.backup_places import Order, Place

Row = dict[str, Any]


@click.command("backup")
@click.argument("shards", nargs=-1, metavar="[SHARD]...")
@click.option("--history", is_flag=True, help="What was imported, too.")
@click.option("--bundle", type=FilePath(), help="Put the newest into one .tar, .tar.zst or .zip.")
@click.option("--list", "listed", is_flag=True, help="Show what there is; make none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; one a line for --list.")
def backup(
    shards: tuple[str, ...], bundle: Path | None, *, history: bool, listed: bool, as_json: bool
) -> None:
    """Back up the shards, and prove each backup by restoring it once.

    They go to `backup.target`, or into the world's own folder. Trading goes on meanwhile.
    """
    require_shards(shards)
    if listed and (bundle or history):
        raise click.UsageError("--list makes nothing: leave --bundle and --history away")
    house = running_house(open_house())
    try:
        if listed:
            _list(house, shards, as_json=as_json)
        else:
            _back_up(house, shards, bundle, history=history, as_json=as_json)
    except BusyError as error:
        raise NotReadyError(error.what, error.hint) from error
    except HouseError as error:
        raise as_integrity(error) if error.exit_code not in {3, 5} else error from error


def require_shards(shards: Sequence[str]) -> None:
    """Refuse a name that is none of the shards."""
    for shard in shards:
        if shard not in KINDS:
            raise click.UsageError(
                f"There is no shard {shard!r}. The shards are: {', '.join(KINDS)}"
            )


def _orders(house: House, shards: Sequence[str], *, history: bool) -> "list[Order]":
    from services.writer.backup_orders import history_orders, order_of  # noqa: PLC0415 - lazy
    from services.writer.backup_places import sources  # noqa: PLC0415 - as above

    clock = SystemClock(market_clock(house))
    for shard in shards:
        require_shard(house, shard)
    there = shards or [shard for shard in KINDS if sources(house.db_dir, shard)]
    found = [order_of(house, shard, clock) for shard in there]
    found += history_orders(house, clock) if history else []
    if not found:
        raise NotReadyError(
            f"there is nothing to back up in {house.db_dir} yet",
            "The writers make the shards: `rrr up`",
        )
    return found


def _back_up(
    house: House, shards: Sequence[str], bundle: Path | None, *, history: bool, as_json: bool
) -> None:
    from services.writer import backup_bundle as bundles  # noqa: PLC0415 - as above
    from services.writer.backup import back_up  # noqa: PLC0415 - as above
    from services.writer.backup_places import Place  # noqa: PLC0415 - as above

    if bundle is not None:
        bundles.require_bundle_name(bundle)
    os.nice(19)  # Whoever trades goes first.
    clock = SystemClock(market_clock(house))
    done: list[tuple[Order, Outcome]] = []
    for order in _orders(house, shards, history=history):
        with progress_of(f"{order.world} {order.shard}") as tell:
            done.append((order, back_up(order, clock, tell)))
    size = 0
    if bundle is not None:
        own = [order for order, _ in done if order.world == house.world]
        with progress_of(f"{bundle.name}") as tell:
            place, names = Place(Path(own[0].place)), [order.shard for order in own]
            size = bundles.write_bundle(place, names, house.world, bundle, tell)
    with reader_may_leave():
        _show(done, bundle, size, as_json=as_json)
    failures = [error for _, outcome in done for error in outcome.failures]
    if failures:
        raise failures[0]


def _show(
    done: "Sequence[tuple[Order, Outcome]]", bundle: Path | None, size: int, *, as_json: bool
) -> None:
    made = [_row(order, manifest) for order, outcome in done for manifest in outcome.made]
    archives = [str(path) for _, outcome in done for path in outcome.archives]
    failed = [str(error) for _, outcome in done for error in outcome.failures]
    if as_json:
        told = {"backups": made, "archives": archives, "failures": failed}
        packed = {"bundle": str(bundle), "bundle_bytes": size} if bundle is not None else {}
        click.echo(msgspec.json.encode({**told, **packed}).decode())
        return
    for row in made:
        sizes = f"{mebibytes(row['bytes'])} in {mebibytes(row['packed_bytes'])}"
        click.echo(f"{row['file']}: proven, {sizes}, {row['path']}")
    for path in archives:
        click.echo(f"archive copied: {path}")
    if bundle is not None:
        click.echo(f"bundle: {mebibytes(size)}, {bundle}")


def _row(order: "Order", manifest: "Manifest") -> Row:
    from services.writer.backup_places import FOLDERS, Place  # noqa: PLC0415 - help is quick

    path = Place(Path(order.place)).packed(FOLDERS[0], manifest.name)
    return {
        "file": manifest.file,
        "shard": manifest.shard,
        "world": manifest.world,
        "taken": iso(manifest.wall_ns),
        "verified": manifest.verified_at,
        "bytes": manifest.bytes,
        "packed_bytes": manifest.packed_bytes,
        "sha256": manifest.sha256,
        "path": str(path),
    }


def _list(house: House, shards: Sequence[str], *, as_json: bool) -> None:
    from services.writer.backup_orders import target_of  # noqa: PLC0415 - as above
    from services.writer.backup_places import Place, place_root  # noqa: PLC0415 - as above

    root = place_root(target_of(house), house.world_dir, house.world)
    rows = list(_rows(Place(root), shards))
    with reader_may_leave():
        if as_json:
            for row in rows:
                sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
            sys.stdout.buffer.flush()
        elif not rows:
            click.echo(f"there is no backup in {root}; `rrr db backup` makes one")
        else:
            click.echo("\n".join(_table(rows)))


def _rows(place: "Place", shards: Sequence[str]) -> Iterator[Row]:
    """Yield each backup once, newest first, with all folders that it is kept in."""
    from services.writer.backup_manifest import read_manifest, shard_of  # noqa: PLC0415 - as above

    found: dict[Any, list[str]] = {}
    for folder in place.folders:
        for name in place.names(folder):
            if not shards or shard_of(name.file) in shards:
                found.setdefault(name, []).append(folder)
    for name in sorted(found, reverse=True):
        manifest = read_manifest(place.manifest(found[name][0], name))
        yield {
            "file": name.file,
            "shard": manifest.shard,
            "taken": iso(manifest.wall_ns),
            "verified": manifest.verified_at,
            "kept": found[name],
            "bytes": manifest.bytes,
            "packed_bytes": manifest.packed_bytes,
            "path": str(place.packed(found[name][0], name)),
        }


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [
        (
            row["file"],
            row["taken"][:19] + "Z",
            " ".join(row["kept"]),
            mebibytes(row["bytes"]),
            mebibytes(row["packed_bytes"]),
            row["path"],
        )
        for row in rows
    ]
    return table([("FILE", "TAKEN", "KEPT", "SIZE", "PACKED", "PATH"), *lines])
