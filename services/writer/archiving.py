"""Turns a closed month into an archive, in a child process or in rrr's: it only reads the month.

The archive is written beside its name, proven from the file, synced, and only then takes its name;
until it has, and the writer has retired the month, readers find each row in the live file. A killed
run leaves a draft, which the next one clears away.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from bus.clock import Clock, SystemClock
from bus.disk import make_directory, sync_directory, sync_path, write_synced
from bus.errors import BusyError, ShardError
from bus.lease import Lease
from bus.migrations import refused
from bus.month_names import archive_dir, month_text
from services.writer.archive_build import Sources, build
from services.writer.archive_files import (
    DRAFT,
    LATER_CODE,
    LEASE,
    LOST_HINT,
    ROOM_HINT,
    Contents,
    Manifest,
    archive_path,
    live_path,
    manifest_path,
    read_manifest,
    sha256_of,
)
from services.writer.archive_proof import contents_of, prove

READ_ONLY = 0o444
BUSY_HINT = "Wait for it: `rrr db archive` shows the months"

Progress = Callable[[float], None]


def run(args: Mapping[str, str], progress: Progress) -> str:
    """Archive the month that the writer names; return what was done."""
    manifest = archive_month(Path(args["place"]), int(args["month"]), SystemClock(), progress)
    return (
        f"{month_text(manifest.month)} is archived as revision {manifest.rev}: "
        f"{manifest.rows} rows in {manifest.bytes} bytes"
    )


def archive_month(
    place: Path, month: int, clock: Clock, progress: Progress = lambda _share: None
) -> Manifest:
    """Archive a month of a place that has a live file, and return the manifest.

    BusyError while another process builds there; ShardError says what failed, and the rows stay.
    """
    make_directory(archive_dir(place))
    lease = Lease(archive_dir(place) / LEASE)
    try:
        taken = lease.take()
    except OSError as error:
        raise _unwritten(lease.path, error) from error
    if not taken:
        what = f"{lease.whose()} builds an archive in {archive_dir(place)}"
        raise BusyError(what, BUSY_HINT)
    try:
        for _ in archive_steps(place, month, clock, progress):
            pass
    finally:
        lease.release()
    manifest = read_manifest(place, month)
    assert manifest is not None
    return manifest


def archive_steps(place: Path, month: int, clock: Clock, progress: Progress) -> Iterator[str]:
    """Do it step by step, and name each that is done; whoever stops asking dies there."""
    path = archive_path(place, month)
    draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT}")
    try:
        make_directory(archive_dir(place))
        _clear(archive_dir(place))
        yield "cleared"
        share = _Share(progress)
        contents = _built(place, month, draft, clock, share)
        yield "built"
        prove(draft, contents, live_path(place, month), share.told)
        yield "proven"
        manifest = _manifest(draft, contents)
        draft.chmod(READ_ONLY)
        yield "sealed"
        sync_path(draft)
        yield "synced"
        draft.replace(path)
        yield "placed"
        sync_directory(path.parent)
        yield "kept"
        yield from _write_manifest(place, manifest)
    except OSError as error:
        raise _unwritten(path, error) from error


class _Share:
    """How much of the work is done: each row is read, and read again from the archive."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0
        self.total = 1

    def told(self, rows: int) -> None:
        """Count rows, and tell."""
        self._done += rows
        self._progress(min(1.0, self._done / self.total))


def _built(place: Path, month: int, draft: Path, clock: Clock, share: _Share) -> Contents:
    live, path = live_path(place, month), archive_path(place, month)
    if not live.exists():
        what = f"{month_text(month)} has no file in {live.parent}"
        raise refused(what, "`rrr db archive` shows the months", 1)
    before = _proven_before(place, month, share)
    sources = Sources(draft, live, path if before is not None else None)
    share.total = max(1, sources.count() * 2)
    rev = 1 if before is None else before.rev + 1
    return build(sources, month, rev, clock.wall_ns(), share.told)


def _proven_before(place: Path, month: int, share: _Share) -> Contents | None:
    # What is carried over into the next revision is proven first, manifest or not.
    path = archive_path(place, month)
    if not path.exists():
        if manifest_path(place, month).exists():
            what = f"{path} is gone, its manifest is there: what it held cannot be carried over"
            raise ShardError(what, LOST_HINT.format(manifest_path(place, month)))
        return None
    before = contents_of(path)
    prove(path, before, None, lambda _rows: share.told(0))
    return before


def _manifest(draft: Path, contents: Contents) -> Manifest:
    fields = {name: getattr(contents, name) for name in Contents.__struct_fields__}
    return Manifest(**fields, sha256=sha256_of(draft), bytes=draft.stat().st_size)


def _write_manifest(place: Path, manifest: Manifest) -> Iterator[str]:
    path = manifest_path(place, manifest.month)
    draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT}")
    write_synced(draft, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    yield "described"
    draft.replace(path)
    yield "named"
    sync_directory(path.parent)


def _clear(directory: Path) -> None:
    for path in directory.glob(f"*{DRAFT}*"):
        path.unlink(missing_ok=True)


def _unwritten(path: Path, error: OSError) -> ShardError:
    return refused(f"{path} cannot be written: {error}", ROOM_HINT, LATER_CODE)
