"""A house in which nothing runs: the settings and the configuration, in a path with a space."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bus.house import House, open_house

ROOT = Path(__file__).parents[2]


@contextmanager
def bare_house() -> Iterator[House]:
    """Yield the house; its path is short enough for a socket wherever tests are run."""
    top = Path(tempfile.mkdtemp(prefix="rrr.", dir="/tmp"))
    root = top / "a house"
    (root / "data" / "run").mkdir(parents=True)
    for name in ("settings.toml", "supervisord.conf"):
        shutil.copy(ROOT / name, root / name)
    try:
        yield open_house(root, {})
    finally:
        shutil.rmtree(top)


@contextmanager
def entered_house() -> Iterator[House]:
    """Yield the house as the working directory."""
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        try:
            yield made
        finally:
            os.chdir(before)
