"""A death at any step of archiving and retiring loses no row, and shows none twice."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.clock import ManualClock
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.month_names import archive_dir
from bus.shard import Shard, open_writer
from services.writer.archive_files import archive_path, live_path, read_manifest
from services.writer.archiving import archive_steps
from services.writer.retiring import retire_steps
from tests.services.market_desk import BAR, MINUTE_NS, TRADE, bar, kept, rows
from tests.services.writer.archive_desk import (
    JANUARY,
    START,
    WORLD,
    Rows,
    add_late,
    archive,
    archived_rows,
    fill,
    opened,
    retire,
    seen,
)

STEPS = [
    *("cleared", "built", "proven", "sealed", "synced", "placed", "kept", "described", "named"),
    *("checked", "emptied", "closed", "dated", "moved", "cleared"),
]


def building(place: Path) -> Iterator[str]:
    return archive_steps(place, JANUARY, ManualClock(), lambda _share: None)


def opened_january(place: Path) -> Shard:
    return open_writer(KINDS["market"], live_path(place, JANUARY), WORLD)


def finish(place: Path) -> None:
    """Do what the next start does: archive what is due, and retire it."""
    if live_path(place, JANUARY).exists():
        archive(place)
        retire(place)


def require_all_seen(place: Path, expected: Rows) -> None:
    assert seen(place) == expected
    query = "SELECT count(*) FROM bars WHERE open_ms < 1769904000000"
    bars = [key for key in expected if key[0] == "bar"]
    assert rows(place / "db", query) == [(len(bars),)]


def all_steps(place: Path, shards: list[Shard]) -> Iterator[str]:
    yield from building(place)
    shards.append(opened_january(place))
    yield from retire_steps(place, JANUARY, shards[-1], ManualClock())


@pytest.mark.parametrize("again", [False, True], ids=["first revision", "second revision"])
def test_a_death_after_each_step_leaves_every_row_where_readers_find_it(
    tmp_path: Path,
    again: bool,  # noqa: FBT001 - the cases of a table
) -> None:
    made = tmp_path / "made"
    fill(made, bars=20, ticks=3)
    if again:
        finish(made)
        add_late(made, 4, volume=12_345)
        add_late(made, 9000)
    for place_number in range(len(STEPS)):
        place = tmp_path / str(place_number)
        shutil.copytree(made, place)
        expected = seen(place)
        shards: list[Shard] = []
        doing = all_steps(place, shards)
        done = [next(doing) for _ in range(place_number + 1)]
        assert done == STEPS[: place_number + 1]
        require_all_seen(place, expected)
        finish(place)
        require_all_seen(place, expected)
        assert not live_path(place, JANUARY).exists()
        assert archived_rows(archive_path(place, JANUARY)) == expected
        assert list(archive_dir(place).glob("*.tmp")) == []
        for shard in shards:
            shard.db.close()


@pytest.mark.slow
def test_a_kill_after_each_step_leaves_every_row_where_readers_find_it(tmp_path: Path) -> None:
    for dies_after in range(len(STEPS) + 1):
        place = tmp_path / str(dies_after)
        fill(place, bars=530, ticks=5)
        expected = seen(place)
        command = [sys.executable, "-m", "tests.services.writer.archive_child", str(place)]
        command += [str(JANUARY), WORLD, str(dies_after)]
        ended = subprocess.run(command, capture_output=True, check=False)
        assert (ended.returncode, ended.stdout) == (
            (-9, b"") if dies_after < len(STEPS) else (0, b"done")
        ), ended.stderr
        require_all_seen(place, expected)
        finish(place)
        require_all_seen(place, expected)


class Schedule:
    """One place under random writes, deaths and restarts, and what must be seen of it."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place = place
        self.rng = random.Random(seed)
        self.open: list[Shard] = []
        self.revisions = 0
        fill(place, bars=20, ticks=3)
        self.expected = seen(place)

    def run(self, steps: int) -> None:
        actions: list[Any] = [self.write, self.archive, self.retire, self.restart]
        for _ in range(steps):
            self.rng.choice(actions)()
            assert seen(self.place) == self.expected
        finish(self.place)
        assert seen(self.place) == self.expected
        manifest = read_manifest(self.place, JANUARY)
        assert manifest is not None
        self.revisions = manifest.rev
        self.close()

    def write(self) -> None:
        writer = opened(self.place)
        minutes = [self.rng.randrange(1500) for _ in range(self.rng.randrange(1, 9))]
        said = [
            bar(START + minute * MINUTE_NS, volume=self.rng.randrange(1 << 40))
            for minute in minutes
        ]
        writer.commit(kept(*said), {BAR: writer.cursors()[BAR] + 1, TRADE: 1})
        for minute, one in zip(minutes, said, strict=True):
            key = (1 << 26) + START // MINUTE_NS + minute
            numbers = (one.open, one.high, one.low, one.close, one.volume, one.quote_volume)
            self.expected[("bar", key)] = (key, *numbers, one.trades, 0)
        writer.close()

    def archive(self) -> None:
        if live_path(self.place, JANUARY).exists():
            doing = building(self.place)
            for _ in range(self.rng.randrange(12)):
                next(doing, None)

    def retire(self) -> None:
        if not live_path(self.place, JANUARY).exists():
            return
        self.open.append(opened_january(self.place))
        doing = retire_steps(self.place, JANUARY, self.open[-1], ManualClock())
        try:
            for _ in range(self.rng.randrange(9)):
                next(doing, None)
        except ShardError:
            pass  # Not archived, or written to since.
        self.close()

    def restart(self) -> None:
        opened(self.place).close()

    def close(self) -> None:
        for shard in self.open:
            shard.db.close()
        self.open = []


def test_no_schedule_of_writes_and_deaths_loses_a_row(tmp_path: Path) -> None:
    revisions = 0
    for seed in range(5):
        schedule = Schedule(tmp_path / str(seed), seed)
        schedule.run(14)
        revisions += schedule.revisions
    assert revisions > 8


@pytest.mark.slow
def test_no_schedule_of_many_loses_a_row(tmp_path: Path) -> None:
    for seed in range(100, 120):
        Schedule(tmp_path / str(seed), seed).run(25)
