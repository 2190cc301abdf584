"""Where the house is: found without reading a setting, for whoever must be quick or is in need."""

import os
from collections.abc import Mapping
from pathlib import Path

from bus.errors import SettingsError

CONFIGURATION = "supervisord.conf"


def find_root(start: Path) -> Path:
    """Return the checkout that a directory lies in."""
    for directory in (start, *start.parents):
        if (directory / CONFIGURATION).is_file() and (directory / "settings.toml").is_file():
            return directory
    raise SettingsError(
        f"no house around {start}: expected supervisord.conf and settings.toml in it or above it",
        "Change into the checkout first",
    )


def run_directory() -> Path:
    """Return where sockets and last words are, even when the settings say nothing useful."""
    return run_of(find_root(Path.cwd().resolve()), os.environ)


def run_of(root: Path, environ: Mapping[str, str]) -> Path:
    """Return where sockets and last words of a checkout are."""
    return place(root, environ.get("RRR_RUN") or "data/run", "RRR_RUN")


def place(root: Path, text: str, name: str) -> Path:
    """Return the path that a setting names: the same one for every process of the house."""
    if "\0" in text:
        raise SettingsError(f"`{name}` is {text!r}: a path has no NUL in it", "Write another path")
    try:
        return root / Path(text).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"`{name}` is {text!r}: {error}", "Write the path out") from error
