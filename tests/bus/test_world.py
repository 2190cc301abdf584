"""Worlds: data of one market never meets that of another, whatever starts first."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bus.errors import SettingsError
from bus.house import House, open_house, settle_world
from bus.world import World
from tests.bus.houses import ROOT, RUN, bars, checkout, opened, refusal

SETTLERS = 8
SETTLE = "from bus.house import open_house, settle_world; settle_world(open_house())"


def replayed(root: Path, file: Path | str, **environ: str) -> House:
    named = {
        "RRR_VENUE__MARKET": "replay",
        "RRR_VENUE__REPLAY": str(file),
        "RRR_VENUE__SYMBOL": "BTC/USDT",
    }
    return open_house(root, RUN | named | environ)


@pytest.mark.parametrize(
    ("environ", "world"),
    [
        ({}, "local-synthetic-7"),
        ({"RRR_VENUE__SEED": "11"}, "local-synthetic-11"),
        ({"MODE": "paper"}, "paper-binance"),
        ({"MODE": "live", "RRR_EXCHANGE__ACCOUNT": "AB12cd"}, "live-binance-ab12"),
        ({"MODE": "backtest"}, "backtest"),
    ],
)
def test_the_settings_name_the_world(tmp_path: Path, environ: dict[str, str], world: str) -> None:
    assert opened(checkout(tmp_path), **environ).world == world


def test_what_is_replayed_names_the_world_and_where_it_lies_does_not(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    first = replayed(root, bars(root)).world
    assert first.startswith("replay-")
    assert len(first) == len("replay-") + 8
    assert replayed(root, bars(root, "copy.csv")).world == first
    assert replayed(root, "btc.csv").world == first
    others = {
        replayed(root, bars(root, "other.csv", "0,1,2,1,2,4\n")).world,
        replayed(root, bars(root), RRR_VENUE__SYMBOL="ETH/USDT").world,
        replayed(root, bars(root), RRR_VENUE__START="2024-01-01").world,
        replayed(root, bars(root), RRR_VENUE__SEED="8").world,
    }
    assert len(others - {first}) == 4


def test_files_of_a_replay_are_the_same_from_every_directory(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    bars(root)
    inside = root / "data"
    inside.mkdir()
    assert replayed(inside, "btc.csv").settings.venue.replay == (str(root / "btc.csv"),)


def test_a_symbol_is_needed_for_each_file_of_bars(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    named = {"RRR_VENUE__MARKET": "replay", "RRR_VENUE__REPLAY": str(bars(root))}
    assert "found 1 CSV files and 3 symbols" in refusal(root, **named)
    two = f'["{bars(root)}", "{bars(root, "b.csv.gz")}"]'
    assert "found 2 CSV files and 1 symbols" in refusal(
        root, **named | {"RRR_VENUE__REPLAY": two, "RRR_VENUE__SYMBOL": "BTC/USDT"}
    )
    months = opened(
        root, **named | {"RRR_VENUE__REPLAY": two, "RRR_VENUE__SYMBOL": '["A/B", "A/B"]'}
    )
    assert months.settings.ingest.symbols == ("A/B",)


def test_a_recording_names_its_symbols_itself(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    (root / "raw.gz").write_bytes(b"1 {}")
    named = {"RRR_VENUE__MARKET": "replay", "RRR_VENUE__REPLAY": "raw.gz"}
    assert opened(root, **named).world.startswith("replay-")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.csv", "which cannot be read: No such file"),
        ("", "which is no file"),
        ("pipe.csv", "which is no file"),
        ("settings.toml/x.csv", "which cannot be read: Not a directory"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused(tmp_path: Path, name: str, says: str) -> None:
    root = checkout(tmp_path)
    os.mkfifo(root / "pipe.csv")
    named = {"RRR_VENUE__MARKET": "replay", "RRR_VENUE__SYMBOL": "BTC/USDT"}
    assert says in refusal(root, **named, RRR_VENUE__REPLAY=f'["{name}"]')


def test_a_world_is_made_once_and_kept(tmp_path: Path) -> None:
    house = opened(checkout(tmp_path))
    settle_world(house)
    written = (house.world_dir / "world.json").stat().st_mtime_ns
    settle_world(house)
    assert (house.world_dir / "world.json").stat().st_mtime_ns == written
    assert msgspec.json.decode((house.world_dir / "world.json").read_bytes())["seed"] == 7
    assert stat.S_IMODE(house.db_dir.stat().st_mode) == 0o700
    assert (house.world_dir / "backups" / "monthly").is_dir()
    assert (house.log_dir / "audit").is_dir()


def test_a_synthetic_world_may_be_traded_in_more_symbols_later(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    settle_world(opened(root, RRR_VENUE__SYMBOL="BTC/USDT"))
    settle_world(opened(root))


def test_a_world_that_does_not_fit_is_refused_and_both_are_named(tmp_path: Path) -> None:
    house = opened(checkout(tmp_path))
    settle_world(house)
    path = house.world_dir / "world.json"
    before = msgspec.json.encode(World(name="local-synthetic-8", mode="local", seed=8))
    path.write_bytes(before)
    with pytest.raises(SettingsError) as caught:
        settle_world(house)
    assert caught.value.exit_code == 78
    assert "local-synthetic-7" in str(caught.value)
    assert f"{path} says local-synthetic-8 (mode=local seed=8)" in str(caught.value)
    assert path.read_bytes() == before


def test_two_accounts_whose_tags_are_equal_do_not_share_a_world(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    settle_world(opened(root, MODE="live", RRR_EXCHANGE__ACCOUNT="ab12-one"))
    with pytest.raises(SettingsError, match="account=ab12-two"):
        settle_world(opened(root, MODE="live", RRR_EXCHANGE__ACCOUNT="ab12-two"))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"name":"a","mode":"b","x":1}'])
def test_a_damaged_world_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    house = opened(checkout(tmp_path))
    settle_world(house)
    (house.world_dir / "world.json").write_bytes(damage)
    with pytest.raises(SettingsError, match="is damaged"):
        settle_world(house)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_is_refused_until_there_is_room_again(tmp_path: Path) -> None:
    (tmp_path / "world.json.tmp").symlink_to("/dev/full")
    with pytest.raises(SettingsError, match="Free space") as refused:
        World(name="paper-binance", mode="paper").settle(tmp_path)
    assert refused.value.exit_code == 75


def test_a_draft_that_a_kill_left_behind_is_no_world(tmp_path: Path) -> None:
    house = opened(checkout(tmp_path))
    house.world_dir.mkdir(parents=True)
    (house.world_dir / "world.json.tmp").write_bytes(b'{"name": "loc')
    settle_world(house)
    settle_world(house)


def test_processes_that_start_together_agree_on_one_world(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    environ = RUN | {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    starts = [
        subprocess.Popen([sys.executable, "-c", SETTLE], cwd=root, env=environ)
        for _ in range(SETTLERS)
    ]
    assert [start.wait(30) for start in starts] == [0] * SETTLERS
    settle_world(opened(root))
