"""A world of one shard with rows in it, the orders to back it up, and what came of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bus.clock import Clock, ManualClock
from bus.migrations import KINDS
from schema.units import SECOND_NS
from services.writer.backup import Outcome, back_up
from services.writer.backup_manifest import Manifest, read_manifest
from services.writer.backup_places import FOLDERS, Order, Place
from services.writer.backup_proof import opened
from services.writer.content import Content, contents
from services.writer.restore import Restored, Wanted, restore
from tests.services.market_desk import at
from tests.services.writer.analytics_desk import Desk, way

WORLD = "w"
START_NS = at("2026-11-30T03:00:00")


class Killed(BaseException):
    """The end of a process at some instruction."""


def quiet(_share: float) -> None:
    """Take no note of how far something is."""


class Shelter:
    """A world, its shard of orders, and the place of its backups."""

    def __init__(self, top: Path, shard: str = "analytics", target: str = "") -> None:
        self.world_dir = top / WORLD
        self.db_dir = self.world_dir / "db"
        self.db_dir.mkdir(parents=True)
        self.desk = Desk(self.db_dir, shard)
        self.clock = ManualClock(START_NS)
        own = self.world_dir / "backups"
        root = Path(target) / WORLD if target else own
        self.place = Place(root)
        self.order = Order(
            shard=shard, world=WORLD, db_dir=str(self.db_dir), place=str(root), target=target
        )
        self.orders = 0

    @property
    def file(self) -> Path:
        return self.db_dir / f"{self.order.shard}.db"

    def say(self, count: int = 20) -> None:
        for number in range(self.orders, self.orders + count):
            self.desk.hear(*way(number, number * 10 + 1))
        self.orders += count

    def back_up(self, clock: Clock | None = None, **changes: object) -> Outcome:
        order = msgspec.structs.replace(self.order, **changes)
        return back_up(order, clock or self.clock, quiet)

    def made(self) -> Manifest:
        """Back up, and return the one manifest; what failed is raised."""
        outcome = self.back_up()
        for error in outcome.failures:
            raise error
        (manifest,) = outcome.made
        self.clock.advance(SECOND_NS)
        return manifest

    def restored(self, to: Path, source: Path | None = None, **changes: object) -> Restored:
        wanted = Wanted(source=source or self.place.root, to=to, world=WORLD)
        return restore(msgspec.structs.replace(wanted, **changes), quiet)

    def manifests(self) -> Iterator[tuple[str, Manifest]]:
        """Yield each manifest that stands, with its folder; each has its whole file beside it."""
        for folder in FOLDERS:
            for name in self.place.names(folder):
                manifest = read_manifest(self.place.manifest(folder, name))
                assert self.place.packed(folder, name).stat().st_size == manifest.packed_bytes
                yield folder, manifest

    def left(self) -> list[str]:
        """Return what lies in the scratch folder, and files without their manifest."""
        scratch = [path.name for path in self.place.scratch(self.order.shard).glob("**/*")]
        known = {path.name.partition(".")[0] for path in self.place.root.glob("*/*.json")}
        packed = self.place.root.glob("[dwm]*/*.db.zst")
        return scratch + [path.name for path in packed if path.name.partition(".")[0] not in known]


def contents_of(path: Path) -> dict[str, Content]:
    """Return what a shard's file holds."""
    with opened(path, quiet) as db:
        kind = path.stem if path.stem in KINDS else "market"
        return contents(db, KINDS[kind])


def dying_at(number: int) -> Callable[[str], None]:
    """Return what dies at the n-th step that it is told."""
    left = [number]

    def done(_step: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return done
