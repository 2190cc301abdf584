"""Where this house is, what its settings say, and which world it lives in.

Settings come from settings.toml < settings.local.toml < RRR_SECTION__KEY, checked against
schema/settings.py; anything wrong is one SettingsError that names the file or variable.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bus.coherence import require_coherence
from bus.errors import SettingsError
from bus.root import CONFIGURATION, find_root, place, run_of
from bus.settings import Loaded, load, load_shipped
from bus.world import World, describe
from schema.settings import Settings

LOG_FOLDERS = ("system", "trading", "audit", "archive")
LONGEST_SOCKET = "writer_analytics.pub"
SOCKET_PATH_BYTES_MAX = 100
_PROGRAM = re.compile(r"^\[(?:program|eventlistener):([a-z_]+)\]", re.MULTILINE)


class House(msgspec.Struct, frozen=True):
    """One checkout and everything that belongs to it."""

    root: Path  # the checkout
    home: Path  # where worlds, models, history and logs are
    run: Path  # sockets, leases, the clock: always on the internal disk
    settings: Settings
    origins: Mapping[str, str]  # where each setting came from, by its dotted name
    described: World
    rows: tuple[tuple[str, str, str], ...] = ()

    @property
    def world(self) -> str:
        """The name of the world that the settings lead to."""
        return self.described.name

    @property
    def world_dir(self) -> Path:
        return self.home / "data" / self.world

    @property
    def db_dir(self) -> Path:
        return self.world_dir / "db"

    @property
    def journal_dir(self) -> Path:
        return self.world_dir / "journal"

    @property
    def log_dir(self) -> Path:
        return self.home / "logs"

    @property
    def programs(self) -> tuple[str, ...]:
        """The processes of the house, in the order of supervisord.conf."""
        return tuple(_PROGRAM.findall((self.root / CONFIGURATION).read_text()))


def open_house(start: Path | None = None, environ: Mapping[str, str] | None = None) -> House:
    """Return the house around a directory, its settings checked; the disk is only read."""
    environ = os.environ if environ is None else environ
    root = find_root((start or Path.cwd()).resolve())
    loaded = load(root, environ)
    require_coherence(loaded.settings, loaded.origins)
    _require_usable(run_of(root, environ))
    return _house(root, loaded, environ)


def shipped_house(start: Path | None = None, environ: Mapping[str, str] | None = None) -> House:
    """Return the house with its shipped settings: who stops it must not need better ones."""
    root = find_root((start or Path.cwd()).resolve())
    return _house(root, load_shipped(root), os.environ if environ is None else environ)


def _house(root: Path, loaded: Loaded, environ: Mapping[str, str]) -> House:
    return House(
        root=root,
        home=place(root, environ.get("RRR_HOME") or ".", "RRR_HOME"),
        run=run_of(root, environ),
        settings=loaded.settings,
        origins=loaded.origins,
        described=describe(loaded.settings),
        rows=loaded.rows,
    )


def settle_world(house: House) -> None:
    """Make the folders of the world and the logs; SettingsError when another world is there."""
    house.described.settle(house.world_dir)
    try:
        for folder in LOG_FOLDERS:
            (house.log_dir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the log folder {house.log_dir} cannot be written: {error}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        ).of_disk(error) from error


def explain(house: House) -> tuple[tuple[str, str, str], ...]:
    """Return name, value and origin of every setting, as a person set it."""
    return house.rows


def _require_usable(run: Path) -> None:
    longest = run / LONGEST_SOCKET
    length = len(os.fsencode(longest)) + 1  # the NUL at its end
    if length > SOCKET_PATH_BYTES_MAX:
        raise SettingsError(
            f"socket path {longest} has {length} bytes, at most {SOCKET_PATH_BYTES_MAX} fit",
            "Set RRR_RUN to a short directory on the internal disk, e.g. ~/.rrr",
        )
    there = next(path for path in (run, *run.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SettingsError(
            f"{run} is needed for sockets and leases: expected a directory that can be written, "
            f"found {there}",
            "Mend its permissions, or set RRR_RUN to another directory",
        )
