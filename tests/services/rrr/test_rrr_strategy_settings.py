"""Changing strategies in settings.local.toml: what is asked for, and not one byte more."""

import os
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import SettingsError
from bus.settings import load
from services.rrr.strategy_settings import drop, put
from services.rrr.strategy_wish import put_back
from services.rrr.toml_text import cut, put_value, statements
from tests.services.bare import bare_house

OWN = """\
# Mine, and I like it like this.
mode   = 'local'

[strategy.trend]  # on trial
budget = 1500     # was 1000
mode = "shadow"
symbols = [
  "BTC/USDT",     # liquid
  "ETH/USDT",
]

# slow = 40 was worse
[strategy.trend.params] # p
fast = 10

# The limits below are of my broker.
[risk]
daily_loss = 5_00
"""


@pytest.fixture
def root() -> Iterator[Path]:
    with bare_house() as house:
        yield house.root


def local(root: Path) -> Path:
    return root / "settings.local.toml"


def written(root: Path, text: str) -> Path:
    local(root).write_bytes(text.encode())
    return root


def said(root: Path) -> str:
    return local(root).read_bytes().decode()


def strategy(root: Path, name: str) -> Any:
    return load(root, {}).settings.strategy[name]


def test_a_new_strategy_makes_the_file_that_nobody_else_reads(root: Path) -> None:
    put(root, "mine", {"file": "strategies/mine.py", "budget": 500, "params.fast": 12})
    assert said(root) == (
        '[strategy.mine]\nfile = "strategies/mine.py"\nbudget = 500\n\n'
        "[strategy.mine.params]\nfast = 12\n"
    )
    assert local(root).stat().st_mode & 0o777 == 0o600
    assert strategy(root, "mine").params == {"fast": 12}


def test_a_key_changes_where_it_stands_and_keeps_its_comment(root: Path) -> None:
    put(written(root, OWN), "trend", {"budget": 2000.5, "params.fast": 12, "mode": "trade"})
    changed = OWN.replace("1500 ", "2000.5 ").replace("fast = 10", "fast = 12")
    assert said(root) == changed.replace('"shadow"', '"trade"')


def test_a_new_key_stands_behind_those_of_its_table(root: Path) -> None:
    put(written(root, OWN), "trend", {"short": True, "params.slow": 30, "backtest.fills": "close"})
    changed = OWN.replace('USDT",\n]\n', 'USDT",\n]\nshort = true\n')
    added = 'fast = 10\nslow = 30\n\n[strategy.trend.backtest]\nfills = "close"\n'
    assert said(root) == changed.replace("fast = 10\n", added)


def test_a_new_strategy_stands_at_the_end(root: Path) -> None:
    put(written(root, OWN), "mine", {"file": "a.py", "budget": 1, "symbols": ("BTC/USDT",)})
    added = '\n[strategy.mine]\nfile = "a.py"\nbudget = 1\nsymbols = ["BTC/USDT"]\n'
    assert said(root) == OWN + added


def test_a_parameter_of_a_shipped_strategy_needs_no_more_than_itself(root: Path) -> None:
    put(root, "threshold", {"params.enter": 0.6})
    assert said(root) == "[strategy.threshold.params]\nenter = 0.6\n"
    assert strategy(root, "threshold").params["exit"] == 0.48


def test_what_was_put_and_dropped_leaves_the_file_as_it_was(root: Path) -> None:
    put(written(root, OWN), "mine", {"file": "a.py", "budget": 1, "params.fast": 1})
    drop(root, "mine")
    assert said(root) == OWN


def test_a_dropped_table_takes_its_comments_along_and_no_others(root: Path) -> None:
    drop(written(root, OWN), "trend")
    first, last = OWN.index("[strategy.trend]"), OWN.index("\n# The limits")
    assert said(root) == OWN[: first - 1] + OWN[last:]
    assert strategy(root, "trend").budget == 1000


def test_dropping_what_the_file_does_not_name_changes_nothing(root: Path) -> None:
    drop(root, "pulse")
    assert not local(root).exists()
    drop(written(root, OWN), "pulse")
    assert said(root) == OWN


WRITTEN = [
    ("[strategy]\ntrend = {budget = 5}  # x\n", "[strategy]\ntrend = {budget = 7}  # x\n"),
    ("strategy.trend.budget = 5 # x\n", "strategy.trend.budget = 7 # x\n"),
    ('[strategy]\ntrend.mode = "off"\n', '[strategy]\ntrend.mode = "off"\ntrend.budget = 7\n'),
    ("[strategy.'trend']\r\n'budget'=5\r\n", "[strategy.'trend']\r\n'budget'=7\r\n"),
    ("[strategy.trend]\r\n", "[strategy.trend]\r\nbudget = 7\r\n"),
    ("[strategy.trend]", "[strategy.trend]\nbudget = 7\n"),
    ("strategy = {trend = {budget = 5}}", "strategy = {trend = {budget = 7}}"),
    ("[risk]\ndaily_loss = 5", "[risk]\ndaily_loss = 5\n\n[strategy.trend]\nbudget = 7\n"),
]


@pytest.mark.parametrize(("before", "after"), WRITTEN)
def test_every_way_to_write_a_table_is_kept(root: Path, before: str, after: str) -> None:
    put(written(root, before), "trend", {"budget": 7})
    assert said(root) == after
    assert strategy(root, "trend").budget == 7
    drop(root, "trend")
    assert "trend" not in tomllib.loads(said(root)).get("strategy", {})


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("trend", {"budget": -1}, "settings.local.toml: `strategy.trend.budget` is -1: Expected"),
    ("trend", {"mode": "on"}, "expected one of trade, shadow, off"),
    ("trend", {"budgt": 5}, "the nearest is `strategy.trend.budget`"),
    ("trend", {"symbols": ("DOGE/USDT",), "mode": "trade"}, "this house trades"),
    ("threshold", {"budget": 90_000}, "expected at most `risk.max_position_notional`"),
    ("mine", {"budget": 5}, "`strategy.mine.file` is missing"),
    ("all", {"file": "a.py", "budget": 5}, "`strategy.all` is no name"),
    ("trend", {"params.fast.deep": 1}, "in a way that this command cannot change"),
]


@pytest.mark.parametrize(("name", "changes", "says"), REFUSED)
def test_a_change_that_the_settings_refuse_leaves_the_file(
    root: Path, name: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        put(written(root, OWN), name, changes)
    assert says in str(caught.value)
    assert said(root) == OWN
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == [
        "settings.local.toml",
        "settings.toml",
        "supervisord.conf",
    ]


def test_a_file_that_is_no_toml_is_refused_with_its_line(root: Path) -> None:
    text = "[risk]\ndaily_loss = = 5\n"
    with pytest.raises(SettingsError, match=r"settings\.local\.toml cannot be read.*at line 2"):
        put(written(root, text), "trend", {"budget": 5})
    with pytest.raises(SettingsError, match=r"at line 2"):
        drop(root, "trend")
    assert said(root) == text
    local(root).write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"settings\.local\.toml cannot be read"):
        put(root, "trend", {"budget": 5})


def test_a_shipped_one_with_a_parameter_of_its_own_is_switched_off(root: Path) -> None:
    put(root, "trend", {"params.fast": 12})
    put(root, "trend", {"mode": "off"})
    assert said(root) == ('[strategy.trend.params]\nfast = 12\n\n[strategy.trend]\nmode = "off"\n')


def test_a_link_and_the_mode_of_the_file_are_kept(root: Path) -> None:
    elsewhere = root / "data" / "mine.toml"
    elsewhere.write_text(OWN)
    elsewhere.chmod(0o640)
    local(root).symlink_to(elsewhere)
    put(root, "trend", {"budget": 5})
    assert local(root).is_symlink()
    assert "budget = 5 " in elsewhere.read_text()
    assert elsewhere.stat().st_mode & 0o777 == 0o640


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(1 << 62), 1 << 62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
KEYS = st.sampled_from([("budget",), ("mode",), ("params", "fast"), ("params", "slow")])
PARAMS_ALONE = "[strategy.trend.params]\nfast = 10\n[strategy.mine.params.deep]\nx = 1\n"
TEXTS = st.sampled_from([OWN, "", PARAMS_ALONE, *(before for before, _ in WRITTEN)])


@given(TEXTS, st.sampled_from(["trend", "mine"]), KEYS, SCALARS)
def test_whatever_is_put_is_read_and_nothing_else_changes(
    text: str, name: str, keys: tuple[str, ...], value: Any
) -> None:
    path = ("strategy", name, *keys)
    assert "".join(one.text for one in statements(text)) == text
    changed = put_value(text, path, value)
    expected = tomllib.loads(text)
    at = expected
    for key in path[:-1]:
        at = at.setdefault(key, {})
    at[path[-1]] = value
    assert tomllib.loads(changed) == expected
    without = tomllib.loads(cut(changed, path[:2]))
    del expected["strategy"][name]
    assert {k: v for k, v in without.get("strategy", {}).items() if v} == {
        k: v for k, v in expected["strategy"].items() if v
    }


def test_a_device_in_place_of_the_settings_is_left_alone(root: Path) -> None:
    local = root / "settings.local.toml"
    pipe = root / "pipe"
    os.mkfifo(pipe)
    local.symlink_to(pipe)
    with pytest.raises(SettingsError, match=r"is no file"):
        put(root, "mine", {"file": "strategies/mine.py", "budget": 5})
    assert pipe.is_fifo()


def test_commands_at_once_lose_nothing_of_each_other(root: Path) -> None:
    names = [f"mine{number}" for number in range(4)]
    with ThreadPoolExecutor() as pool:
        for name in names:
            pool.submit(_put_slowly, root, name)
    assert set(names) <= set(load(root, {}).settings.strategy)


def _put_slowly(root: Path, name: str) -> None:
    with put_back(root):
        put(root, name, {"file": "strategies/mine.py", "budget": 5})
