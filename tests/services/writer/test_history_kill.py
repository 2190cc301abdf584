"""A kill -9 at every step of an import loses nothing, doubles nothing, and leaves no wreck."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bus.rows import read_rows
from services.writer.history_chunks import read_chunk
from tests.services.writer.history_child import main
from tests.services.writer.history_desk import chunk, held, origin, rows

ROOT = Path(__file__).parents[3]
COUNTED = "SELECT sum(bars) AS n FROM {0}.candlestick_metadata"
THERE = "SELECT count(*) AS n FROM {0}.bar"
NEVER = 0


def killed_at(place: Path, step: int) -> bool:
    """Run the child; return whether it was killed before it had come to its end."""
    command = [sys.executable, "-m", "tests.services.writer.history_child", str(place), str(step)]
    done = subprocess.run(command, cwd=ROOT, check=False, env=os.environ, capture_output=True)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode != 0


def require_whole(place: Path, expected: list[tuple[int, ...]]) -> None:
    assert rows(place) == expected
    for month in ("market_data_2025_01", "market_data_2025_02"):
        counted, there = (
            list(read_rows(place / "db", "market", sql.format(month))) for sql in (COUNTED, THERE)
        )
        assert counted == there
    assert list((place / "imports").glob("*.tmp")) == []
    for path in (place / "imports").glob("*.chunk"):
        read_chunk(path)


def test_a_run_that_stops_between_two_months_is_gone_on_with(tmp_path: Path) -> None:
    main(tmp_path / "whole", NEVER)
    for steps in range(5):
        place = tmp_path / str(steps)
        with held(place) as history:
            taking = (one for n, of in enumerate((chunk(), chunk(25, step=1)))
                      for one in history.take(of, origin(n)))  # fmt: skip
            for _ in range(steps):
                next(taking)
        main(place, NEVER)
        require_whole(place, rows(tmp_path / "whole"))


@pytest.mark.slow
def test_a_kill_at_any_step_is_made_good_by_the_next_run(tmp_path: Path) -> None:
    main(tmp_path / "whole", NEVER)
    expected = rows(tmp_path / "whole")
    step = 1
    while killed_at(tmp_path / str(step), step):
        main(tmp_path / str(step), NEVER)
        require_whole(tmp_path / str(step), expected)
        step += 9
    assert step > 60


@pytest.mark.slow
def test_runs_that_are_killed_one_after_the_other_come_to_an_end(tmp_path: Path) -> None:
    main(tmp_path / "whole", NEVER)
    place, step = tmp_path / "killed", 40
    while killed_at(place, step):
        step += 11
    require_whole(place, rows(tmp_path / "whole"))
