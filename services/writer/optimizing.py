"""Makes a shard as small and as quick as its rows allow, while others read it.

A copy without holes is made beside it and compared; then the shard takes the copy's pages over in
one transaction. To put the copy in its place by a rename would be quicker, and wrong: who waits for
a lock on the old file would lay the new file's write-ahead log over the old one's pages.
"""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

import apsw
import msgspec

from bus import checksums
from bus.disk import free_bytes
from bus.migrations import refused
from bus.shard import Connection, Shard, clear_draft, draft_of
from bus.shard_open import FULL_HINT, LATER_CODE
from services.writer.soundness import broken_pages

RUNNING_MAX_BYTES = 512 << 20
"""A step of more would keep a running writer from its heartbeat for too long."""

COPIES = 2  # The copy, and its pages in the write-ahead log.
WRONG_HINT = "The shard stays as it was; `rrr db verify` shows what is wrong with it"
STOP_HINT = "Stop its writer with supervisorctl, run this again, and start it"


class Optimized(msgspec.Struct):
    """What became of one file."""

    file: str
    before_bytes: int
    after_bytes: int


def optimize(shards: Iterable[Shard], most_bytes: int) -> Generator[str, None, list[Optimized]]:
    """Make shards small, step by step; ShardError says why one, and all after it, stayed."""
    done = []
    for shard in list(shards):
        done.append((yield from _optimized(shard, most_bytes)))  # noqa: PERF401 - no yield in one
    return done


def _optimized(shard: Shard, most_bytes: int) -> Generator[str, None, Optimized]:
    path = shard.path
    before_bytes = path.stat().st_size
    _require_room(path, before_bytes, most_bytes)
    try:
        yield from steps(shard)
    except apsw.Error as error:
        raise shard.failed(error) from error
    finally:
        clear_draft(path)
    return Optimized(path.name, before_bytes, path.stat().st_size)


def steps(shard: Shard) -> Generator[str, None, None]:
    """Do it step by step; whoever dies between two leaves the shard whole, as it was or small."""
    draft = draft_of(shard.path)
    clear_draft(shard.path)
    shard.db.execute("PRAGMA optimize=0x10002")
    yield "analysed"
    _copy(shard.path, draft)
    yield "copied"
    with contextlib.closing(_read_only(draft)) as copy:
        _require_sound(shard, copy)
        yield "checked"
        _require_same(shard, copy)
        yield "compared"
        with shard.db.backup("main", copy, "main") as backup:
            backup.step(1)
            yield "begun"
            backup.step(-1)
            yield "taken over"
    yield "committed"
    shard.checkpoint(truncate=True)
    yield "folded"
    clear_draft(shard.path)
    shard.grow_wal()


def _require_room(path: Path, size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        what = f"{path.name} has {size_bytes >> 20} MiB, more than the {most_bytes >> 20} MiB"
        raise refused(f"{what} that a running writer has the time for", STOP_HINT, 1)
    needed = COPIES * size_bytes
    if free_bytes(path.parent) < needed:
        what = f"{path.name} needs {needed >> 20} MiB of free space beside it to be made small"
        raise refused(what, FULL_HINT, LATER_CODE)


def _copy(path: Path, draft: Path) -> None:
    # By a connection of its own that leaves the checksums alone: the shard computes them anew.
    with contextlib.closing(_read_only(path)) as plain:
        checksums.reserve(plain)
        plain.execute("VACUUM INTO ?", (str(draft),))


def _read_only(path: Path) -> Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return Connection(f"{path.absolute().as_uri()}?mode=ro", flags=flags, vfs="unix")


def _require_sound(shard: Shard, copy: Connection) -> None:
    _refuse(shard, broken_pages(copy))


def _require_same(shard: Shard, copy: Connection) -> None:
    problems = [
        f"{name} is {copy.pragma(name)}"
        for name in ("user_version", "application_id", "page_size")
        if copy.pragma(name) != shard.db.pragma(name)
    ]
    if not checksums.kept_in(copy):
        problems.append("no page has room for a checksum")
    problems += [] if _tables(copy) == _tables(shard.db) else ["its tables hold other rows"]
    _refuse(shard, problems)


def _refuse(shard: Shard, problems: Sequence[str]) -> None:
    if problems:
        what = f"the copy of {shard.path.name} is not what it should be: {'; '.join(problems)}"
        raise refused(what, WRONG_HINT, 1)


def _tables(db: Connection) -> list[tuple[str, str, int]]:
    tables = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [(str(name), str(sql), _count(db, str(name))) for name, sql in tables.fetchall()]


def _count(db: Connection, table: str) -> int:
    ((rows,),) = db.execute(f'SELECT count(*) FROM "{table}"').fetchall()  # noqa: S608 - our own
    assert isinstance(rows, int)
    return rows


def told(done: Sequence[Optimized], args: Sequence[str]) -> str:
    """Return what was done, for people or, asked for `json`, for programs."""
    if tuple(args) == ("json",):
        return msgspec.json.encode(done).decode()
    return "\n".join(
        f"{one.file}: {one.before_bytes} bytes before, {one.after_bytes} after" for one in done
    )


def at_once(steps_left: Generator[str, None, list[Optimized]]) -> list[Optimized]:
    """Do all that is left without a pause."""
    while True:
        try:
            next(steps_left)
        except StopIteration as end:
            found: list[Optimized] = end.value
            return found
