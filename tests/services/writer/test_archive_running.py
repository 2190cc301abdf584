"""`rrr db archive` beside a running writer, which lets the month go and takes what comes late."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.writer.archive_files import archive_path, live_path
from tests.services.market_desk import END_OF_JANUARY, MINUTE_NS, bar
from tests.services.test_writer_process import COUNT, ROOT, House
from tests.services.writer.archive_desk import JANUARY

BARS = "SELECT count(*) FROM bars"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def archived(house: House) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "services.rrr", "db", "archive", "2026-01", "--json"],
        cwd=ROOT,
        env=house.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    january: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return january


@pytest.mark.slow
def test_a_running_writer_lets_a_month_go_and_takes_what_comes_late(house: House) -> None:
    house.say(1, 300)
    house.bars.append([bar(END_OF_JANUARY + index * MINUTE_NS) for index in range(4)])
    house.start()
    house.until(COUNT, 300)
    house.until(BARS, 4)
    january = archived(house)
    assert (january["state"], january["bars"], january["ticks"]) == ("archived", 2, 300)
    assert archive_path(house.house.world_dir, JANUARY).exists()
    assert not live_path(house.house.world_dir, JANUARY).exists()
    house.until(COUNT, 300)
    house.say(301, 50)
    house.until(COUNT, 350)
    house.until(BARS, 4)
    january = archived(house)
    assert (january["rev"], january["ticks"], january["done"]) == (
        2,
        350,
        "2026-01 is read from its archive now",
    )
    house.until(COUNT, 350)
    assert house.heartbeat().state == "READY"
