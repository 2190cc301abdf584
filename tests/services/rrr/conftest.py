"""Places for the tests of `rrr`, many of which bind sockets in them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A place whose name is short enough for sockets, however long those of other tests are."""
    with tempfile.TemporaryDirectory(prefix="rrr.", dir="/tmp") as directory:
        yield Path(directory)
