"""Rebuilds the history of an exchange from the chunks of its imports, and compares both."""

from pathlib import Path

from bus.clock import Clock
from bus.history import history_world
from bus.rows import shard_files
from services.writer.backup_proof import require_room
from services.writer.history import rebuilt
from services.writer.history_chunks import in_order
from services.writer.rebuild import Tell
from services.writer.rebuild_compare import Compared
from services.writer.rebuild_copy import MARKET, bring_up, copy_shard
from services.writer.rebuild_months import Places, compare_months
from services.writer.rebuild_run import Rebuilt, Source, take

IMPORTS = "the imports"


def rebuild_history(place: Path, scratch: Path, clock: Clock, tell: Tell) -> Rebuilt:
    """Take all chunks in again, in their order, and compare the months with those there are."""
    live, made = scratch / "live", scratch / "made"
    for folder in (live, live / "db", made):
        folder.mkdir(mode=0o700)
    world = history_world(place.name)
    size = sum(path.stat().st_size for path in shard_files(place / "db", MARKET))
    require_room(scratch, 2 * size, 0)
    copy_shard("market", place / "db", live / "db")
    bring_up("market", live / "db", world)
    chunks = len(list(in_order(place / "imports")))
    parts = 0
    for parts, _ in enumerate(rebuilt(place, made, place.name, clock), start=1):
        tell(0.8 * min(1.0, parts / max(1, chunks)))
    found = Compared()
    compare_months(Places(live, place, made, scratch), found, lambda _rows: None, whole=True)
    tell(1.0)
    streams = [Source("files", 0, chunks, "", chunks)]
    done = Rebuilt(shard=world, begun=IMPORTS, streams=streams)
    take(found, done)
    return done
