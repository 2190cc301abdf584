"""What the settings of a house say of its backups: of each shard, where to and how many."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bus.clock import Clock, SystemClock
from bus.history import histories, history_world
from bus.root import place
from services.writer.backup_places import OWN, Order, place_root
from services.writer.ballast import floor_bytes

if TYPE_CHECKING:
    from bus.house import House


def target_of(house: "House") -> Path | None:
    """Return the target that a person chose; None where worlds keep their backups themselves."""
    chosen = house.settings.backup.target
    if not chosen:
        return None
    target = place(house.root, chosen, "backup.target").absolute()
    return None if target == house.world_dir / OWN else target


def order_of(house: "House", shard: str, clock: Clock) -> Order:
    """Return the order to back up a shard of the house's world."""
    return _order(house, shard, clock, house.world, house.world_dir)


def history_orders(house: "House", clock: Clock) -> list[Order]:
    """Return the orders to back up what was imported, one an exchange."""
    return [
        _order(house, "market", clock, history_world(place.name), place)
        for place in histories(house)
    ]


def _order(house: "House", shard: str, clock: Clock, world: str, own: Path) -> Order:
    target, keep = target_of(house), house.settings.backup
    market = clock.market if isinstance(clock, SystemClock) else None
    return Order(
        shard=shard,
        world=world,
        db_dir=str(own / "db"),
        place=str(place_root(target, own, world)),
        target="" if target is None else str(target),
        market="" if market is None else msgspec.json.encode(market).decode(),
        keep=(keep.daily, keep.weekly, keep.monthly),
        spare_bytes=_spare_bytes(own, house.settings.writer.pause_free_mib),
    )


def _spare_bytes(own: Path, pause_free_mib: int) -> int:
    """Return what stays free beside the shards: that with which they do not pause yet."""
    there = next(one for one in (own, *own.parents) if one.is_dir())
    return floor_bytes(there, pause_free_mib)
