"""What a place of history holds already: bars of a stretch, and which chunks were applied."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import apsw
import numpy as np

from bus.bars import BarReader, open_bars
from bus.clock import Clock
from bus.columns import NUMBERS, Bars
from bus.shard import Connection, failure
from schema.setting_types import TIMEFRAMES_NS
from services.writer.archive_files import archive_path, live_path
from services.writer.history_chunks import Chunk

READ_LIMIT_MS = 600_000
RECORDED = "SELECT 1 FROM import_file WHERE sha256 = ?"
FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


class There:
    """Reads a place, which may have nothing yet; `with` closes it."""

    def __init__(self, place: Path, clock: Clock) -> None:
        self._place = place
        self._clock = clock
        self._reader: BarReader | None = None
        self._archives: dict[Path, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; the next question opens them again."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        while self._archives:
            self._archives.popitem()[1].close()

    def beside(self, month: int, part: Chunk) -> Bars:
        """Return the bars that are there of the stretch that a part of one month covers."""
        if not any(one(self._place, month).exists() for one in (live_path, archive_path)):
            empty = np.zeros(0, np.int64)
            return Bars(part.exponents, empty, dict.fromkeys(NUMBERS, empty))
        tf_ns = TIMEFRAMES_NS[part.timeframe]
        first_ns, last_ns = (int(part.columns[0, at]) * tf_ns for at in (0, -1))
        return self.reader().between(part.symbol, part.timeframe, first_ns, last_ns + 1)

    def reader(self) -> BarReader:
        """Return who reads all of the place; ShardError where there is nothing."""
        if self._reader is None:
            self._reader = open_bars(self._place / "db", self._clock, READ_LIMIT_MS)
        return self._reader

    def is_recorded(self, month: int, name: str, live: Callable[[int], Connection]) -> bool:
        """Return whether a chunk was applied to a month; `live` is asked for a file of rows."""
        found: list[Any] = []
        if live_path(self._place, month).exists():
            found = live(month).execute(RECORDED, (name,)).fetchall()
        path = archive_path(self._place, month)
        if not found and path.exists():
            try:
                found = self._archive(path).execute(RECORDED, (name,)).fetchall()
            except apsw.Error as error:
                raise failure(path, error) from error
        return bool(found)

    def _archive(self, path: Path) -> Connection:
        if path not in self._archives:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            self._archives[path] = Connection(uri, flags=FLAGS)
        return self._archives[path]
