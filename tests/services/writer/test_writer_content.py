"""What a shard holds as hashes: the same rows give the same, in whatever order they came."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.migrations import KINDS
from bus.shard import Connection, open_writer
from services.writer.content import Content, content_of, contents, parts

MARKET, TRADING = KINDS["market"], KINDS["trading"]
QUICK = msgspec.structs.replace(TRADING, synchronous=1)
EVENT = "INSERT INTO risk_events VALUES (NULL, ?, 'RiskState', '', '', '', 0, '{}')"
BAR = "INSERT INTO bar VALUES (?, 5, 6, 4, 5, 1, 1, 1, 0)"
TICK = "INSERT INTO tick VALUES (?, 1, 5, 5, 0)"


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[Connection]:
    shard = open_writer(TRADING, tmp_path / "trading.db", "w")
    yield shard.db
    shard.close()


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Connection]:
    shard = open_writer(MARKET, tmp_path / "market_data_2026_01.db", "w")
    series = [(1, "A/B", "1m", 60), (2, "C/D", "1m", 60), (3, "A/B", "ticks", 0)]
    shard.db.executemany("INSERT INTO series VALUES (?, ?, ?, ?, 2, 5, 8)", series)
    yield shard.db
    shard.close()


@settings(max_examples=6, suppress_health_check=list(HealthCheck), deadline=None)
@given(times=st.lists(st.integers(0, 5), max_size=6), data=st.data())
def test_rows_in_another_order_have_the_same_hash(times: list[int], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(times))
    found: list[Content] = []
    for some in (times, shuffled, [*times, 9]):
        with tempfile.TemporaryDirectory() as made:
            shard = open_writer(QUICK, Path(made) / "trading.db", "w")
            shard.db.executemany(EVENT, [(one,) for one in some])
            found.append(contents(shard.db, TRADING)["risk_events"])
            shard.close()
    assert found[0] == found[1] != found[2]
    assert found[0].rows == len(times)


def test_two_equal_rows_are_not_none(trading: Connection) -> None:
    before = contents(trading, TRADING)["risk_events"]
    trading.executemany(EVENT, [(1,), (1,)])
    assert contents(trading, TRADING)["risk_events"].hash != before.hash


def test_what_is_no_fold_is_left_out(trading: Connection) -> None:
    names = set(contents(trading, TRADING))
    assert not names & {"meta", "migration", "stream_position"}
    assert {"orders", "audit", "ledger", "dead_letter"} <= names


def test_bars_and_ticks_are_told_by_series_and_progress_is_shown(market: Connection) -> None:
    market.executemany(BAR, [((1 << 26) + n,) for n in range(3)])
    market.executemany(TICK, [((3 << 44) + n,) for n in range(4)])
    seen: list[int] = []
    found = contents(market, MARKET, "main", seen.append)
    assert {name: one.rows for name, one in found.items() if " " in name} == {
        "bar A/B 1m": 3,
        "bar C/D 1m": 0,
        "tick A/B ticks": 4,
    }
    assert sum(seen) >= 7


def test_the_number_of_a_series_does_not_matter_and_its_decimals_do(market: Connection) -> None:
    market.executemany(BAR, [((1 << 26) + 7,), ((2 << 26) + 7,)])
    found = contents(market, MARKET)
    assert found["bar A/B 1m"] == found["bar C/D 1m"]
    market.execute("UPDATE series SET px_exp = 3 WHERE id = 2")
    again = contents(market, MARKET)
    assert again["bar C/D 1m"] != found["bar C/D 1m"]


def test_the_number_of_a_series_does_not_matter_to_what_is_counted(market: Connection) -> None:
    count = "INSERT INTO candlestick_metadata VALUES (?, 1, 7, 7, 1)"
    market.execute(count, (1,))
    before = contents(market, MARKET)
    market.execute("DELETE FROM candlestick_metadata")
    market.execute("UPDATE series SET id = 9 WHERE id = 1")
    market.execute(count, (9,))
    assert contents(market, MARKET) == before


def test_one_part_alone_is_what_it_is_among_all(market: Connection) -> None:
    market.execute(BAR, ((1 << 26) + 7,))
    (part,) = (one for one in parts(market, MARKET) if one.name == "bar A/B 1m")
    assert content_of(market, part) == contents(market, MARKET)["bar A/B 1m"]
