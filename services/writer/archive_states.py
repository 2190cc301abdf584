"""What is there of each month of a place, and what is still to do with it; it only reads."""

from contextlib import closing
from pathlib import Path
from typing import Any

from bus.clock import SystemClock
from bus.disk import file_bytes
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.month_names import end_of_month_ns, month_text
from bus.reading import Deadline, open_file
from services.writer.archive_files import (
    Manifest,
    archive_path,
    archived_months,
    live_months,
    live_path,
    read_manifest,
)
from services.writer.late import last_edit

READ_MS = 5000


def states(place: Path, market_ns: int, grace_ns: int) -> list[dict[str, Any]]:
    """Return one row for each month, oldest first.

    `state` is "open" for the newest, which is written to; "waits" for late rows; "due" for its
    first archive; "changed" when rows came since; "leaves" when all is archived; or "archived".
    """
    live, archived = live_months(place), archived_months(place)
    found = []
    for month in sorted({*live, *archived}):
        over = month < max(live, default=0)
        waits = over and market_ns < end_of_month_ns(month) + grace_ns
        found.append(_row(place, month, "open" if not over else "waits" if waits else ""))
    return found


def _row(place: Path, month: int, state: str) -> dict[str, Any]:
    manifest, problem = _manifest(place, month)
    live = live_path(place, month)
    if not live.exists():
        state = "archived"
    elif not state:
        state = _to_do(live, manifest)
    size = file_bytes(archive_path(place, month))
    rows = manifest.rows if manifest is not None else 0
    return {
        "month": month_text(month),
        "state": state,
        "rows": rows,
        "bars": sum(one.rows for one in manifest.bars) if manifest is not None else 0,
        "ticks": sum(one.rows for one in manifest.ticks) if manifest is not None else 0,
        "live_bytes": file_bytes(live),
        "archive_bytes": size,
        "bytes_per_row": size / rows if rows else None,
        "rev": manifest.rev if manifest is not None else 0,
        "sha256": manifest.sha256 if manifest is not None else "",
        "problem": problem,
    }


def _manifest(place: Path, month: int) -> tuple[Manifest | None, str]:
    try:
        manifest = read_manifest(place, month)
    except ShardError as error:
        return None, str(error)
    there = archive_path(place, month).exists()
    if there != (manifest is not None):
        return manifest, "its manifest is missing" if there else "its archive is missing"
    return manifest, ""


def _to_do(live: Path, manifest: Manifest | None) -> str:
    if manifest is None:
        return "due"
    try:
        db = open_file(KINDS["market"], live, Deadline(SystemClock(), READ_MS))
    except FileNotFoundError:
        return "archived"  # It left just now.
    if db is None:
        return "changed"
    with closing(db):
        return "leaves" if last_edit(db) == manifest.edits else "changed"
