"""Sees to it that closed months become archives and then leave: what is due, and what failed."""

from collections.abc import Sequence
from contextlib import suppress

from bus.clock import Clock
from bus.errors import HouseError, ShardError
from bus.migrations import refused
from bus.month_names import month_text
from schema.settings import WriterSettings
from schema.units import MINUTE_NS
from services.writer import retiring
from services.writer.archive_files import archive_path, live_path, read_manifest
from services.writer.jobs import Finished, Job
from services.writer.late import last_edit
from services.writer.months import Months

NS_PER_MS = 1_000_000
PAUSE_NS = MINUTE_NS
PAUSE_MAX_NS = 360 * MINUTE_NS
"""After each failure in a row the next attempt waits twice as long, up to this."""

TRASH_NS = 60 * MINUTE_NS
JOB = "archive"
MONTH_HINT = "Name a month as yyyymm or yyyy-mm"


class Archivist:
    """What the writer of the market does for its closed months; `due` is a Duty of its jobs."""

    def __init__(self, months: Months, clock: Clock, settings: WriterSettings) -> None:
        self.trouble = ""
        self.retire_failures = 0
        self._months = months
        self._clock = clock
        self._grace_ns = settings.archive_grace_ms * NS_PER_MS
        self._trash_days = settings.trash_days
        self._in_a_row = 0
        self._not_before_ns = clock.mono_ns()
        self._trash_ns = clock.mono_ns()

    def due(self) -> Job | None:
        """Return the job of the oldest closed month that its archive lacks, if it is time."""
        now_ns = self._clock.mono_ns()
        if now_ns >= self._trash_ns:
            self._trash_ns = now_ns + TRASH_NS
            self._clear_trash()
        if now_ns < self._not_before_ns:
            return None
        closed = self._months.closed(self._clock.market_ns(), self._grace_ns)
        return self._first(closed)

    def finished(self, done: Finished) -> None:
        """Retire the month that was archived, or wait with the next attempt."""
        if done.job.name != JOB:
            return
        if not done.ok:
            self._failed(done.text)
            return
        self._leave(int(done.job.args["month"]))

    def retire(self, args: Sequence[str]) -> str:
        """Let a month go that is archived already, as a command asks; return what was done."""
        digits = "".join(args).replace("-", "")
        if len(args) != 1 or len(digits) != 6 or not digits.isdecimal():
            raise refused(f"{' '.join(args) or 'nothing'} is no month", MONTH_HINT, 2)
        return self._retire(int(digits))

    def _first(self, closed: Sequence[int]) -> Job | None:
        for month in closed:
            if not self._is_archived(month):
                return Job(JOB, {"place": str(self._months.place), "month": str(month)})
            self._leave(month)  # Whoever archived it did not come to this.
            if self._in_a_row:
                return None
        return None

    def _is_archived(self, month: int) -> bool:
        # Only what looks whole from afar is let go at once; all else is built anew, and told of.
        with suppress(ShardError):
            manifest = read_manifest(self._months.place, month)
            if manifest is None or not archive_path(self._months.place, month).exists():
                return False
            return manifest.edits == last_edit(self._months.get(month).shard.db)
        return False

    def _leave(self, month: int) -> None:
        try:
            self._retire(month)
        except HouseError as error:
            self.retire_failures += 1
            self._failed(str(error))
        else:
            self._in_a_row, self.trouble = 0, ""

    def _retire(self, month: int) -> str:
        place = self._months.place
        if month == self._months.newest:
            what = f"{month_text(month)} is the newest month, and holds the positions"
            raise refused(what, "It is archived once it is over", 1)
        if not live_path(place, month).exists():
            return retiring.already_retired(place, month)
        retiring.proven(place, month)  # Before the file is opened for nothing.
        return retiring.retire(place, month, self._months.release(month), self._clock)

    def _failed(self, why: str) -> None:
        pause_ns = min(PAUSE_MAX_NS, PAUSE_NS << min(self._in_a_row, 20))
        self._in_a_row += 1
        self._not_before_ns = self._clock.mono_ns() + pause_ns
        self.trouble = f"a closed month is not archived, its rows stay: {why}"

    def _clear_trash(self) -> None:
        with suppress(OSError):  # It is looked at again.
            retiring.clear_trash(self._months.place, self._trash_days, self._clock.wall_ns())
