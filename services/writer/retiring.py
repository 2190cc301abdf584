"""Lets go of a month that its archive holds: the live file goes to the trash, and in time for good.

For whoever holds the lease of the shard. A row is in the live file until its archive is proven and
named, and a month that was written to since stays. Each step leaves every row in one place or in
both, and what lies in both is read from the live file.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bus.clock import Clock
from bus.disk import make_directory, sync_directory
from bus.errors import HouseError
from bus.migrations import KINDS, refused
from bus.month_names import PREFIX, month_named, month_text
from bus.shard import Shard, open_writer
from schema.units import DAY_NS
from services.writer.archive_files import (
    AGAIN_HINT,
    LATER_CODE,
    Manifest,
    live_path,
    read_manifest,
    require_unchanged,
    trash_dir,
)
from services.writer.late import last_edit

BESIDE = ("-wal", "-shm")
READER_HINT = "End long queries: it is tried again by itself"


def retire_month(place: Path, month: int, world: str, clock: Clock) -> str:
    """Move a month, of which nothing is open, to the trash; return what was done, for people.

    ShardError says why it stays: no archive, another one than was proven, or rows that it lacks.
    """
    if not live_path(place, month).exists():
        return already_retired(place, month)
    shard = open_writer(KINDS["market"], live_path(place, month), world)
    return retire(place, month, shard, clock)


def retire(place: Path, month: int, shard: Shard, clock: Clock) -> str:
    """Move an open month to the trash; it is closed then, whether that went well or not."""
    try:
        for _ in retire_steps(place, month, shard, clock):
            pass
    finally:
        shard.close()
    return f"{month_text(month)} is read from its archive now"


def retire_steps(place: Path, month: int, shard: Shard, clock: Clock) -> Iterator[str]:
    """Do it step by step, and name each that is done; whoever stops asking dies there."""
    manifest = proven(place, month)
    if manifest.edits != last_edit(shard.db):
        what = f"{month_text(month)} was written to since it was archived"
        raise refused(what, AGAIN_HINT, LATER_CODE)
    require_unchanged(place, manifest)
    yield "checked"
    if not shard.checkpoint(truncate=True):
        what = f"a reader holds {shard.path} back"
        raise refused(what, READER_HINT, LATER_CODE)
    yield "emptied"
    shard.close()
    yield "closed"
    try:
        yield from _moved(place, month, manifest, clock)
    except OSError as error:
        what = f"{month_text(month)} cannot be moved to the trash: {error}"
        raise refused(what, AGAIN_HINT, LATER_CODE) from error


def already_retired(place: Path, month: int) -> str:
    """Return that there is nothing to do; ShardError for a month that never was."""
    if read_manifest(place, month) is None:
        raise refused(f"there is no month {month_text(month)}", "`rrr db archive` shows them", 1)
    return f"{month_text(month)} is read from its archive already"


def proven(place: Path, month: int) -> Manifest:
    """Return the manifest of a month's archive; ShardError when there is none."""
    manifest = read_manifest(place, month)
    if manifest is None:
        raise refused(f"{month_text(month)} has no archive", AGAIN_HINT, 1)
    return manifest


def clear_trash(place: Path, days: int, wall_ns: int) -> int:
    """Delete what was retired longer ago, while its archive is there; return how many files."""
    deleted = 0
    with suppress(FileNotFoundError):
        for path in sorted(trash_dir(place).glob(f"{PREFIX}*.db*")):
            old = wall_ns - path.stat().st_mtime_ns > days * DAY_NS
            if old and _is_archived(place, path):
                path.unlink(missing_ok=True)
                deleted += 1
    return deleted


def _moved(place: Path, month: int, manifest: Manifest, clock: Clock) -> Iterator[str]:
    live, trash = live_path(place, month), trash_dir(place)
    make_directory(trash)
    os.utime(live, ns=(clock.wall_ns(), clock.wall_ns()))  # From now on its days are counted.
    yield "dated"
    target = trash / f"{live.stem}.r{manifest.rev}.db"
    live.replace(target)
    yield "moved"
    for end in BESIDE:  # Who still reads it goes on with them; a new file begins with its own.
        with suppress(FileNotFoundError):
            Path(f"{live}{end}").replace(f"{target}{end}")
    yield "cleared"
    sync_directory(trash)
    sync_directory(live.parent)


def _is_archived(place: Path, trashed: Path) -> bool:
    month = month_named(f"{trashed.name.partition('.')[0]}.db")
    try:
        manifest = read_manifest(place, month)
        if manifest is not None:
            require_unchanged(place, manifest)
    except HouseError:
        return False
    return manifest is not None
