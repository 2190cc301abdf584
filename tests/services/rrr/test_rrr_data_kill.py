"""An import that is killed on its way, from the first file to the last archive, is gone on with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.rrr.data_desk import Desk, expected, lines

ROOT = Path(__file__).parents[3]
STRIDE = 23  # Prime: the steps of one month are met at all their places over the months.
COUNT = 50_000


def killed_at(desk: Desk, step: int, *words: str | Path) -> bool:
    """Run `rrr data`; return whether it was killed before it had come to its end."""
    environ = {**os.environ, **{name: text for name, text in desk.environ.items() if text}}
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.rrr.data_child", str(step), *map(str, words)],
        cwd=ROOT, env=environ, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode != 0


@pytest.mark.slow
def test_an_import_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    numbers = [*range(300), *range(COUNT, COUNT + 300)]
    path = desk.write(lines(numbers))
    step, kills = 50, 0
    while killed_at(desk, step, "data", "import", path):
        step, kills = step + STRIDE, kills + 1
    assert kills > 10
    assert desk.bars() == expected(numbers)
    assert list((desk.place() / "db").glob("*.db")) == []
    assert list((desk.place() / "imports").glob("*.tmp")) == []
    assert list((desk.place() / "archive" / "market").glob("*.tmp*")) == []
    answer = desk.rrr("import", path, "--json")
    assert (answer.files[0]["status"], answer.files[0]["equal"]) == ("already imported", 600)
