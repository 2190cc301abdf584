"""Where the page of a run goes: a file that anybody may keep, or the cache of this house."""

from contextlib import suppress
from pathlib import Path

from bus.errors import HouseError
from bus.house import House
from services.backtest.page import page
from services.backtest.picture import Picture

PAGES_MAX = 100
"""So many pages stay in the cache; `rrr backtest show ID --html FILE` draws one anew."""


def place_of(house: House, run_id: str) -> Path:
    """Return the file in the cache that a run's page has."""
    return _cache(house) / f"{run_id}.html"


def forget_pages(house: House) -> None:
    """Take the oldest pages out of the cache where there are too many."""
    with suppress(OSError):  # A page more hurts nobody.
        pages = sorted(_cache(house).glob("*.html"), key=lambda one: one.stat().st_mtime_ns)
        for old in pages[:-PAGES_MAX]:
            old.unlink(missing_ok=True)


def write_page(picture: Picture, path: Path) -> None:
    """Write the page of a run; HouseError when the disk does not take it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(picture), "utf-8")
    except OSError as error:
        raise HouseError(
            f"the page {path} cannot be written: {error}",
            "Free space, or name another file with --html",
        ) from error


def _cache(house: House) -> Path:
    return house.home / "data" / "cache" / "backtests"
