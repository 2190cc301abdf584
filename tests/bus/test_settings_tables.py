"""Strategies in the settings: how three sources make one table, and every way to get it wrong."""

from pathlib import Path
from typing import Any

import pytest

from bus.house import explain
from schema.settings import RunSettings, StrategySettings
from tests.bus.houses import ROOT, checkout, opened, refusal

MINE = """
[strategy.mine]
file = "mine.py"
budget = 500

[strategy.mine.params]
fast = 5

[strategy.mine.backtest]
changes = "venue.taker_bps=0"
"""


def test_a_strategy_of_a_local_file_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    strategies = opened(checkout(tmp_path, MINE)).settings.strategy
    assert strategies["mine"] == StrategySettings(
        file="mine.py",
        budget=500.0,
        params={"fast": 5},
        backtest=RunSettings(changes=("venue.taker_bps=0",)),
    )
    assert list(strategies)[:2] == ["threshold", "pulse"]
    assert list(strategies)[-1] == "mine"


def test_one_parameter_of_a_shipped_strategy_is_changed_alone(tmp_path: Path) -> None:
    house = opened(checkout(tmp_path, "[strategy.threshold.params]\nenter = 0.6\n"))
    params = house.settings.strategy["threshold"].params
    assert (params["enter"], params["exit"]) == (0.6, 0.48)
    rows = {name: (value, origin) for name, value, origin in explain(house)}
    assert rows["strategy.threshold.params.enter"] == ("0.6", "settings.local.toml")
    assert rows["strategy.threshold.params.exit"] == ("0.48", "settings.toml")
    assert rows["strategy.threshold.short"] == ("false", "default")
    assert set(rows) <= set(house.origins)


def test_the_environment_changes_every_depth_of_a_strategy(tmp_path: Path) -> None:
    house = opened(
        checkout(tmp_path, MINE),
        RRR_STRATEGY__MINE__BUDGET="2000",
        RRR_STRATEGY__MINE__SYMBOLS='["BTC/USDT", "ETH/USDT"]',
        RRR_STRATEGY__MINE__SHORT="true",
        RRR_STRATEGY__MINE__PARAMS__FAST="12",
        RRR_STRATEGY__MINE__BACKTEST__FILLS="close",
        RRR_STRATEGY__MINE__BACKTEST__FLAT_AT_END="true",
    )
    mine = house.settings.strategy["mine"]
    assert (mine.budget, mine.short, mine.params) == (2000, True, {"fast": 12})
    assert mine.symbols == ("BTC/USDT", "ETH/USDT")
    assert (mine.backtest.fills, mine.backtest.flat_at_end) == ("close", True)
    assert mine.backtest.changes == ("venue.taker_bps=0",)
    assert house.origins["strategy.mine.params.fast"] == "RRR_STRATEGY__MINE__PARAMS__FAST"


def test_the_environment_alone_names_a_strategy(tmp_path: Path) -> None:
    named = {"RRR_STRATEGY__NEW__FILE": "~/new.py", "RRR_STRATEGY__NEW__BUDGET": "7.5"}
    new = opened(checkout(tmp_path), **named).settings.strategy["new"]
    assert new == StrategySettings(file="~/new.py", budget=7.5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-1_000", -1000),
        ("12.5", 12.5),
        ("1e3", 1000.0),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("ema", "ema"),
        ('"12"', "12"),
        ("", ""),
        ("5 # five", "5 # five"),
        ("[1, 2]", "[1, 2]"),
        ("2024-01-01", "2024-01-01"),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_a_parameter_is_read_from_the_environment_as_toml_reads_it(
    tmp_path: Path, text: str, value: object
) -> None:
    house = opened(checkout(tmp_path), RRR_STRATEGY__PULSE__PARAMS__EXTRA=text)
    found = house.settings.strategy["pulse"].params["extra"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("name", ["ema_cross_oracle", "sma_cross"])
def test_what_a_shipped_run_changes_are_settings(tmp_path: Path, name: str) -> None:
    root = checkout(tmp_path)
    changes = opened(root).settings.strategy[name].backtest.changes
    pairs = [change.partition("=")[::2] for change in changes]
    environ = {f"RRR_{key.replace('.', '__').upper()}": value for key, value in pairs}
    assert len(environ) == len(changes)
    house = opened(root, MODE="backtest", **environ)
    assert len(house.settings.venue.balances) == 2
    assert house.settings.engine.cash_reserve_bps == 0


def test_settings_without_a_strategy_are_settings(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    text = (root / "settings.toml").read_text()
    first, last = text.index("[strategy.threshold]"), text.index("[risk]")
    (root / "settings.toml").write_text(text[:first] + text[last:])
    assert opened(root).settings.strategy == {}


WRONG: list[tuple[dict[str, str], str]] = [
    (
        {"RRR_STRATEGY__TREND__BUDGT": "1"},
        (
            "RRR_STRATEGY__TREND__BUDGT: unknown setting `strategy.trend.budgt`; the nearest is "
            "`strategy.trend.budget`"
        ),
    ),
    ({"RRR_STRATEGY__TREND__SLOW": "1"}, "the nearest is `strategy.trend.params.slow`"),
    ({"RRR_STRATEGY__TREND__PARAM__FAST": "1"}, "the nearest is `strategy.trend.params`"),
    (
        {"RRR_STRATEGY__TREND__BACKTEST__FILL": "close"},
        (
            "unknown setting `strategy.trend.backtest.fill`; the nearest is "
            "`strategy.trend.backtest.fills`"
        ),
    ),
    ({"RRR_STRATEGI__TREND__BUDGET": "1"}, "unknown setting `strategi`; the nearest is `strategy`"),
    ({"RRR_STRATEGY__TREND": "1"}, "`strategy.trend` is '1': expected a table [strategy.trend]"),
    ({"RRR_STRATEGY__TREND__PARAMS": "1"}, "expected a table [strategy.trend.params]"),
    ({"RRR_VENUE__SEED__X": "1"}, "unknown setting `venue.seed__x`; the nearest is `venue.seed`"),
    (
        {"RRR_STRATEGY__TREND__BUDGET": "much"},
        "RRR_STRATEGY__TREND__BUDGET: `strategy.trend.budget` is 'much': Expected `float`",
    ),
    (
        {"RRR_STRATEGY__TREND__BUDGET": "0"},
        "`strategy.trend.budget` is 0.0: Expected `float` >= 1e-08",
    ),
    ({"RRR_STRATEGY__TREND__BUDGET": "nan"}, "`strategy.trend.budget` is nan: Expected"),
    ({"RRR_STRATEGY__TREND__SHORT": "1"}, "`strategy.trend.short` is '1': Expected `bool`"),
    ({"RRR_STRATEGY__TREND__SYMBOLS": "btc"}, "`strategy.trend.symbols` is ['btc']: Expected"),
    (
        {"RRR_STRATEGY__TREND__MODE": "on"},
        "`strategy.trend.mode` is 'on': expected one of trade, shadow, off",
    ),
    (
        {"RRR_STRATEGY__TREND__BACKTEST__FILLS": "open"},
        "`strategy.trend.backtest.fills` is 'open': expected one of book, close, next_open",
    ),
    (
        {"RRR_STRATEGY__TREND__BACKTEST__CHANGES": "fees=0"},
        "`strategy.trend.backtest.changes` is ['fees=0']: Expected `str` matching",
    ),
    (
        {"RRR_STRATEGY__TREND__PARAMS__FAST": "inf"},
        "`strategy.trend.params.fast` is inf: expected a finite number of at most 64 bits",
    ),
    ({"RRR_STRATEGY__TREND__PARAMS__FAST": str(1 << 63)}, "of at most 64 bits"),
    (
        {"RRR_STRATEGY__TREN__BUDGET": "5"},
        (
            "RRR_STRATEGY__TREN__BUDGET: `strategy.tren.file` is missing: expected the path of its "
            "Python file. Write `file` in [strategy.tren], or mend the name if you mean "
            "`strategy.trend`"
        ),
    ),
    ({"RRR_STRATEGY__NEW__FILE": "a.py"}, "`strategy.new.budget` is missing: expected the quote"),
    (
        {"RRR_STRATEGY__GATEWAY__BUDGET": "5"},
        "`strategy.gateway` is no name: expected another word",
    ),
    ({"RRR_STRATEGY__UNATTRIBUTED__BUDGET": "5"}, "`strategy.unattributed` is no name"),
    ({"RRR_STRATEGY__9__BUDGET": "5"}, "`strategy.9` is no name: expected a lower-case letter"),
    ({"RRR_STRATEGY___A__BUDGET": "5"}, "`strategy._a` is no name"),
    ({f"RRR_STRATEGY__{'A' * 32}__BUDGET": "5"}, "31 at most"),
    ({"RRR_STRATEGY__TREND__PARAMS__A-B": "5"}, "`strategy.trend.params.a-b` is no name"),
]


@pytest.mark.parametrize(("environ", "says"), WRONG)
def test_a_wrong_variable_of_a_strategy_is_refused_by_its_name(
    tmp_path: Path, environ: dict[str, str], says: str
) -> None:
    assert says in refusal(checkout(tmp_path), **environ)


WRONG_FILES = [
    ("[strategy.new]\n", "settings.local.toml: `strategy.new.file` is missing"),
    ("[strategy]\ntrend = 3\n", "`strategy.trend` is 3: expected a table [strategy.trend]"),
    ("strategy = 3\n", "settings.local.toml: `strategy` is 3: expected a table [strategy]"),
    ("[strategy.Trend]\nbudget = 1\n", "settings.local.toml: `strategy.Trend` is no name"),
    ('[strategy."a b"]\nbudget = 1\n', "`strategy.a b` is no name"),
    ("[strategy.a__b]\nbudget = 1\n", "`strategy.a__b` is no name"),
    ("[strategy.trend]\nparams = 3\n", "expected a table [strategy.trend.params]"),
    ("[strategy.trend.params]\nfast = [1]\n", "`strategy.trend.params.fast` is [1]: Expected"),
    ("[strategy.trend.params.deep]\nx = 1\n", "`strategy.trend.params.deep` is {'x': 1}: Expected"),
    ("[strategy.trend.params]\nfast = nan\n", "settings.local.toml: `strategy.trend.params.fast`"),
    ("[strategy.trend]\nbudget = true\n", "`strategy.trend.budget` is True: Expected `float`"),
]


@pytest.mark.parametrize(("local", "says"), WRONG_FILES)
def test_a_wrong_table_of_a_strategy_is_refused_by_its_name(
    tmp_path: Path, local: str, says: str
) -> None:
    assert says in refusal(checkout(tmp_path, local))


MOVED: list[tuple[Any, str]] = [
    (
        "[threshold]\nenter = 0.6\nbudget = 5\n",
        (
            "settings.local.toml: `threshold.enter` is now `strategy.threshold.params.enter`, "
            "`threshold.budget` is now `strategy.threshold.budget`. Remove the old, and "
            "write `enter` in [strategy.threshold.params] and `budget` in [strategy.threshold]"
        ),
    ),
    ("[pulse]\n", "`pulse` is now `strategy.pulse`"),
    (
        {"RRR_PULSE__EVERY_S": "60"},
        (
            "RRR_PULSE__EVERY_S: `pulse.every_s` is now `strategy.pulse.params.every_s`. "
            "Remove the old, and write RRR_STRATEGY__PULSE__PARAMS__EVERY_S"
        ),
    ),
    (
        '[engine]\nstrategies = ["threshold"]\n',
        (
            "settings.local.toml: `engine.strategies` is gone: each strategy has a table "
            '[strategy.NAME], and trades while its `mode` is "trade". Remove it, and write '
            '`mode = "off"` in [strategy.pulse]'
        ),
    ),
    (
        {"RRR_ENGINE__STRATEGIES": ""},
        "Remove it, and write RRR_STRATEGY__THRESHOLD__MODE=off and RRR_STRATEGY__PULSE__MODE=off",
    ),
    ({"RRR_ENGINE__STRATEGIES": '["threshold", "pulse"]'}, '`mode` is "trade". Remove it'),
]


@pytest.mark.parametrize(("old", "says"), MOVED)
def test_whoever_still_has_the_old_settings_is_told_what_to_write(
    tmp_path: Path, old: Any, says: str
) -> None:
    local, environ = (old, {}) if isinstance(old, str) else ("", old)
    assert says in refusal(checkout(tmp_path, local), **environ)


def test_a_shipped_strategy_names_no_symbol(tmp_path: Path) -> None:
    text = (ROOT / "settings.toml").read_text()
    assert "[strategy.threshold]" in text
    house = opened(checkout(tmp_path))
    assert all(not strategy.symbols for strategy in house.settings.strategy.values())
