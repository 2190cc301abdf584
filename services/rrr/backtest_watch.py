"""`rrr backtest --watch`: runs again whenever the strategy or the settings were saved."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bus.clock import Clock
from bus.errors import HouseError
from bus.root import find_root
from services.rrr.backtest_diff import difference, parting
from services.rrr.backtest_table import changed

if TYPE_CHECKING:
    from services.backtest.picture import Picture
    from services.backtest.record import Record

LOOK_MS = 200
SETTINGS = ("settings.toml", "settings.local.toml")
Times = dict[Path, int]
Found = TypeVar("Found")


def watched(clock: Clock, source: Callable[[], Path], run: Callable[[], "Record"]) -> None:
    """Run, and again after each change, until a person ends it."""
    before: Picture | None = None
    path = _told(source)
    try:
        while True:
            seen = _times(path)
            record = _told(run)
            if record is not None:
                picture = record.picture()
                _show_change(before, picture)
                before = picture
            while _times(path) == seen:
                clock.pause_ms(LOOK_MS)
            path = _told(source) or path
    except KeyboardInterrupt:
        click.echo("", err=True)


def _told(work: Callable[[], Found]) -> Found | None:
    try:
        return work()
    except (HouseError, click.UsageError) as error:
        click.echo(f"rrr: {error}", err=True)
        return None


def _times(source: Path | None) -> Times:
    """Return when what a run is made of was changed: parents stand beside their strategy."""
    root = find_root(Path.cwd().resolve())
    files = [root / name for name in SETTINGS]
    if source is not None:
        files += sorted(source.parent.glob("*.py"))
    found: Times = {}
    for file in files:
        try:
            found[file] = file.stat().st_mtime_ns
        except FileNotFoundError:
            found[file] = 0
    return found


def _show_change(before: "Picture | None", now: "Picture") -> None:
    if before is None:
        return
    found = changed(difference(before, now))
    apart = parting(before.trades, now.trades)
    place = f"; round trips part at number {apart['number']}" if apart else ""
    head = "since the run before:" if found else "the same figures as the run before"
    click.echo("\n".join(["", head + place, *(f"  {line}" for line in found)]), err=True)
