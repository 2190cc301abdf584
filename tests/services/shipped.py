"""The shipped settings with some of them set otherwise, as the environment would."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bus.settings import SHIPPED, load
from schema.settings import Settings

ROOT = Path(__file__).parents[2]


def shipped(**environ: str) -> Settings:
    """Return the shipped settings under these variables and no others."""
    return load(Path(_elsewhere().name), environ).settings


@cache
def _elsewhere() -> TemporaryDirectory[str]:
    # Whoever runs the tests may have settings of his own in his checkout.
    made = TemporaryDirectory()
    shutil.copy(ROOT / SHIPPED, made.name)
    return made
