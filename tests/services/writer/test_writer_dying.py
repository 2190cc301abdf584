"""However far a writer came when its disk died, the next one loses nothing and doubles nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def deaths(directory: Path, shard: str, every: int) -> int:
    """Play all deaths in a process of their own, whose disk they are; return how many."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.services.writer.dying_schedules"),
            *(str(directory), shard, str(every)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(("shard", "every"), [("market", 41), ("analytics", 41), ("trading", 89)])
def test_rows_and_positions_come_out_whole_wherever_the_disk_dies(
    tmp_path: Path, shard: str, every: int
) -> None:
    assert deaths(tmp_path, shard, every) > 5


@pytest.mark.slow
@pytest.mark.parametrize(("shard", "every"), [("market", 7), ("analytics", 5), ("trading", 17)])
def test_rows_and_positions_come_out_whole_after_most_deaths_there_are(
    tmp_path: Path, shard: str, every: int
) -> None:
    assert deaths(tmp_path, shard, every) > 30
