"""The shipped settings with some of them set otherwise, as the environment would."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from bus.settings import SHIPPED, load
from schema.settings import Settings

ROOT = Path(__file__).parents[2]


def shipped(**environ: str) -> Settings:
    """Return the shipped settings under these variables and no others."""
    # Whoever runs the tests may have settings of his own in his checkout; and a child of a test may
    # be killed at any moment after this, and would leave behind what it cleared at its end.
    with TemporaryDirectory() as elsewhere:
        shutil.copy(ROOT / SHIPPED, elsewhere)
        return load(Path(elsewhere), environ).settings
