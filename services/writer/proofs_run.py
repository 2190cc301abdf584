"""All checks of one shard, in the order of what they build on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.migrations import KINDS, older
from bus.shard import Connection
from services.writer import proofs_audit, proofs_books
from services.writer.backup_manifest import Manifest, read_manifest
from services.writer.backup_places import Place
from services.writer.proofs import (
    FILE,
    Check,
    Found,
    Looked,
    Proof,
    check,
    file_checks,
    identity,
    proven,
)
from services.writer.proofs_imports import import_checks
from services.writer.proofs_market import market_checks

LOOKS_MAX = 4
LOOK_AGAIN_MS = 700
"""Fills and positions come on two streams, and the one may be some moments ahead of the other."""

BOOKS: dict[str, Proof] = {
    "fills": proofs_books.fills,
    "filled orders": proofs_books.filled,
    "ledger entries": proofs_books.entries,
    "cash": proofs_books.cash,
}
RUNS = (
    "SELECT run_id FROM run_trades UNION SELECT run_id FROM run_equity UNION "
    "SELECT run_id FROM run_prices EXCEPT SELECT run_id FROM runs"
)
Told = Callable[[str], None]


class Examined(msgspec.Struct, frozen=True):
    """A place with shards, whose world it is, and where its backups are."""

    place: Path
    world: str
    backups: Path
    quick: bool = False
    alive: bool = False  # its writer runs


def shard_checks(shard: str, at: Examined, clock: Clock, told: Told) -> Iterator[Check]:
    """Check a shard; `told` hears what is looked at."""
    if shard == "market":
        yield from market_checks(at.place, at.world, quick=at.quick, told=told)
        yield from import_checks(at.place, at.world)
        return
    file = Looked(KINDS[shard], at.place / "db" / f"{shard}.db", at.world, at.quick)
    told(shard)
    opened = identity(file)
    yield opened
    if not opened.ok:
        return
    yield from file_checks(file)
    if shard == "trading":
        yield from _trading(file, at, clock)
    if shard == "backtest":
        yield check(shard, "runs", proven(file, _runs))


def _trading(file: Looked, at: Examined, clock: Clock) -> Iterator[Check]:
    name = file.path.stem
    for what, proof in BOOKS.items():
        yield check(name, what, proven(file, _of_today(file, proof)))
    looks = LOOKS_MAX if at.alive else 1
    look = proven(file, _of_today(file, proofs_books.positions))
    yield check(name, "positions", lambda: _patient(look, looks, clock))
    yield check(name, "audit chain", proven(file, proofs_audit.chain))
    kept = _last_backup(at.backups)
    if kept is not None:
        whose = f"the backup {kept.name.text}"
        yield check(
            name,
            "end of the audit",
            proven(file, lambda db: proofs_audit.holds(db, kept.audit_head, whose)),
        )


def _of_today(file: Looked, proof: Proof) -> Proof:
    """Return a proof that passes over the tables of an older release, which lack what it asks."""

    def look(db: Connection) -> Found:
        behind = older(file.kind, file.path, db, FILE)
        if behind is not None:
            return True, f"not looked at: {behind.hint}"
        return proof(db)

    return look


def _patient(look: Callable[[], Found], looks: int, clock: Clock) -> Found:
    for _ in range(looks - 1):
        found = look()
        if found[0]:
            return found
        clock.pause_ms(LOOK_AGAIN_MS)
    return look()


def _last_backup(backups: Path) -> Manifest | None:
    place = Place(backups)
    newest = place.newest("trading")
    return None if newest is None else read_manifest(place.manifest(*newest))


def _runs(db: Connection) -> Found:
    lost = [str(run) for (run,) in db.execute(RUNS)]
    return (False, f"rows without their run: {', '.join(lost)}") if lost else (True, "all named")
