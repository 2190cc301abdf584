"""A writer as a process, proven while it writes, and after it was killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.market_desk import END_OF_JANUARY, MINUTE_NS, bar
from tests.services.test_writer_process import COUNT, ROOT, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def told(house: House, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "services.rrr", "db", *words, "--json"],
        cwd=ROOT,
        env=house.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_shard_is_the_fold_of_its_journals_while_it_is_written_and_after_a_kill(
    house: House,
) -> None:
    writer = house.start()
    house.say(1, 3000)
    house.bars.append([bar(END_OF_JANUARY + number * MINUTE_NS) for number in range(3)])
    house.until(COUNT, 3000)
    asked = subprocess.Popen(
        [sys.executable, "-m", "services.rrr", "db", "rebuild", "market", "--verify", "--json"],
        cwd=ROOT, env=house.environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for first in range(3001, 9001, 100):  # The writer goes on meanwhile.
        house.say(first, 100)
        house.clock.pause_ms(10)
    report = json.loads(asked.communicate()[0])
    (shard,) = report["shards"]
    assert (report["ok"], shard["begun"]) == (True, "the beginning"), json.dumps(report)[:9000]
    assert told(house, "verify", "market")["ok"]
    writer.kill()
    writer.wait()
    after = told(house, "rebuild", "market", "--verify")["shards"][0]
    assert after["same"]
    assert told(house, "verify", "market", "--quick")["ok"]
