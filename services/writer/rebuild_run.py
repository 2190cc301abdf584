"""Rebuilds one shard from what is retained, and compares it with the one that lives.

It begins with nothing where every journal still has its beginning, else with the newest proven
backup. Of the market, whose trades are kept for days only, it can begin in the middle: then what is
folded must be in the live shard, and what lies before is not spoken of.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.errors import HouseError
from bus.migrations import KINDS
from bus.rows import shard_files
from schema.units import iso
from services.writer import SHARDS
from services.writer.backup_proof import require_room
from services.writer.rebuild import Bounds, Folded, Tell, fold, opened, world_of
from services.writer.rebuild_compare import Compared, Difference, compare_files
from services.writer.rebuild_copy import bring_up, copy_shard, positions_in
from services.writer.rebuild_months import Places, compare_months
from services.writer.restore import Wanted, restore
from services.writer.retained import Span, spans

ROW_BYTES = 40
BEGINNING, BACKUP, MIDDLE, NOWHERE = "the beginning", "a backup", "what is retained", "nowhere"


class Where(msgspec.Struct, frozen=True):
    """Where the shards, journals and backups of a world are, and where there is room to work."""

    world_dir: Path
    backups: Path
    scratch: Path
    scale: float = 1.0

    @property
    def db_dir(self) -> Path:
        return self.world_dir / "db"

    @property
    def journal_dir(self) -> Path:
        return self.world_dir / "journal"


class Source(msgspec.Struct, frozen=True):
    """Where a stream was folded from and up to."""

    stream: str
    first: int
    last: int
    retained_from: str  # when the oldest was said that the journals hold
    messages: int


class Rebuilt(msgspec.Struct, kw_only=True):
    """What a rebuild came to."""

    shard: str
    begun: str  # the beginning | a backup | what is retained | nowhere
    base: str = ""  # of a backup, its name; of nowhere, why
    streams: list[Source] = []
    compared: bool = False
    rows: dict[str, int] = {}
    beyond: int = 0
    differences: list[Difference] = []

    @property
    def same(self) -> bool | None:
        """Whether both are the same; None where nothing was compared."""
        return not self.differences if self.compared else None


def rebuild(shard: str, where: Where, clock: Clock, tell: Tell, *, verify: bool = True) -> Rebuilt:
    """Rebuild one shard in the scratch directory, and compare it with the live one."""
    live, made = where.scratch / "live", where.scratch / "made"
    for folder in (live, live / "db", made):
        folder.mkdir(mode=0o700)
    require_room(where.scratch, 2 * _size(where.db_dir, shard), 0)
    positions = copy_shard(shard, where.db_dir, live / "db")
    until_ns = clock.wall_ns()  # Behind the copy: its writer went on while it was made.
    world = world_of(shard, live / "db")
    bring_up(shard, live / "db", world)
    kept = spans(where.journal_dir, SHARDS[shard], clock)
    done = _begin(shard, where, positions, kept, until_ns)
    if done.begun == NOWHERE:
        return done
    (made / "db").mkdir(mode=0o700, exist_ok=True)
    bounds = Bounds(until_ns, positions, where.scale, joined=done.begun != MIDDLE)
    with opened(shard, made / "db", world, clock) as store:
        for file in store.shards():
            file.db.pragma("synchronous", 0)  # Nobody builds on it.
        folded = fold(shard, store, where.journal_dir, bounds, clock, _part(tell, 0.0, 0.8))
    done.streams = _sources(folded, kept)
    if verify:
        found = _compared(shard, where, done, _part(tell, 0.8, 1.0))
        take(found, done)
    return done


def take(found: Compared, done: Rebuilt) -> None:
    """Note what a comparison found."""
    done.compared = True
    done.rows, done.beyond, done.differences = found.rows, found.beyond, found.differences


def _begin(
    shard: str, where: Where, positions: Mapping[str, int], kept: Mapping[str, Span], until_ns: int
) -> Rebuilt:
    lacking = _lacking(dict.fromkeys(positions, 0), positions, kept)
    if not lacking:
        return Rebuilt(shard=shard, begun=BEGINNING)
    made = where.scratch / "made"
    made.rmdir()
    try:
        wanted = Wanted(
            source=where.backups, to=made, world=where.world_dir.name, shards=(shard,),
            at_ns=until_ns,
        )  # fmt: skip
        restored = restore(wanted, lambda _share: None)
        names = ", ".join(one.name.text for one in restored.shards) or "archives"
        lacking = _lacking(positions_in(KINDS[shard], made / "db"), positions, kept)
        if not lacking:
            return Rebuilt(shard=shard, begun=BACKUP, base=names)
        why = f"{'; '.join(lacking)} (of {names})"
    except HouseError as error:
        why = f"{'; '.join(lacking)}; {error.what}"
    _clear(made)
    begun = MIDDLE if KINDS[shard].monthly else NOWHERE
    return Rebuilt(shard=shard, begun=begun, base=why)


def _lacking(
    held: Mapping[str, int], wanted: Mapping[str, int], kept: Mapping[str, Span]
) -> list[str]:
    """Return of which streams the journals do not hold all between two positions."""
    found = []
    for name, end in wanted.items():
        span, after = kept.get(name, Span(name)), held.get(name, 0)
        if end <= after:
            continue
        if not span.first:
            found.append(f"there is no journal of {name}")
        elif not span.follows(after):
            found.append(f"{name} is retained from {span.first} ({iso(span.first_ns)}) only")
    return found


def _clear(folder: Path) -> None:
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    folder.mkdir(mode=0o700, exist_ok=True)


def _sources(folded: Folded, kept: Mapping[str, Span]) -> list[Source]:
    return [
        Source(
            one.stream,
            one.after + 1 if one.after else kept[one.stream].first,
            one.last,
            iso(kept[one.stream].first_ns) if kept[one.stream].first else "",
            one.messages,
        )
        for one in folded.streams
    ]


def _compared(shard: str, where: Where, done: Rebuilt, tell: Tell) -> Compared:
    kind, found = KINDS[shard], Compared()
    live, made = where.scratch / "live", where.scratch / "made"
    seen = [0, max(1, 2 * _size(live / "db", shard) // ROW_BYTES)]

    def progress(rows: int) -> None:
        seen[0] += rows
        tell(min(1.0, seen[0] / seen[1]))

    if kind.monthly:
        places = Places(live, where.world_dir, made, where.scratch)
        compare_months(places, found, progress, whole=done.begun != MIDDLE)
    else:
        one, other = (place / "db" / f"{shard}.db" for place in (live, made))
        compare_files(kind, one, other, found, progress, rows_alone=False)
    return found


def _size(db_dir: Path, shard: str) -> int:
    return sum(path.stat().st_size for path in shard_files(db_dir, KINDS[shard]))


def _part(tell: Tell, first: float, last: float) -> Tell:
    return lambda share: tell(first + (last - first) * share)
