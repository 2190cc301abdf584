"""Compares the months of two folds of the market, whether they lie as rows or as archives."""

from pathlib import Path

from bus.migrations import KINDS
from bus.rows import shard_files
from services.writer.archive_files import archive_path, archived_months, live_months, live_path
from services.writer.content import Progress
from services.writer.rebuild_compare import (
    Compared,
    Difference,
    compare_files,
    compare_letters,
    compare_part,
)
from services.writer.rebuild_copy import plain_month

MARKET = KINDS["market"]
Form = tuple[Path | None, Path | None]
"""The file of a month with rows, and its archive, as far as they are there."""


class Places:
    """The copy of the live files, the world that has their archives, and what was folded."""

    def __init__(self, copied: Path, world_dir: Path, made: Path, scratch: Path) -> None:
        self.copied = copied
        self.world_dir = world_dir
        self.made = made
        self._scratch = [scratch / "live-rows", scratch / "made-rows"]
        for folder in self._scratch:
            folder.mkdir(mode=0o700, exist_ok=True)

    def months(self, *, whole: bool) -> list[int]:
        """Return the months to compare; of a part those that were folded."""
        found = {*live_months(self.made), *archived_months(self.made)}
        if whole:
            found |= {*live_months(self.copied), *archived_months(self.world_dir)}
        return sorted(found)

    def compare(self, month: int, into: Compared, progress: Progress, *, whole: bool) -> None:
        """Compare one month."""
        ours = _there(live_path(self.copied, month), archive_path(self.world_dir, month))
        theirs = _there(live_path(self.made, month), archive_path(self.made, month))
        if not any(ours) or not any(theirs):
            stem = live_path(self.made, month).stem
            there, gone = int(any(ours)), int(any(theirs))
            into.differences.append(
                Difference(file=stem, table="the whole month", live_rows=there, fold_rows=gone)
            )
            return
        rows_alone = ours[1] is not None or theirs[1] is not None
        first, second = self._scratch
        with plain_month(*ours, first) as one, plain_month(*theirs, second) as other:
            if whole:
                compare_files(MARKET, one, other, into, progress, rows_alone=rows_alone)
            else:
                compare_part(MARKET, one, other, into, progress)


def compare_months(places: Places, into: Compared, progress: Progress, *, whole: bool) -> None:
    """Compare all months; of a part of the streams what was folded must be in the live ones."""
    for month in places.months(whole=whole):
        places.compare(month, into, progress, whole=whole)
    if whole:
        live, fold = (shard_files(place / "db", MARKET) for place in (places.copied, places.made))
        compare_letters(live, fold, into)


def _there(live: Path, archive: Path) -> Form:
    return (live if live.exists() else None), (archive if archive.exists() else None)
