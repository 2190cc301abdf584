"""Backs up one shard: every live file, each proven by a restore, and the archives as they are.

The job of a writer's child, and what `rrr db backup` does in its own process: it reads the shard as
any reader does. A lease in the target keeps two of them apart.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bus.clock import Clock, MarketTime, SystemClock
from bus.errors import BusyError, HouseError
from bus.lease import Lease
from bus.month_names import archive_dir
from schema.units import SECOND_NS
from services.writer.backup_archives import copy_archives
from services.writer.backup_keeping import clear, promote, rotate
from services.writer.backup_manifest import Manifest, failing, shard_of
from services.writer.backup_places import (
    FOLDERS,
    Order,
    Place,
    age_s,
    on_same_volume,
)
from services.writer.backup_places import sources as live_files
from services.writer.backup_proof import Tell
from services.writer.backup_seen import Seen, write_seen
from services.writer.backup_taking import take
from services.writer.backup_target import require_target

ONLY_NEWEST = (1, 0, 0)
"""What is kept of a month that has an archive: its backups are of no use to anybody."""


class Outcome(msgspec.Struct):
    """What one run did."""

    made: list[Manifest] = []
    archives: list[Path] = []
    failures: list[HouseError] = []


def run(args: Mapping[str, str], tell: Tell) -> str:
    """Do what a writer asked for; return it for people."""
    order = msgspec.json.decode(args["order"], type=Order)
    market = msgspec.json.decode(order.market, type=MarketTime) if order.market else None
    try:
        done = back_up(order, SystemClock(market), tell)
    except BusyError as error:
        return f"nothing: {error.what}"
    if done.failures:
        raise done.failures[0]
    names = [manifest.name.text for manifest in done.made]
    names += [path.name for path in done.archives]
    return f"backed up and proven: {', '.join(names)}" if names else "nothing was due"


def back_up(order: Order, clock: Clock, tell: Tell) -> Outcome:
    """Back up what is due of a shard; a file that fails is told, and the others go on."""
    place = Place(Path(order.place))
    try:
        place = require_target(order)
        order = _sparing(order, place)
        lease = _hold(place, order.shard)
        try:
            with failing(place.root):
                clear(place, order.shard)
                return _all(order, place, clock, tell)
        finally:
            with failing(place.root):
                lease.release()
    finally:
        _leave_note(order, place, clock)


def _sparing(order: Order, place: Place) -> Order:
    """Leave nothing free on a drive that no shard is on."""
    db_dir = Path(order.db_dir)
    if on_same_volume(place.root, db_dir, db_dir.parent):
        return order
    return msgspec.structs.replace(order, spare_bytes=0)


def _hold(place: Place, shard: str) -> Lease:
    lease = Lease(place.root / f"backup_{shard}.lease")
    with failing(place.root):
        taken = lease.take()
    if not taken:
        raise BusyError(
            f"another backup of {shard} to {place.root} is under way: {lease.whose()}",
            "Wait for its end: `rrr db backup --list` shows what it made",
        )
    return lease


def _all(order: Order, place: Place, clock: Clock, tell: Tell) -> Outcome:
    outcome = Outcome()
    due = [
        path
        for path in live_files(Path(order.db_dir), order.shard)
        if _is_due(place, path, order, clock)
    ]
    for index, path in enumerate(due):
        first, count = index, len(due)

        def told(share: float, first: int = first, count: int = count) -> None:
            tell((first + share) / count)

        try:
            outcome.made.append(take(order, place, path, clock, told))
            _let_grow_old(order, place, path.stem, clock)
        except HouseError as error:
            outcome.failures.append(error)
        finally:
            clear(place, order.shard)
    if order.shard == "market":
        _add_archives(order, place, outcome, clock, tell)
    return outcome


def _is_due(place: Place, path: Path, order: Order, clock: Clock) -> bool:
    age = age_s(place, path, clock)
    return not order.older_s or not 0 <= age < order.older_s


def _let_grow_old(order: Order, place: Place, file: str, clock: Clock) -> None:
    archived = (place.archive() / f"{file}.json").exists()
    keep, until_ns = ONLY_NEWEST if archived else order.keep, clock.wall_ns() + SECOND_NS
    promote(place, order.shard, file, keep, until_ns=until_ns)
    rotate(place, order.shard, file, keep, until_ns=until_ns)


def _add_archives(order: Order, place: Place, outcome: Outcome, clock: Clock, tell: Tell) -> None:
    directory = archive_dir(Path(order.db_dir).parent)
    try:
        outcome.archives = copy_archives(place, order.shard, directory, order.spare_bytes, tell)
        for file in place.files():
            if shard_of(file) == "market":
                _let_grow_old(order, place, file, clock)
    except HouseError as error:
        outcome.failures.append(error)


def _leave_note(order: Order, place: Place, clock: Clock) -> None:
    """Tell the shard's writer what is there: it does not look at the target itself."""
    if not (place.root / FOLDERS[0]).is_dir():
        return  # A drive that is away has what it had.
    db_dir = Path(order.db_dir)
    until_ns = clock.wall_ns() + SECOND_NS
    files = [path.stem for path in live_files(db_dir, order.shard)]
    newest = {file: place.newest(file, until_ns) for file in files}
    taken = {file: found[1].wall_ns for file, found in newest.items() if found is not None}
    same = on_same_volume(place.root, db_dir, db_dir.parent)
    write_seen(db_dir.parent, order.shard, Seen(taken, same_volume=same))
