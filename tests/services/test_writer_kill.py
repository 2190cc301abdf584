"""Kill -9 of a writer at any instruction: rows and positions stay one."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bus.rows import read_rows

BATCH_MAX = 400
COUNT = "SELECT count(*) AS n FROM ticks"
EXECUTIONS = (
    "SELECT count(*) AS orders, sum(ended = 'Fill' AND bar_to_submitted_us = 4) AS whole, "
    "(SELECT max(pos) / 10 + 1 FROM ml_predictions) AS last, "
    "(SELECT count(*) FROM ml_predictions) AS forecasts, "
    "(SELECT count(*) FROM dead_letter) AS refused FROM executions"
)
ROOT = Path(__file__).parents[2]


def killed_after(directory: Path, seconds: float, shard: str = "market") -> int:
    """Let a writer commit, kill it, and return the last position that it told of, or -1."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.services.writer_child", str(directory), shard],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        first = child.stdout.readline()  # It works: now it may die at any instruction.
        timer = threading.Timer(seconds, child.kill)
        timer.start()
        told = [first, *child.stdout]
        timer.join()
    return int([line for line in told if line.endswith(b"\n")][-1])


def check(directory: Path, told: int) -> int:
    """Assert that rows and positions are one, and return the position."""

    def one(sql: str) -> tuple[object, ...]:
        (row,) = read_rows(directory, "market", sql, time_limit_ms=60_000)
        return tuple(row.values())

    positions = one("SELECT min(pos) AS a, max(pos) AS b FROM stream_position")
    (pos, other) = positions
    assert isinstance(pos, int)
    assert other == pos
    assert pos >= told
    # At midnight an older month commits before the newest: its rows may be one batch ahead of the
    # position, are written again under the same keys, and are exact once the writer goes on.
    last = one("SELECT count(*) AS n, count(DISTINCT trade_id) AS d, max(trade_id) AS m FROM ticks")
    rows = last[0]
    assert isinstance(rows, int)
    assert last == (rows, rows, rows - 1)
    assert pos < rows <= pos + 1 + BATCH_MAX
    assert one("SELECT count(*) AS n, count(DISTINCT open_ms) AS d FROM bars") == (rows, rows)
    assert one("SELECT count(*) AS n FROM dead_letter") == (0,)
    return pos


def test_rows_and_positions_are_one_however_often_the_writer_is_killed(tmp_path: Path) -> None:
    chance, kills = random.Random(1), 0
    # Where others have the cores it comes less far each time: it is to reach the next month.
    while kills < 4 or len(list(tmp_path.glob("*.db"))) < 2:
        told = killed_after(tmp_path, chance.uniform(0.0, 0.25))
        check(tmp_path, told)
        kills += 1
        assert kills < 40


def test_orders_are_whole_however_often_the_analytics_writer_is_killed(tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(4):
        told = killed_after(tmp_path, chance.uniform(0.0, 0.25), "analytics")
        (row,) = read_rows(tmp_path, "analytics", EXECUTIONS)
        assert row["orders"] == row["whole"] == row["last"]
        assert row["last"] == row["forecasts"]
        assert row["refused"] == 0
        assert isinstance(row["orders"], int)
        assert row["orders"] > told  # The first one has the number 0.


@pytest.mark.slow
def test_thirty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(2)
    exact = 0
    home = tmp_path / "a b"
    home.mkdir()
    pos = -1
    for _ in range(30):
        told = killed_after(home, chance.uniform(0.0, 0.05))
        now = check(home, told)
        assert now > pos
        pos = now
        ((rows,),) = (row.values() for row in read_rows(home, "market", COUNT))
        exact += rows == pos + 1
    assert exact > 20  # A kill inside a midnight is rare.
