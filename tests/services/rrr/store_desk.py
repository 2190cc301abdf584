"""A house whose shards hold a day of trading, and people who damage them behind its back."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
from click.testing import CliRunner, Result

from bus import checksums
from bus.clock import SystemClock
from bus.house import House
from bus.migrations import KINDS
from bus.rows import shard_files
from services.rrr import rrr
from services.writer.rebuild import Bounds, fold, opened
from tests.services.bare import bare_house
from tests.services.rrr.tape_desk import OTHERS
from tests.services.rrr.trade_day import Day, books, bought, trade

EVER_NS = 1 << 62


@contextmanager
def traded_house() -> Iterator[House]:
    """Yield a house, entered, in which nothing runs and all shards hold what was said."""
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        day = Day(made)
        bought(day)
        books(day)
        day.keep()
        day.close()
        for shard in ("market", "analytics"):
            keep(made, shard)
        try:
            yield made
        finally:
            os.chdir(before)


def keep(house: House, shard: str) -> None:
    """Let a shard hold all that the journals hold."""
    clock = SystemClock()
    bounds = Bounds(EVER_NS, None, joined=False)
    with opened(shard, house.db_dir, house.world, clock) as store:
        fold(shard, store, house.journal_dir, bounds, clock, lambda _share: None)


def epoch_two(house: House) -> None:
    """Say five more trades in another epoch, which begins another segment."""
    day = Day(house, 2)
    for number in range(20, 25):
        day.say(trade(number, number))
    day.close()


def run(*args: str) -> Result:
    """Run `rrr db` in this process."""
    return CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, ("db", *args))


def exit_code(done: Result) -> int:
    """Return what the process would end with."""
    return int(getattr(done.exception, "exit_code", done.exit_code))


def told(*args: str, code: int = 0) -> dict[str, Any]:
    """Return what `rrr db` tells as JSON, and ends with."""
    done = run(*args, "--json")
    assert exit_code(done) == code, done.output + repr(done.exception)
    report: dict[str, Any] = json.loads(done.output.splitlines()[0])
    return report


def file_of(house: House, shard: str) -> Path:
    """Return the newest file of a shard."""
    return shard_files(house.db_dir, KINDS[shard])[0]


def damaged(path: Path, *statements: str) -> None:
    """Change a shard behind its writer's back, its triggers gone and its checksums right."""
    db = apsw.Connection(str(path), vfs=checksums.load())
    for (name,) in list(db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")):
        db.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        db.execute(statement)
    db.close()
