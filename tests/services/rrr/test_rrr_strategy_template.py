"""What `rrr strategy new` writes: it runs, its test passes, and it keeps the rules of the house."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from bus.errors import HouseError
from bus.house import open_house
from schema.settings import StrategySettings
from services.rrr import strategy_template as template
from tests.services.strategies.pages import checks_in, loaded, strategy_in
from tests.test_tidy import readable
from tests.tidy.breaches import RULES
from tests.tidy.source import Source

ROOT = Path(__file__).parents[3]
RUFF = Path(sys.executable).with_name("ruff")
NAME = "my_dip"
FILES = (template.strategy_file(NAME), template.test_file(NAME))


def test_its_test_passes_as_it_is_written() -> None:
    (path, text), (_, test) = FILES
    assert path == "strategies/my_dip.py"
    with loaded("strategies.my_dip", text) as module, loaded("test_my_dip", test) as asked:
        kind = strategy_in(module)
        assert kind is not None
        assert kind.__name__ == "MyDip"
        tests = checks_in(asked)
        assert len(tests) == 3
        for each in tests:
            each()


def test_a_test_that_it_writes_can_fail() -> None:
    (_, text), (_, test) = FILES
    never = text.replace('Target.weight(self.params.weight, stop=stop, why="above_mean")', "None")
    with loaded("strategies.my_dip", never), loaded("test_my_dip", test) as asked:
        buys = checks_in(asked)[0]
        with pytest.raises(AssertionError):
            buys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file[0])
def test_what_it_writes_keeps_the_rules(file: tuple[str, str]) -> None:
    path, text = file
    source = Source(path, text)
    assert [found for rule in RULES if readable(rule, source) for found in rule(source)] == []


def test_the_linter_has_nothing_to_say(tmp_path: Path) -> None:
    desk = "tests/services/strategies/desk.py"
    for path, text in (*FILES, (desk, "")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for verb in (("check",), ("format", "--check")):
        command = [str(RUFF), *verb, "--quiet", *(path for path, _ in FILES)]
        done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_the_settings_that_it_shows_are_taken() -> None:
    table = tomllib.loads(template.settings_block(NAME, 1000, "BTC/USDT"))["strategy"][NAME]
    table["symbols"] = tuple(table["symbols"])
    found = StrategySettings(**table)
    assert (found.file, found.mode, found.symbols) == (FILES[0][0], "shadow", ("BTC/USDT",))


@pytest.mark.parametrize("name", ["Dip", "a", "1st", "my-dip", "../dip", "class", "", "x" * 41])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(HouseError, match="cannot name a strategy"):
        template.class_name(name)


def test_a_new_strategy_is_known_by_its_name_before_the_settings_know_it(tmp_path: Path) -> None:
    places = {"RRR_RUN": str(tmp_path / "run"), "RRR_HOME": str(tmp_path)}
    house = msgspec.structs.replace(open_house(ROOT, places), root=tmp_path)
    assert template.file_meant(house, NAME) is None
    new = tmp_path / template.strategy_file(NAME)[0]
    new.parent.mkdir()
    new.write_text("")
    assert template.file_meant(house, NAME) == new
    assert template.file_meant(house, "trend") is None
    assert template.file_meant(house, f"strategies/{NAME}.py") == new
    assert template.file_meant(house, "../trend.py") is not None
