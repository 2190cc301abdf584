"""Months as files: the newest holds the positions, and at most three are open.

No transaction spans two files. What reaches an older month is on the disk before the newest moves
its positions past it; a new month takes the positions over in the transaction that makes it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bus.migrations import KINDS
from bus.month_names import end_of_month_ns, month_name, month_named
from bus.rows import shard_files
from bus.shard import Shard, is_made, open_writer
from schema.streams import BY_NUMBER
from services.writer.archive_files import archive_path, live_months
from services.writer.late import adopt_series, series_of
from services.writer.market import Exponents, Series, series_seconds
from services.writer.store import load_positions

OPEN_MAX = 3
KIND = KINDS["market"]


class Month:
    """One open month: its shard and the series in it."""

    def __init__(self, number: int, shard: Shard) -> None:
        self.number = number
        self.shard = shard
        self._series: dict[tuple[str, str], Series] = {}
        self.forget()

    def series(self, name: tuple[str, str], exponents: Exponents) -> Series:
        """Return a series, or make it within the caller's transaction."""
        found = self._series.get(name)
        if found is None:
            number = max((series.number for series in self._series.values()), default=0) + 1
            symbol, timeframe = name
            self.shard.db.execute(
                "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, symbol, timeframe, series_seconds(timeframe), *exponents),
            )
            found = self._series[name] = Series(number, exponents)
        return found

    @property
    def named(self) -> Mapping[tuple[str, str], Series]:
        """All series, by symbol and timeframe."""
        return self._series

    def forget(self) -> None:
        """Read the series again: a transaction that made some may not have been committed."""
        with self.shard.reading() as db:
            rows: list[Any] = db.execute(
                "SELECT symbol, timeframe, id, px_exp, qty_exp, quote_exp FROM series"
            ).fetchall()
        self._series = {
            (symbol, timeframe): Series(number, (px_exp, qty_exp, quote_exp))
            for symbol, timeframe, number, px_exp, qty_exp, quote_exp in rows
        }


class Months:
    """The files of the market shard, as their one writer has them."""

    def __init__(self, directory: Path, world: str) -> None:
        self._directory = directory
        self.place = directory.parent
        self._world = world
        self._open: OrderedDict[int, Month] = OrderedDict()
        self.newest = self._find_newest()
        if self.newest:
            self.get(self.newest)

    def get(self, number: int) -> Month:
        """Return a month, opened or made; closes the least used one beyond three."""
        month = self._open.get(number)
        if month is None:
            self._make_room()
            month = self._open[number] = self._opened(number, {})
            if number < self.newest:
                month.shard.harden()
        self._open.move_to_end(number)
        return month

    def positions(self) -> dict[int, int]:
        """Return the positions, which stand in the newest month."""
        if not self.newest:
            return {}
        with self.get(self.newest).shard.reading() as db:
            return load_positions(db)

    def closed(self, market_ns: int, grace_ns: int) -> list[int]:
        """Return the months with a file that wait for no more rows, oldest first."""
        return [
            month
            for month in live_months(self.place)
            if month < self.newest and market_ns >= end_of_month_ns(month) + grace_ns
        ]

    def release(self, number: int) -> Shard:
        """Return a month's file, open, to a caller who closes it: it is no more one of ours."""
        assert number != self.newest
        month = self.get(number)
        del self._open[number]
        return month.shard

    def roll(self, number: int) -> None:
        """Begin a newer month: it takes the positions over once the last one is on the disk."""
        assert number > self.newest
        carried = {BY_NUMBER[stream].name: pos for stream, pos in self.positions().items()}
        if self.newest:
            self._seal(number)
        self._make_room()
        self._open[number] = self._opened(number, carried)
        self.newest = number

    def shards(self) -> Iterable[Shard]:
        """Return the files that are open."""
        return [month.shard for month in self._open.values()]

    def _opened(self, number: int, carried: Mapping[str, int]) -> Month:
        archive = archive_path(self.place, number)
        series = series_of(archive) if archive.exists() else []
        shard = open_writer(
            KIND, self._directory / f"{month_name(number)}.db", self._world, carried
        )
        with ExitStack() as failed:
            failed.callback(shard.close)
            adopt_series(shard, archive, series)
            month = Month(number, shard)
            failed.pop_all()
        return month

    def _seal(self, following: int) -> None:
        # A commit at synchronous=FULL takes all before it to the disk.
        shard = self.get(self.newest).shard
        shard.harden()
        with shard.transaction() as db:
            db.execute(
                "INSERT INTO meta VALUES ('followed_by', ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (str(following),),
            )
        shard.checkpoint(truncate=True)

    def _make_room(self) -> None:
        while len(self._open) >= OPEN_MAX:
            number = next(number for number in self._open if number != self.newest)
            self._open.pop(number).shard.close()

    def _find_newest(self) -> int:
        for path in shard_files(self._directory, KIND):
            if is_made(path):
                return month_named(path.name)
        return 0
