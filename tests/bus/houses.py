"""Small checkouts to open as houses."""

import tempfile
from pathlib import Path

import pytest

from bus.errors import SettingsError
from bus.house import House, open_house

ROOT = Path(__file__).parents[2]
RUN = {"RRR_RUN": tempfile.gettempdir()}
"""Nothing is written there; the directories of tests are too deep for a socket."""

HEADER = "timestamp_ms,open,high,low,close,volume\n"


def checkout(directory: Path, local: str = "") -> Path:
    """Return a checkout with the shipped settings, in a path with a space."""
    root = directory / "a house"
    root.mkdir()
    for name in ("settings.toml", "supervisord.conf"):
        (root / name).write_text((ROOT / name).read_text())
    if local:
        (root / "settings.local.toml").write_text(local)
    return root


def opened(root: Path, **environ: str) -> House:
    """Return the house of a checkout under these variables and no others."""
    return open_house(root, RUN | environ)


def refusal(root: Path, **environ: str) -> str:
    """Return how opening a house is refused."""
    with pytest.raises(SettingsError) as caught:
        open_house(root, RUN | environ)
    assert caught.value.exit_code == 78
    assert "\n" not in str(caught.value)
    return str(caught.value)


def bars(root: Path, name: str = "btc.csv", row: str = "0,1,2,1,2,3\n") -> Path:
    """Return a file of bars inside a checkout."""
    path = root / name
    path.write_text(HEADER + row)
    return path
