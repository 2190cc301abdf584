"""`rrr db backup` and `rrr db restore`, as a person and a script use them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.clock import SystemClock
from bus.house import settle_world
from bus.rows import read_rows
from schema.units import iso
from services.writer.build import open_store
from tests.services.market_desk import BAR, END_OF_JANUARY, MINUTE_NS, bar, kept
from tests.services.market_desk import store as market_store
from tests.services.test_rrr_db import Person
from tests.services.test_writer_process import COUNT
from tests.services.test_writer_process import House as WritingHouse


class Keeper(Person):
    """Somebody with a few rows in the shards of a house that is down."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.top = path
        settle_world(self.house)
        self.house.run.mkdir(parents=True)
        for shard in ("trading", "market"):
            store = open_store(shard, self.house, SystemClock())
            if shard == "market":
                bars = (bar(END_OF_JANUARY + n * MINUTE_NS) for n in range(5))
                store.commit(kept(*bars), {BAR: 5})
            store.close()

    def told(self, *words: str) -> Any:
        done = self.rrr("db", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, code: int, *words: str) -> str:
        done = self.rrr("db", *words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


def test_all_shards_are_backed_up_listed_and_restored(keeper: Keeper) -> None:
    made = keeper.told("backup")
    files = [row["file"] for row in made["backups"]]
    assert files == ["trading", "market_data_2026_01", "market_data_2026_02"]
    assert all(Path(row["path"]).is_file() for row in made["backups"])
    assert made["failures"] == []
    listed = keeper.rrr("db", "backup", "--list", "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {row["file"] for row in rows} == set(files)
    assert rows[0]["kept"] == ["daily", "weekly", "monthly"]
    to = keeper.top / "it is back"
    done = keeper.told("restore", "--to", str(to))
    assert [row["file"] for row in done["shards"]] == sorted(files)
    assert done["world"] == keeper.house.world
    ((count,),) = (
        row.values() for row in read_rows(to / "db", "market", "SELECT count(*) FROM bars")
    )
    assert count == 5


@pytest.mark.slow
def test_the_commands_that_are_shown_put_it_into_place(keeper: Keeper) -> None:
    keeper.told("backup")
    (keeper.house.db_dir / "trading.db").write_bytes(b"broken")
    to = keeper.top / "it is back"
    done = keeper.told("restore", "trading", "--to", str(to))
    assert (done["commands"][0], done["commands"][-1]) == ("rrr down", "rrr up")
    for command in done["commands"][1:-1]:
        subprocess.run(["/bin/sh", "-ec", command], check=True)
    store = open_store("trading", keeper.house, SystemClock())
    store.close()
    away = keeper.house.world_dir / "before-it is back" / "trading.db"
    assert away.read_bytes() == b"broken"
    shutil.rmtree(keeper.house.db_dir)  # The whole drive is lost: there is nothing to move away.
    again = keeper.told("restore", "trading", "--to", str(keeper.top / "again"))
    for command in again["commands"][1:-1]:
        subprocess.run(["/bin/sh", "-ec", command], check=True)
    assert (keeper.house.db_dir / "trading.db").stat().st_size


@pytest.mark.slow
def test_a_person_reads_what_was_done(keeper: Keeper) -> None:
    done = keeper.rrr("db", "backup", "trading")
    assert "trading: proven, " in done.stdout
    assert "KEPT" in keeper.rrr("db", "backup", "--list").stdout
    shown = keeper.rrr("db", "restore", "--to", str(keeper.top / "to")).stdout
    assert "proven again" in shown
    assert "Nothing of the house was changed" in shown


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["tar", "zip"])
def test_a_bundle_goes_elsewhere_and_comes_back(keeper: Keeper, suffix: str) -> None:
    bundle = keeper.top / f"all.{suffix}"
    made = keeper.told("backup", "--bundle", str(bundle))
    assert made["bundle_bytes"] == bundle.stat().st_size
    done = keeper.told("restore", "--from", str(bundle), "--to", str(keeper.top / "to"))
    assert len(done["shards"]) == 3
    assert "is there already" in keeper.refused(1, "backup", "--bundle", str(bundle))


def test_a_target_on_another_drive_has_a_folder_for_each_world(keeper: Keeper) -> None:
    drive = keeper.top / "drive"
    keeper.environ["RRR_BACKUP__TARGET"] = str(drive)
    assert "Plug its drive in" in keeper.refused(1, "backup")
    assert "drive plugged in?" in keeper.refused(1, "restore", "--to", "x")
    drive.mkdir()
    (row,) = keeper.told("backup", "trading")["backups"]
    assert Path(row["path"]).parent == drive / keeper.house.world / "daily"
    done = keeper.told("restore", "--from", str(drive), "--to", str(keeper.top / "to"))
    assert [row["file"] for row in done["shards"]] == ["trading"]


def test_history_is_copied_when_it_is_asked_for(keeper: Keeper) -> None:
    place = keeper.house.home / "data" / "historical" / "binance"
    (place / "db").mkdir(parents=True)
    store = market_store(place / "db", "history-binance")
    store.commit(kept(bar(END_OF_JANUARY - MINUTE_NS)), {BAR: 1})
    store.close()
    made = [row["world"] for row in keeper.told("backup", "--history")["backups"]]
    assert made.count("history-binance") == 1
    to = keeper.top / "to"
    done = keeper.told("restore", "--from", str(place / "backups"), "--to", str(to), "--at", "@-0s")
    assert done["world"] == "history-binance"
    assert done["folded"] == ""
    assert f"{place}/db" in done["commands"][-2]


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (2, ("backup", "news"), "The shards are"),
        (2, ("restore", "news", "--to", "x"), "The shards are"),
        (2, ("restore",), "--to"),
        (2, ("restore", "--to", "x", "--at", "yesterday"), "no time"),
        (2, ("restore", "--to", "x", "--at", "2999-01-01"), "not over yet"),
        (2, ("backup", "--list", "--history"), "makes nothing"),
        (3, ("backup", "backtest"), "no backtest shard"),
        (1, ("restore", "--to", "x"), "no proven backup"),
        (1, ("restore", "--from", "nowhere", "--to", "x"), "is not there"),
        (1, ("backup", "--bundle", "x.rar"), "no name of a bundle"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    keeper: Keeper, code: int, words: tuple[str, ...], expected: str
) -> None:
    assert expected in keeper.refused(code, *words)


def test_damage_has_an_exit_code_of_its_own(keeper: Keeper) -> None:
    (row,) = keeper.told("backup", "trading")["backups"]
    path = Path(row["path"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    assert "is damaged" in keeper.refused(5, "restore", "--to", str(keeper.top / "to"))
    assert not (keeper.top / "to").exists()
    (keeper.house.db_dir / "trading.db").write_bytes(b"broken" * 1000)
    assert "trading.db" in keeper.refused(5, "backup", "trading")


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[WritingHouse]:
    made = WritingHouse(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_as_of_a_time_the_journals_fill_what_came_after_the_backup(
    writing: WritingHouse, tmp_path: Path
) -> None:
    writing.say(1, 1000)
    writing.start()
    writing.until(COUNT, 1000)
    person = Person(tmp_path)
    person.environ = writing.environ
    assert person.rrr("db", "backup", "market").returncode == 0
    writing.say(1001, 500)
    writing.clock.pause_ms(5)
    moment = iso(writing.clock.wall_ns())
    writing.clock.pause_ms(5)
    writing.say(1501, 500)
    writing.until(COUNT, 2000)
    to = tmp_path / "to"
    done = person.rrr("db", "restore", "--at", moment, "--to", str(to), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["folded"].startswith("500 messages")
    assert told["missing"] == []
    assert {path.suffix for path in (to / "db").iterdir()} == {".db"}
    ((count,),) = (row.values() for row in read_rows(to / "db", "market", COUNT))
    assert count == 1500
