"""The house: which settings hold, where each came from, and every way to get them wrong."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bus.build import settings_hash
from bus.errors import SettingsError
from bus.house import explain, open_house, settle_world
from bus.root import find_root
from tests.bus.houses import ROOT, RUN, bars, checkout, opened, refusal


def test_the_shipped_settings_open_a_local_house(tmp_path: Path) -> None:
    house = opened(checkout(tmp_path))
    assert house.settings.mode == "local"
    assert house.settings.clock.scale == 10
    assert house.world == "local-synthetic-7"
    assert house.home == house.root == tmp_path / "a house"
    assert house.db_dir == house.root / "data" / house.world / "db"
    assert house.journal_dir == house.root / "data" / house.world / "journal"
    assert house.log_dir == house.root / "logs"


def test_sockets_are_inside_the_house_when_nothing_else_is_said() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        root = checkout(Path(directory).resolve())
        assert open_house(root, {}).run == root / "data" / "run"


def test_opening_a_house_writes_nothing(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    before = sorted(root.rglob("*"))
    opened(root)
    assert sorted(root.rglob("*")) == before


def test_every_shipped_setting_has_a_comment() -> None:
    for line in (ROOT / "settings.toml").read_text().splitlines():
        assert "=" not in line or "#" in line, line


def test_the_programs_are_those_of_the_supervisor_in_their_order(tmp_path: Path) -> None:
    programs = opened(checkout(tmp_path)).programs
    assert programs[:2] == ("venue", "ingest")
    assert "warden" in programs


def test_every_setting_counts_for_what_a_turn_decides(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    assert settings_hash(opened(root)) == settings_hash(opened(root))
    assert settings_hash(opened(root)) != settings_hash(opened(root, RRR_VENUE__SEED="12"))


def test_a_strategy_counts_for_no_turn_before_it_is_offered(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    other = opened(root, RRR_STRATEGY__PULSE__BUDGET="12")
    assert settings_hash(opened(root)) == settings_hash(other)


def test_a_house_is_found_from_any_directory_inside_it(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    inside = root / "data" / "deep"
    inside.mkdir(parents=True)
    assert find_root(inside) == root


def test_outside_of_a_house_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected supervisord\.conf and settings\.toml"):
        find_root(tmp_path)


@pytest.mark.parametrize(("text", "found"), [("true", True), ("False", False)])
def test_a_yes_or_no_is_read_from_the_environment(
    tmp_path: Path, text: str, *, found: bool
) -> None:
    house = opened(checkout(tmp_path), RRR_PREDICTOR__TRAIN=text)
    assert house.settings.predictor.train is found


def test_local_settings_beat_shipped_ones_and_the_environment_beats_both(tmp_path: Path) -> None:
    root = checkout(tmp_path, "[venue]\nseed = 11\nhistory_days = 3\n")
    house = opened(root, RRR_VENUE__SEED="12")
    assert (house.settings.venue.seed, house.settings.venue.history_days) == (12, 3)
    rows = {name: (value, origin) for name, value, origin in explain(house)}
    assert rows["venue.seed"] == ("12", "RRR_VENUE__SEED")
    assert rows["venue.history_days"] == ("3", "settings.local.toml")
    assert rows["house.number"] == ("0", "settings.toml")


def test_a_list_takes_one_value_or_an_array(tmp_path: Path) -> None:
    root = checkout(tmp_path, '[ingest]\nsymbols = "BTC/USDT"\n')
    assert opened(root).settings.ingest.symbols == ("BTC/USDT",)
    one = opened(root, RRR_VENUE__SYMBOL="BTC/USDT")
    assert one.settings.venue.symbol == ("BTC/USDT",)
    two = opened(root, RRR_VENUE__SYMBOL='["BTC/USDT", "ETH/USDT"]')
    assert two.settings.venue.symbol == ("BTC/USDT", "ETH/USDT")
    none = opened(root, RRR_INGEST__SYMBOLS="").settings
    assert none.ingest.symbols == none.venue.symbol


def test_nobody_else_needs_to_know_that_no_symbols_means_those_of_the_venue(tmp_path: Path) -> None:
    assert opened(checkout(tmp_path)).settings.ingest.symbols == (
        "BTC/USDT",
        "ETH/USDT",
        "SOL/USDT",
    )


@pytest.mark.parametrize("variable", ["MODE", "RRR_MODE"])
def test_the_mode_can_be_said_in_front_of_a_command(tmp_path: Path, variable: str) -> None:
    root = checkout(tmp_path)
    assert opened(root, **{variable: "paper"}).world == "paper-binance"
    assert opened(root, **{variable: ""}).settings.mode == "local"


def test_a_clock_of_real_guards_is_converted_once(tmp_path: Path) -> None:
    house = opened(checkout(tmp_path), RRR_CLOCK__SCALE="2.5", RRR_INGEST__STALE_DATA_MS="1000")
    assert house.settings.ingest.stale_data_ms == 2500
    assert house.settings.warden.within_s == 60
    assert ("ingest.stale_data_ms", "1000", "RRR_INGEST__STALE_DATA_MS") in explain(house)


@pytest.mark.parametrize("mode", ["paper", "backtest"])
def test_only_a_local_market_runs_faster(tmp_path: Path, mode: str) -> None:
    root = checkout(tmp_path)
    house = opened(root, MODE=mode)
    assert house.settings.clock.scale == 1
    assert house.settings.ingest.stale_data_ms == 30_000
    assert ("clock.scale", "1", f"mode {mode}") in explain(house)
    assert opened(root, MODE=mode, RRR_CLOCK__SCALE="1").settings.clock.scale == 1
    said = refusal(root, MODE=mode, RRR_CLOCK__SCALE="2")
    assert "RRR_CLOCK__SCALE: `clock.scale` is 2" in said


def test_a_second_house_has_ports_of_its_own(tmp_path: Path) -> None:
    ports = opened(checkout(tmp_path), RRR_HOUSE__NUMBER="3").settings.ports
    assert (ports.web, ports.metrics, ports.venue) == (8531, 9494, 8120)


WRONG = [
    ({"RRR_VENUE__SEDE": "1"}, "RRR_VENUE__SEDE: unknown setting `venue.sede`; "),
    ({"RRR_VENUE__SEDE": "1"}, "the nearest is `venue.seed`"),
    ({"RRR_VENU__SEED": "1"}, "unknown setting `venu`; the nearest is `venue`"),
    ({"RRR_INGEST__SEED": "1"}, "the nearest is `venue.seed`"),
    ({"RRR_VENUE__": "1"}, "unknown setting `venue.`"),
    ({"RRR_HOMEE": "/a"}, "RRR_HOMEE is no setting"),
    ({"RRR_HOMEE": "/a"}, "write RRR_HOME"),
    ({"RRR_CLOCK__SCALE": "fast"}, "RRR_CLOCK__SCALE: `clock.scale` is 'fast': Expected `float`"),
    ({"RRR_CLOCK__SCALE": "nan"}, "`clock.scale` is nan"),
    (
        {"RRR_VENUE__SYMBOL": '["BTC/USDT", "ETH/EUR"]'},
        "priced in USDT and EUR: expected one quote asset for all that this house trades",
    ),
    ({"RRR_PREDICTOR__TRAIN": "1"}, "`predictor.train` is '1': Expected `bool`, got `str`"),
    ({"RRR_CLOCK__SCALE": "0"}, "`clock.scale` is 0.0: Expected `float` > 0.0"),
    ({"RRR_VENUE__SEED": "-1"}, "RRR_VENUE__SEED: `venue.seed` is -1: Expected `int` >= 0"),
    ({"RRR_VENUE__SEED": str(2**31)}, "`venue.seed` is 2147483648: Expected `int` <= 2147483647"),
    ({"RRR_INGEST__BAR_GRACE_MS": "604800001"}, "Expected `int` <= 604800000"),
    ({"RRR_INGEST__HISTORY_DAYS": "99999"}, "`ingest.history_days` is 99999"),
    ({"RRR_VENUE__SEED": "7.5"}, "`venue.seed` is '7.5': Expected `int`"),
    ({"RRR_VENUE__SEED": ""}, "`venue.seed` is ''"),
    ({"RRR_INGEST__STALE_DATA_MS": "-5"}, "RRR_INGEST__STALE_DATA_MS: `ingest.stale_data_ms`"),
    ({"RRR_VENUE__MARKET": "moon"}, "`venue.market` is 'moon': expected one of synthetic, replay"),
    ({"RRR_VENUE__SYMBOL": "btcusdt"}, "RRR_VENUE__SYMBOL: `venue.symbol`"),
    ({"RRR_VENUE__SYMBOL": "[1]"}, "RRR_VENUE__SYMBOL: `venue.symbol` is [1]: Expected `str`"),
    ({"RRR_VENUE__SYMBOL": "[]"}, "`venue.symbol` is []"),
    ({"RRR_VENUE__SYMBOL": '["BTC/USDT"'}, "RRR_VENUE__SYMBOL: `venue.symbol`"),
    ({"MODE": "production"}, "MODE: `mode` is 'production': expected one of local, paper,"),
    ({"MODE": "live"}, "`exchange.account` is ''"),
    ({"MODE": "live", "RRR_EXCHANGE__ACCOUNT": "../x"}, "`exchange.account` is '../x'"),
    ({"RRR_HOUSE__NUMBER": "100"}, "`house.number` is 100"),
    ({"RRR_HOUSE__NUMBER": "9", "RRR_PORTS__WEB": "65500"}, "the ports of house 9 are"),
    ({"RRR_PORTS__WEB": "8090"}, "`ports` holds 8090 twice"),
    ({"RRR_VENUE__SYMBOL": '["A/B", "A/B"]'}, "`venue.symbol` holds A/B twice"),
    ({"RRR_INGEST__SYMBOLS": "DOGE/USDT"}, "`ingest.symbols` names DOGE/USDT"),
    ({"RRR_VENUE__START": "soon"}, "RRR_VENUE__START: `venue.start` is 'soon': expected an ISO"),
    ({"RRR_VENUE__REPLAY": "a.csv"}, "Set RRR_VENUE__MARKET=replay to play them"),
    ({"RRR_VENUE__MARKET": "replay"}, "`venue.replay` names no file"),
    ({"RRR_RUN": "/" + "long/" * 18}, "at most 100 fit. Set RRR_RUN"),
    ({"RRR_HOME": "~nobody-here/x"}, "`RRR_HOME` is '~nobody-here/x'"),
]


@pytest.mark.parametrize(("environ", "says"), WRONG)
def test_a_wrong_variable_is_refused_by_its_name(
    tmp_path: Path, environ: dict[str, str], says: str
) -> None:
    assert says in refusal(checkout(tmp_path), **environ)


WRONG_FILES = [
    ("venue = 3", "settings.local.toml: `venue` is 3: expected a table [venue]"),
    ("[venue]\nseed = true", "settings.local.toml: `venue.seed` is True: Expected `int`"),
    ("[venue]\nseed = '7'", "settings.local.toml: `venue.seed` is '7': Expected `int`"),
    ("[monitor]\nlag_ms = -1", "settings.local.toml: `monitor.lag_ms` is -1"),
    ("[venue]\nsymbol = [3]", "settings.local.toml: `venue.symbol`"),
    ('[venue]\nreplay = "a\\u0000b"', "`venue.replay` is 'a\\x00b': a path has no NUL in it"),
    ("seed = 3", "unknown setting `seed`; the nearest is `venue.seed`"),
    ("[venue\n", "settings.local.toml cannot be read"),
    ("[venue]\nseed = = 3", "(at line 2, column 8)"),
]


@pytest.mark.parametrize(("local", "says"), WRONG_FILES)
def test_a_wrong_file_is_refused_by_its_name(tmp_path: Path, local: str, says: str) -> None:
    assert says in refusal(checkout(tmp_path, local))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    (root / "settings.local.toml").write_bytes(b"\xff\xfe")
    assert "settings.local.toml cannot be read" in refusal(root)
    (root / "settings.local.toml").unlink()
    (root / "settings.local.toml").mkdir()
    assert "settings.local.toml cannot be read" in refusal(root)


def test_a_shipped_setting_that_was_cut_out_is_missed(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    text = (root / "settings.toml").read_text()
    (root / "settings.toml").write_text(text.replace("seed = 7", ""))
    assert "settings.toml: `venue.seed` is missing" in refusal(root)


def test_naming_the_synthetic_market_leaves_the_files(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    named = {"RRR_VENUE__REPLAY": str(bars(root)), "RRR_VENUE__MARKET": "synthetic"}
    assert opened(root, **named).world == "local-synthetic-7"


def test_home_and_run_move_and_may_be_relative_to_the_house(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    house = opened(root, RRR_HOME="elsewhere", RRR_RUN="/tmp/rrr run")
    assert house.world_dir == root / "elsewhere" / "data" / house.world
    assert house.log_dir == root / "elsewhere" / "logs"
    assert house.run == Path("/tmp/rrr run")


def test_a_run_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    with tempfile.NamedTemporaryFile() as file:
        said = refusal(root, RRR_RUN=file.name)
        assert f"expected a directory that can be written, found {file.name}" in said
        assert "expected a directory" in refusal(root, RRR_RUN=f"{file.name}/deeper")


@pytest.mark.parametrize("place", ["/proc/nowhere", "{}/settings.toml/inside"])
def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path, place: str) -> None:
    root = checkout(tmp_path)
    house = opened(root, RRR_HOME=place.format(root))
    with pytest.raises(SettingsError, match="RRR_HOME moves it elsewhere"):
        settle_world(house)


def test_a_log_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    (root / "logs").write_text("")
    with pytest.raises(SettingsError, match="the log folder"):
        settle_world(opened(root))


def test_a_process_opens_the_house_that_it_stands_in_under_its_own_variables(
    tmp_path: Path,
) -> None:
    root = checkout(tmp_path)
    environ = os.environ | RUN | {"RRR_VENUE__SEED": "99", "PYTHONPATH": str(ROOT)}
    ask = "from bus.house import open_house; print(open_house().world, end='')"
    said = subprocess.check_output([sys.executable, "-c", ask], cwd=root, env=environ, text=True)
    assert said == "local-synthetic-99"
