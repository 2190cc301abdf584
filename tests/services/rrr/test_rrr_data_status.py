"""`rrr data status`: what is there and what is missing, to the last interval."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import ManualClock, SystemClock
from bus.house import open_house, settle_world
from bus.lease import Lease
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import BAR, END_OF_JANUARY, LIMITS, MINUTE_NS, bar, kept
from tests.services.rrr.data_desk import Desk, lines, opens_s

ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def world(desk: Desk) -> Iterator[MarketStore]:
    house = open_house(ROOT, {name: value for name, value in desk.environ.items() if value})
    settle_world(house)
    house.run.mkdir(parents=True)
    lease = Lease(house.run / "shard_market.lease")
    assert lease.take()
    store = MarketStore(Months(house.db_dir, house.world), lease, ManualClock(), LIMITS)
    yield store
    store.close()


def test_rows_missing_and_the_largest_gaps_are_exact(desk: Desk) -> None:
    desk.take(desk.write(lines([0, 1, 2, 7, 8, 20, 22, 60_000])))
    answer = desk.rrr("status", "BTC/USDT", "--json", "--gaps", "2")
    assert answer.code == 0
    assert answer.json == [
        {
            "place": "history", "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m",
            "first": "2024-03-01T00:00:00Z", "last": "2024-04-11T16:00:00Z",
            "rows": 8, "missing": 59_993,
            "gaps": [
                {"from": "2024-03-01T00:23:00Z", "to": "2024-04-11T15:59:00Z", "missing": 59_977},
                {"from": "2024-03-01T00:09:00Z", "to": "2024-03-01T00:19:00Z", "missing": 11},
            ],
        }
    ]  # fmt: skip


def test_rows_and_archives_count_as_one(desk: Desk) -> None:
    path = desk.write(lines([*range(10), 50_000]))
    desk.rrr("import", path)
    before = desk.rrr("status", "--json").json
    assert (before[0]["rows"], before[0]["missing"]) == (11, 49_990)
    desk.take(desk.write(lines(range(12)), "b/BTC_USDT-1m.csv"))
    after = desk.rrr("status", "--json").json
    assert (after[0]["rows"], after[0]["missing"]) == (13, 49_988)


def test_a_world_and_the_histories_are_shown_apart(desk: Desk, world: MarketStore) -> None:
    bars = [bar(END_OF_JANUARY + n * MINUTE_NS) for n in (0, 1, 3)]
    world.commit(kept(*bars), {BAR: 1})
    desk.take(desk.write(lines(range(5))), "--exchange", "kraken")
    found = desk.rrr("status", "--json").json
    assert [(one["place"], one["exchange"], one["rows"], one["missing"]) for one in found] == [
        ("paper-binance", "binance", 3, 1), ("history", "kraken", 5, 0),
    ]  # fmt: skip
    (only,) = desk.rrr("status", "--json", "--exchange", "kraken").json
    assert only["place"] == "history"


def test_a_house_counts_all_that_is_missing_up_to_now(desk: Desk, world: MarketStore) -> None:
    world.commit(kept(*(bar(END_OF_JANUARY - n * MINUTE_NS) for n in (0, 1, 4))), {BAR: 1})
    desk.take(desk.write(lines(range(5))))
    closed = SystemClock().wall_ns() // MINUTE_NS - 1
    first, *others = desk.rrr("status", "--house", "--json").json
    assert (first["symbol"], first["rows"]) == ("BTC/USDT", 8)
    assert (first["first"], first["last"]) == ("2024-03-01T00:00:00Z", "2026-01-31T23:58:00Z")
    late = first["behind"] - (closed - END_OF_JANUARY // MINUTE_NS)
    assert late in {0, 1}  # A minute may have passed meanwhile.
    assert first["missing"] == closed + late + 1 - opens_s(0) // 60 - 8
    assert {(one["rows"], one["missing"]) for one in others} == {(0, 0)}
    assert "BTC/USDT  1m" in desk.rrr("status", "--house").out


def test_people_see_a_table_and_the_gaps(desk: Desk) -> None:
    desk.take(desk.write(lines([0, 1, 2, 7, 8, 9])))
    answer = desk.rrr("status", "btc/usdt", "--timeframe", "1m")
    assert "BTC/USDT  1m" in answer.out
    assert "misses 4: 2024-03-01T00:03:00Z … 2024-03-01T00:06:00Z" in answer.out


@pytest.mark.parametrize("words", [(), ("ETH/USDT",), ("--timeframe", "1h")])
def test_nothing_to_show_is_said_and_ends_with_three(desk: Desk, words: tuple[str, ...]) -> None:
    if words:
        desk.take(desk.write(lines(range(5))))
    answer = desk.rrr("status", "--json", *words)
    assert (answer.code, answer.json) == (3, [])
    assert "rrr data import" in answer.err


def test_a_damaged_file_is_named_and_ends_with_five(desk: Desk) -> None:
    desk.take(desk.write(lines(range(5))))
    (path,) = (desk.place() / "db").glob("*.db")
    path.write_bytes(b"garbage" * 2000)
    answer = desk.rrr("status")
    assert answer.code == 5
    assert path.name in answer.err
