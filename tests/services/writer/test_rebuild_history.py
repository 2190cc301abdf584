"""The history of an exchange, made again from the chunks that its imports became."""

from pathlib import Path

import apsw
import numpy as np
import pytest

from bus import checksums
from bus.clock import ManualClock
from services.writer.history import open_history
from services.writer.history_chunks import Chunk, Origin, chunk_path
from services.writer.proofs_imports import import_checks
from services.writer.rebuild_history import rebuild_history
from services.writer.rebuild_run import Rebuilt
from tests.services.market_desk import MINUTE_NS, at

CLOCK = ManualClock(at("2024-06-01T00:00:00"))
FIRST = at("2024-01-31T23:30:00") // MINUTE_NS


def chunk(first: int, bars: int, close: int = 105) -> Chunk:
    columns = np.zeros((8, bars), np.int64)
    columns[0] = np.arange(first, first + bars)
    for place, number in enumerate((101, 110, 99, close, 5, 505, 2), start=1):
        columns[place] = number
    return Chunk("BTC/USDT", "1m", (2, 5, 7), columns)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a history of two files, which say otherwise of ten minutes around a month's end."""
    made = tmp_path / "binance"
    with open_history(made, "binance", CLOCK) as history:
        for number, one in enumerate((chunk(FIRST, 40), chunk(FIRST + 30, 40, close=107))):
            list(history.take(one, Origin(f"{number}.csv", "ab" * 32, 1000 + number)))
    return made


def rebuilt(place: Path) -> Rebuilt:
    scratch = place.parent / "scratch"
    scratch.mkdir()
    return rebuild_history(place, scratch, CLOCK, lambda _share: None)


def test_the_same_chunks_give_the_same_months(place: Path) -> None:
    done = rebuilt(place)
    assert (done.shard, done.begun, done.same) == ("history-binance", "the imports", True)
    assert done.rows["market_data_2024_01 bar BTC/USDT 1m"] == 30
    assert done.rows["market_data_2024_02 bar BTC/USDT 1m"] == 40


def test_an_archived_month_is_the_same_too(place: Path) -> None:
    with open_history(place, "binance", CLOCK) as history:
        assert history.archive() == [202401, 202402]
    assert not list((place / "db").glob("*.db"))
    assert rebuilt(place).same


def test_a_bar_that_no_file_said_is_a_difference(place: Path) -> None:
    path = place / "db" / "market_data_2024_01.db"
    db = apsw.Connection(str(path), vfs=checksums.load())
    db.execute("UPDATE bar SET c = c + 1 WHERE k = (SELECT max(k) FROM bar)")
    db.close()
    (wrong,) = rebuilt(place).differences
    (found, expected) = (*wrong.only_live, *wrong.only_fold)
    assert (found["key"], found["c"]) == (expected["key"], expected["c"] + 1)


def test_a_chunk_that_is_gone_or_spoiled_is_told(place: Path) -> None:
    assert all(one.ok for one in import_checks(place, "history-binance"))
    (first, second) = sorted((place / "imports").glob("*.chunk"))
    first.unlink()
    data = bytearray(second.read_bytes())
    data[-8] ^= 1
    second.write_bytes(data)
    found = [one.detail for one in import_checks(place, "history-binance") if not one.ok]
    assert any(f"{first.name} is gone" in one for one in found)
    assert any(str(chunk_path(place / "imports", second.stem)) in one for one in found)
