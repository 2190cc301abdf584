"""The files of a market that a reader looks into: months, archives and history, opened when asked.

A place is a directory with `db/`, and maybe `archive/market/`. Writers make, replace and retire
files meanwhile: whoever reads looks at the directories anew, and never loses a month between two.
"""

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.month_names import ARCHIVED, archive_dir, month_named
from bus.reading import Deadline, open_file
from bus.shard import Connection

KIND = KINDS["market"]
OPEN_MAX = 96
SETTLED_NS = 100_000_000
"""A directory that changed so lately may change again without a new time of its change."""

SERIES_SQL = "SELECT symbol, timeframe, id, tf_s, px_exp, qty_exp, quote_exp FROM series"
TABLES_SQL = "SELECT name FROM sqlite_schema WHERE type = 'table'"

Name = tuple[str, str]
"""Symbol and timeframe of a series."""


class Series(msgspec.Struct, frozen=True):
    """A series as one file has it."""

    symbol: str
    timeframe: str
    number: int
    tf_s: int
    px_exp: int
    qty_exp: int
    quote_exp: int

    @property
    def exponents(self) -> tuple[int, int, int]:
        return self.px_exp, self.qty_exp, self.quote_exp


class File(msgspec.Struct, frozen=True):
    """One file of a month, as a directory showed it."""

    month: int  # yyyymm
    path: Path
    inode: int
    archived: bool
    own: bool  # of the world itself, not of its history


class OpenFile:
    """A file that is open: its connection and its series."""

    def __init__(self, file: File, db: Connection) -> None:
        self.file = file
        self.archived = file.archived
        self.db = db
        self.point = db.cursor()
        self.chunk: tuple[int, Any] = (-1, None)
        self.names: dict[Name, Series] = {}
        self.tables = frozenset(str(name) for (name,) in db.execute(TABLES_SQL).fetchall())
        self.marked = "tick_mark" in self.tables  # A month that an older code left has no marks.
        self._read_series()

    def series(self, symbol: str, timeframe: str) -> Series | None:
        """Return a series; a writer may have made it since."""
        found = self.names.get((symbol, timeframe))
        if found is None and not self.archived:
            self._read_series()
            found = self.names.get((symbol, timeframe))
        return found

    def all_series(self) -> list[Series]:
        """Return the series, as they are now."""
        if not self.archived:
            self._read_series()
        return list(self.names.values())

    def is_there(self) -> bool:
        """Return whether the file still has its name."""
        try:
            return self.file.path.stat().st_ino == self.file.inode
        except OSError:
            return False

    def _read_series(self) -> None:
        found: list[Any] = self.db.execute(SERIES_SQL).fetchall()
        self.names = {(row[0], row[1]): Series(*row) for row in found}


class MarketFiles:
    """The months in some directories of shards; what stands in an earlier one wins."""

    def __init__(self, db_dirs: Sequence[Path], clock: Clock, allowed: Deadline) -> None:
        self.db_dir = db_dirs[0]
        self._directories = [
            (directory, db_dir == self.db_dir)
            for db_dir in db_dirs
            for directory in (db_dir, archive_dir(db_dir.parent))
        ]  # Each db first: a month that has left it by then stands in the archive already.
        self._clock = clock
        self._allowed = allowed
        self._seen: list[int] = []
        self._settled = False
        self._open: OrderedDict[Path, OpenFile | None] = OrderedDict()
        self.by_month: dict[int, list[File]] = {}
        self.months: list[int] = []
        self.look()

    def look(self) -> None:
        """See which files are there now; costs little while nothing has changed."""
        seen = [_changed_ns(directory) for directory, _ in self._directories]
        if self._settled and seen == self._seen:
            return
        newest_ns = max(seen)
        self._settled = self._clock.wall_ns() - newest_ns > SETTLED_NS
        self._seen = seen
        self._list()

    def forget(self) -> None:
        """Look at the directories anew, whatever their times say."""
        self._settled = False
        self.look()

    def opened(self, month: int, *, own: bool = False) -> list[OpenFile]:
        """Return the open files of a month, those that win first; one being made is passed over."""
        files = [file for file in self.by_month.get(month, ()) if file.own or not own]
        return [found for file in files if (found := self._get(file)) is not None]

    def close(self) -> None:
        """Let go of all files."""
        while self._open:
            self._drop(next(iter(self._open)))

    def _list(self) -> None:
        found: dict[int, list[File]] = {}
        for directory, own in self._directories:
            for file in _files(directory, own=own):
                found.setdefault(file.month, []).append(file)
        self.by_month = found
        self.months = sorted(found)
        known = {file.path: file.inode for files in found.values() for file in files}
        for path, opened in list(self._open.items()):
            if opened is None or known.get(path) != opened.file.inode:
                self._drop(path)

    def _get(self, file: File) -> OpenFile | None:
        if file.path in self._open:
            self._open.move_to_end(file.path)
            return self._open[file.path]
        while len(self._open) >= OPEN_MAX:
            self._drop(next(iter(self._open)))
        db = open_file(KIND, file.path, self._allowed, sealed=file.archived)
        if db is None:
            self._settled = False  # It is being made: nothing but a look tells when it is whole.
            return None
        with contextlib.ExitStack() as failed:
            failed.callback(db.close)
            found = OpenFile(file, db)
            failed.pop_all()
        self._open[file.path] = found
        return found

    def _drop(self, path: Path) -> None:
        opened = self._open.pop(path)
        if opened is not None:
            opened.db.close()


def market_dirs(db_dir: Path, history: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Return where the shards of a market and of the places behind it lie, those that win first."""
    return (db_dir, *(place / "db" for place in history))


def _changed_ns(directory: Path) -> int:
    try:
        return os.stat(directory).st_mtime_ns  # noqa: PTH116 - fast, before each query
    except OSError:
        return -1


def _files(directory: Path, *, own: bool) -> Iterator[File]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                month = month_named(entry.name)
                if month:
                    archived = entry.name.endswith(ARCHIVED)
                    yield File(month, Path(entry.path), entry.inode(), archived, own)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ShardError(
            f"{directory} cannot be listed: {error.strerror}",
            "Give this user read access to it, and move away what is there if it is no directory",
        ) from error
