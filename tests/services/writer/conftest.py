"""What the tests of backups and of restores begin with: a shard that was said something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.writer.backup_desk import Shelter


@pytest.fixture
def shelter(tmp_path: Path) -> Iterator[Shelter]:
    made = Shelter(tmp_path)
    made.say()
    yield made
    made.desk.store.close()
