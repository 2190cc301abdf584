"""Which files a shard consists of, in a world or in the history that a person means."""

from pathlib import Path

import click

from bus.history import histories, history_exchange, history_place
from bus.house import House
from bus.migrations import Kind
from bus.month_names import month_named
from bus.rows import shard_files
from services.rrr.survey import NotReadyError
from services.writer.archive_files import archive_path, archived_months

HISTORY = "history"


def files_of(place: Path, kind: Kind) -> list[Path]:
    """Return the files of a shard in a place, oldest month first.

    A month that has left `db` stands in the archive; while it stands in both, `db` has all of it.
    """
    live = shard_files(place / "db", kind)[::-1]
    if not kind.monthly:
        return live
    found = {month_named(path.name): path for path in [*sealed_in(place), *live]}
    return [found[month] for month in sorted(found)]


def sealed_in(place: Path) -> list[Path]:
    """Return the archives of a place, oldest month first."""
    return [archive_path(place, month) for month in archived_months(place)]


def history_meant(house: House, exchange: str = "") -> Path:
    """Return where the history of an exchange lies; without one, where that of the world does."""
    there = histories(house)
    name = exchange or history_exchange(house)
    if not name and len(there) == 1:
        return there[0]
    place = history_place(house, name) if name else None
    if place in there:
        return place
    if there:
        known = ", ".join(f"{HISTORY}:{one.name}" for one in there)
        raise click.UsageError(f"There is no history of {name or 'this world'}. There are: {known}")
    raise NotReadyError(
        f"there is no imported history in {house.home / 'data'}",
        "`rrr data import` makes it from files of bars",
    )
