"""`rrr db verify`: a sound house is told so, and every planted damage by its own check."""

import shutil
from collections.abc import Iterator

import pytest

from bus.clock import SystemClock
from bus.house import House
from schema import trading
from services.writer.archive_files import archive_path, manifest_path
from services.writer.archiving import archive_month
from services.writer.backup import back_up
from services.writer.backup_orders import order_of
from tests.bus.month_rig import Place, bars
from tests.services.rrr.store_desk import damaged, file_of, keep, run, told, traded_house
from tests.services.rrr.trade_day import NOON_NS, Day, entry_id, fill

PAGE_BYTES = 4096


@pytest.fixture
def house() -> Iterator[House]:
    with traded_house() as made:
        yield made


def failed(*args: str) -> dict[str, str]:
    """Return the checks that fail, and what they found."""
    report = told("verify", *args, code=5)
    assert not report["ok"]
    return {one["name"]: one["detail"] for one in report["checks"] if not one["ok"]}


@pytest.mark.usefixtures("house")
def test_a_sound_house_passes_every_check() -> None:
    report = told("verify")
    assert report["ok"]
    names = {(one["shard"], one["name"]) for one in report["checks"]}
    assert ("trading", "audit chain") in names
    assert ("market_data_2023_11", "coverage") in names
    assert {one["ok"] for one in report["checks"]} == {True}
    assert told("verify", "--quick")["ok"]


@pytest.mark.usefixtures("house")
def test_people_get_one_line_a_check() -> None:
    done = run("verify", "trading")
    assert done.exit_code == 0
    lines = [line.split(maxsplit=2) for line in done.output.splitlines()]
    assert all(line[0] == "trading" for line in lines)
    assert any("2 sums are zero" in line[2] for line in lines)


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        ("UPDATE ledger SET amount = amount + 1 WHERE id = 1", {"ledger entries", "cash"}),
        ("UPDATE trades SET qty = qty + 1", {"filled orders", "cash", "positions"}),
        ("DELETE FROM trades", {"filled orders", "cash", "positions"}),
        ("UPDATE orders SET filled_qty = 1 WHERE filled_qty > 1", {"filled orders"}),
        ("DELETE FROM orders WHERE filled_qty > 1", {"fills"}),
        ("UPDATE positions SET cost = cost - 1", {"positions"}),
        ("DELETE FROM ledger", {"fills", "cash"}),
    ],
)
def test_books_that_do_not_balance_are_found(
    house: House, statement: str, checks: set[str]
) -> None:
    damaged(file_of(house, "trading"), statement)
    assert set(failed("trading")) == checks


def test_a_fill_that_the_engine_has_not_told_of_is_no_fault(house: House) -> None:
    day = Day(house, 2)
    day.say(fill(entry_id(house), "t78", ts_event=NOON_NS + 5))
    day.close()
    keep(house, "trading")
    report = told("verify", "trading")
    (found,) = (one["detail"] for one in report["checks"] if one["name"] == "positions")
    assert "the engine has yet to tell of BTC/USDT" in found


@pytest.fixture
def audited(house: House) -> House:
    """Return a house with four rows in its audit, which the last backup knows."""
    said_by_people(house)
    done = back_up(order_of(house, "trading", SystemClock()), SystemClock(), lambda _share: None)
    assert not done.failures
    return house


def said_by_people(house: House) -> None:
    day = Day(house, 2)
    for number in range(3):
        change = trading.LimitReleased(
            ts_event=NOON_NS, limit_name="daily_loss", scope="*", by="ann", reason=f"seen {number}"
        )
        day.say(change)
    day.close()
    keep(house, "trading")


@pytest.mark.parametrize(
    ("statement", "check", "found"),
    [
        ("UPDATE audit SET reason = 'x' WHERE id = 2", "audit chain", "row 2 is not what"),
        ("DELETE FROM audit WHERE id = 2", "audit chain", "row 2 is missing"),
        ("DELETE FROM audit WHERE id = 4", "end of the audit", "ends with row 3"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE id = 4", "audit chain", "row 4"),
    ],
)
def test_an_audit_that_was_changed_or_cut_is_found(
    audited: House, statement: str, check: str, found: str
) -> None:
    assert told("verify", "trading")["ok"]
    damaged(file_of(audited, "trading"), statement)
    assert found in failed("trading")[check]


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("DELETE FROM bar WHERE k = (SELECT min(k) FROM bar)", "coverage"),
        ("UPDATE tick SET k = k + (7 << 44)", "series of all rows"),
        ("UPDATE tick SET ts_ns = 1 WHERE k = (SELECT min(k) FROM tick)", "ticks of this month"),
        ("UPDATE bar SET k = k - 100000", "bars of this month"),
        ("UPDATE meta SET value = 'another' WHERE key = 'world'", "world"),
    ],
)  # fmt: skip
def test_a_month_with_wrong_rows_is_found(house: House, statement: str, check: str) -> None:
    damaged(file_of(house, "market"), statement)
    assert check in failed("market")


def test_a_flipped_bit_in_a_value_is_found_by_its_checksum(house: House) -> None:
    path = file_of(house, "trading")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"threshold")
    data[at] ^= 1
    path.write_bytes(data)
    found = failed("trading")
    assert f"page {at // PAGE_BYTES + 1} " in found["checksums"]


def test_a_flipped_bit_in_an_archive_is_found_by_its_hash(house: House) -> None:
    archive_month(house.world_dir, 202311, SystemClock())
    assert told("verify", "market")["ok"]
    path = archive_path(house.world_dir, 202311)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    assert "has the hash" in failed("market")["manifest"]


def test_an_archive_without_its_manifest_is_found(house: House) -> None:
    archive_month(house.world_dir, 202311, SystemClock())
    manifest_path(house.world_dir, 202311).unlink()
    assert "expected the manifest of 2023-11" in failed("market", "--quick")["manifest"]


def test_imported_history_is_checked_where_somebody_asks(house: House) -> None:
    place = Place(house.home / "data" / "historical" / "kraken")
    place.archive(bars("BTC/USDT", "1m", "2023-10-01T00:00:00", 9))  # It has no manifest.
    assert told("verify", "--quick")["ok"]
    assert "manifest of 2023-10" in failed("--history", "--quick")["manifest"]
    shutil.rmtree(house.db_dir)  # Nothing was ever traded here.
    assert "manifest of 2023-10" in failed("--history", "--quick")["manifest"]


@pytest.mark.parametrize("shard", ["trading", "market"])
def test_a_file_that_is_no_shard_is_one_failed_check(house: House, shard: str) -> None:
    path = file_of(house, shard)
    path.write_bytes(b"no database" * 1000)
    assert str(path) in failed(shard)["file"]


def test_a_shard_of_newer_code_is_told_with_both_versions(house: House) -> None:
    damaged(file_of(house, "trading"), "PRAGMA user_version = 99")
    found = failed("trading")
    assert list(found) == ["file"]
    assert "its version is 99" in found["file"]


def test_without_any_shard_it_is_not_ready(house: House) -> None:
    shutil.rmtree(house.db_dir)
    done = run("verify")
    assert getattr(done.exception, "exit_code", 0) == 3


@pytest.mark.usefixtures("house")
def test_a_shard_that_does_not_exist_is_one_clear_line() -> None:
    done = run("verify", "nonsense")
    assert done.exit_code == 2
    assert "The shards are: trading, market" in done.output
