"""What a person asks of the past has the same answer when it lies compressed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bus.archive import bases, packed_bases, plain_bases
from bus.house import House
from bus.keeper import put_away
from schema.streams import STREAMS
from services.rrr import rrr
from services.rrr.digging import directory_of
from services.rrr.said import said_since
from tests.services.bare import bare_house
from tests.services.rrr.trade_day import NOON_NS, Day, bought, trade

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
JOURNALED = [stream for stream in STREAMS.values() if stream.journaled]


@pytest.fixture
def house() -> Iterator[House]:
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        yield made
        os.chdir(before)


def ask(*args: str) -> str:
    done = CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, args)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def put_all_away(house: House) -> int:
    folders = [(directory_of(house.journal_dir, stream), stream) for stream in JOURNALED]
    for directory, stream in folders:
        for base in plain_bases(directory):
            for _ in put_away(directory, base, stream):
                pass
    return sum(packed_bases(folder) == bases(folder) != [] for folder, _ in folders)


def test_why_and_what_was_said_since_are_the_same_from_the_archive(house: House) -> None:
    day = Day(house)
    for number in range(50):
        day.say(*(trade(number * 100 + n, number * 100 + n + 1) for n in range(100)))
    order_id = bought(day)
    day.keep()
    day.close()

    def answers() -> list[object]:
        middle_ns = NOON_NS + 20 * 100_000
        since = [seen.pos for seen in said_since(house.journal_dir, "ingest.trade", middle_ns)]
        return [json.loads(ask("why", order_id, "--json")), since]

    before = answers()
    assert put_all_away(house) > 5
    assert answers() == before
