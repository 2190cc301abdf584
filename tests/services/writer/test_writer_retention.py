"""A real writer tells how far it came, and fills its shard from what lies compressed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.archive import bases, packed_bases
from bus.cursors import read_cursors
from bus.journals import DiskJournals
from bus.keeper import put_away
from schema.streams import STREAMS
from tests.services.test_writer_process import COUNT, House

TRADES = STREAMS["ingest.trade"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_a_writer_fills_its_shard_from_the_archive_and_tells_how_far_it_came(house: House) -> None:
    house.say(1, 3000)
    house.trades.close("a new epoch begins")
    journals = DiskJournals(house.house.journal_dir, house.clock)
    house.trades = journals.writer(TRADES, journals.open_epoch("ingest"), "code")
    folder = house.house.journal_dir / TRADES.owner / TRADES.channel
    for _ in put_away(folder, bases(folder)[0], TRADES):
        pass
    house.say(3001, 1000)
    assert len(packed_bases(folder)) == 1
    assert read_cursors(house.house.journal_dir, TRADES) == {"writer_market": None}
    writer = house.start()
    house.until(COUNT, 4000)
    writer.terminate()
    assert writer.wait(20) == 0
    assert read_cursors(house.house.journal_dir, TRADES) == {"writer_market": house.trades.last}
