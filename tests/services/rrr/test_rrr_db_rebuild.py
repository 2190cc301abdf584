"""`rrr db rebuild`: journals folded again and compared; every kind of damage is found."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bus.clock import SystemClock
from bus.house import House
from bus.lease import Lease
from bus.rows import read_rows
from schema import trading
from schema.frame import position
from schema.streams import STREAMS
from services.writer.archiving import archive_month
from services.writer.backup import back_up
from services.writer.backup_orders import order_of
from services.writer.rebuild import Bounds, fold, opened
from services.writer.rebuild_copy import copy_shard
from services.writer.retiring import retire_month
from tests.services.market_desk import MINUTE_NS, at, bar
from tests.services.rrr import store_desk
from tests.services.rrr.store_desk import epoch_two, exit_code, file_of, keep, traded_house
from tests.services.rrr.trade_day import NOON_NS, Day, files_of, forecast


@pytest.fixture
def house() -> Iterator[House]:
    with traded_house() as made:
        yield made


def run(*args: str) -> Result:
    return store_desk.run("rebuild", *args)


def told(*args: str, code: int = 0) -> dict[str, Any]:
    return store_desk.told("rebuild", *args, "--verify", code=code)


def damaged(house: House, shard: str, *statements: str) -> None:
    store_desk.damaged(file_of(house, shard), *statements)


def test_all_shards_are_the_same_as_their_journals_say(house: House) -> None:
    report = told()
    assert report["ok"]
    begun = {one["shard"]: (one["begun"], one["same"]) for one in report["shards"]}
    assert begun == dict.fromkeys(("trading", "market", "analytics"), ("the beginning", True))
    (trading,) = (one for one in report["shards"] if one["shard"] == "trading")
    assert trading["rows"]["trading trades"] == 1
    assert sum(one["messages"] for one in trading["streams"]) == 13
    assert not (house.world_dir / ".rebuild").exists()


@pytest.mark.usefixtures("house")
def test_people_are_told_from_where_and_how_much() -> None:
    done = run("trading", "--verify")
    assert done.exit_code == 0, done.output
    assert "trading: the same; 13 messages from the beginning" in done.output
    assert "engine.portfolio  1:0 to 1:3  2 messages, retained from 2023-11-14T22:13" in done.output


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE trades SET qty = qty + 1", "trades"),
        ("DELETE FROM trades", "trades"),
        ("DELETE FROM ledger WHERE id = 1", "ledger"),
        ("UPDATE orders SET status = 'CANCELED' WHERE status = 'FILLED'", "orders"),
        (
            "INSERT INTO positions VALUES ('A/B', '', 1, 1, 1, 1, 1, 2, 5, 8, 1, 0, 'mid')",
            "positions",
        ),
        ("UPDATE portfolio_snapshots SET equity = equity - 1", "portfolio_snapshots"),
    ],
)  # fmt: skip
def test_a_changed_row_is_named_with_both_its_values(
    house: House, statement: str, table: str
) -> None:
    damaged(house, "trading", statement)
    report = told("trading", code=5)
    (shard,) = report["shards"]
    wrong = {one["table"]: one for one in shard["differences"]}
    assert list(wrong) == [table]
    assert wrong[table]["only_live"] or wrong[table]["only_fold"]


def test_a_tick_too_many_and_a_changed_bar_are_named_by_their_series(house: House) -> None:
    damaged(
        house,
        "market",
        "INSERT INTO tick (k, ts_ns, px, qty, side) SELECT k + 100, ts_ns, px, qty, side FROM tick "
        "LIMIT 1",
        "UPDATE bar SET c = c + 1",
    )
    (shard,) = told("market", code=5)["shards"]
    wrong = {one["table"]: one for one in shard["differences"]}
    assert set(wrong) == {"tick BTC/USDT ticks", "bar BTC/USDT 1m"}
    assert len(wrong["tick BTC/USDT ticks"]["only_live"]) == 1
    assert len(wrong["bar BTC/USDT 1m"]["only_fold"]) == 1


def test_the_time_of_a_changed_link_is_found(house: House) -> None:
    damaged(house, "analytics", "UPDATE ml_predictions SET bar_said_ns = bar_said_ns + 1")
    (shard,) = told("analytics", code=5)["shards"]
    assert [one["table"] for one in shard["differences"]] == ["ml_predictions"]


def test_without_its_beginning_a_shard_is_folded_from_its_backup(house: House) -> None:
    done = back_up(order_of(house, "market", SystemClock()), SystemClock(), lambda _share: None)
    assert not done.failures
    epoch_two(house)
    keep(house, "market")
    files_of(house, "ingest.trade")[0].unlink()
    (shard,) = told("market")["shards"]
    assert shard["begun"] == "a backup"
    assert "market_data_2023_11@" in shard["base"]
    damaged(house, "market", "UPDATE tick SET px = px + 1 WHERE (k & 1023) = 3")
    (shard,) = told("market", code=5)["shards"]
    assert [one["table"] for one in shard["differences"]] == ["tick BTC/USDT ticks"]


def test_without_a_backup_ticks_are_compared_from_the_oldest_that_is_retained(
    house: House,
) -> None:
    epoch_two(house)
    keep(house, "market")
    files_of(house, "ingest.trade")[0].unlink()
    (shard,) = told("market")["shards"]
    assert (shard["begun"], shard["beyond"]) == ("what is retained", 10)
    damaged(house, "market", "UPDATE tick SET px = px + 1 WHERE (k & 1023) = 3")
    assert told("market")["ok"]
    damaged(house, "market", "UPDATE tick SET px = px + 1 WHERE (k & 1023) = 22")
    (shard,) = told("market", code=5)["shards"]
    assert [row["key"] for row in shard["differences"][0]["only_fold"]] == [22]


def test_what_a_backup_remembers_of_bars_links_what_came_after_it(house: House) -> None:
    order = order_of(house, "analytics", SystemClock())
    assert not back_up(order, SystemClock(), lambda _share: None).failures
    day = Day(house, 2)
    day.say(forecast((STREAMS["ingest.bar"].number, position(1, 1)), 7))
    day.say(bar(NOON_NS))
    day.close()
    keep(house, "analytics")
    files_of(house, "ingest.bar")[0].unlink()
    (shard,) = told("analytics")["shards"]
    assert shard["begun"] == "a backup"
    sql = "SELECT count(*) AS n FROM ml_predictions WHERE bar_said_ns IS NOT NULL"
    assert list(read_rows(house.db_dir, "analytics", sql)) == [{"n": 2}]


def test_a_shard_without_beginning_or_backup_is_said_to_be_beyond_proof(house: House) -> None:
    epoch_two(house)
    for path in files_of(house, "engine.intent"):
        path.unlink()
    report = told("trading", code=3)
    (shard,) = report["shards"]
    assert (report["ok"], shard["same"], shard["begun"]) == (False, None, "nowhere")
    assert "engine.intent" in shard["base"]


def test_a_retired_month_and_what_came_late_are_compared_as_one(house: House) -> None:
    october = at("2023-10-20T00:00:00")
    day = Day(house, 2)
    day.say(bar(october), bar(october + MINUTE_NS, high=6400999))
    keep(house, "market")
    archive_month(house.world_dir, 202310, SystemClock())
    retire_month(house.world_dir, 202310, house.world, SystemClock())
    day.say(bar(october - MINUTE_NS), bar(october, close=6400003))
    day.close()
    keep(house, "market")
    files = sorted(path.name for path in house.db_dir.glob("market*.db"))
    assert files == ["market_data_2023_10.db", "market_data_2023_11.db"]
    (shard,) = told("market")["shards"]
    assert shard["rows"]["market_data_2023_10 bar BTC/USDT 1m"] == 3
    store_desk.damaged(house.db_dir / files[0], "UPDATE bar SET c = c - 1")
    (shard,) = told("market", code=5)["shards"]
    (wrong,) = shard["differences"]
    assert (wrong["file"], len(wrong["only_live"])) == ("market_data_2023_10", 2)


def test_a_shard_of_the_code_before_is_brought_up_and_is_the_same(house: House) -> None:
    damaged(house, "analytics", "DROP TABLE bar_said", *OLD, "PRAGMA user_version = 1")
    (shard,) = told("analytics")["shards"]
    assert shard["same"]


OLD = (
    "ALTER TABLE trade_execution_log DROP COLUMN wanted_by",
    "UPDATE trade_execution_log SET qty_exp = coalesce(filled_exp, qty_exp)",
    "ALTER TABLE trade_execution_log DROP COLUMN filled_exp",
    "DELETE FROM migration WHERE name >= '0002'",
)


def test_what_a_killed_rebuild_left_is_cleared_away(house: House) -> None:
    left = house.world_dir / ".rebuild" / "trading"
    left.mkdir(parents=True)
    (left / "live.db").write_bytes(b"half")
    assert told("trading")["ok"]
    assert not left.parent.exists()


def test_two_rebuilds_at_a_time_are_refused(house: House) -> None:
    lease = Lease(house.world_dir / ".rebuild.lease")
    assert lease.take()
    done = run("trading", "--verify")
    assert exit_code(done) == 3
    assert str(os.getpid()) in str(done.exception)
    lease.release()


@pytest.mark.parametrize("name", [".rebuild.lease", ".rebuild"])
def test_where_nothing_can_be_written_it_says_so_in_one_line(house: House, name: str) -> None:
    if name.endswith("lease"):
        (house.world_dir / name).mkdir()
    else:
        (house.world_dir / name).write_text("in the way")
    done = run("trading", "--verify")
    assert exit_code(done) == 1
    assert "cannot be written" in str(done.exception)


def test_a_copy_is_of_one_moment_though_its_writer_goes_on(house: House, tmp_path: Path) -> None:
    clock = SystemClock()
    with opened("trading", house.db_dir, house.world, clock) as store:
        day = Day(house, 2)
        day.say(trading.RiskState(ts_event=NOON_NS, state="HALTED", reason="r", by="ann"))
        bounds = Bounds(1 << 62, None, joined=False)
        positions = copy_shard("trading", house.db_dir, tmp_path)
        fold("trading", store, house.journal_dir, bounds, clock, lambda _share: None)
        day.close()
        assert copy_shard("trading", house.db_dir, tmp_path) != positions
    assert told("trading")["ok"]


def test_both_folds_can_be_kept_to_look_at(house: House) -> None:
    kept = house.root / "kept"
    assert run("trading", "--keep", str(kept)).exit_code == 0
    found = sorted(str(path.relative_to(kept)) for path in kept.rglob("trading.db"))
    assert found == ["trading/live/db/trading.db", "trading/made/db/trading.db"]
    assert exit_code(run("trading", "--keep", str(kept))) == 2


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("words", [(), ("nonsense", "--verify"), ("--verify", "--keep")])
def test_garbage_is_one_clear_line(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert "Error" in done.output
