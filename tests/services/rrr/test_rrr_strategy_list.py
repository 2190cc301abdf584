"""`rrr strategy new` and `list`: what is written, and what is told of all strategies."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.bare import bare_house
from tests.services.rrr.verb_desk import SOURCE, House, row, running, verbs, write

FILE = "strategies/mine.py"
HELD: dict[str, Any] = {"symbols": [{"symbol": "BTC/USDT", "position": "0.5", "wants": "0.5"}]}
TABLE = """\
[strategy.mine]  # on trial
file = "strategies/mine.py"
budget = 1000
symbols = ["BTC/USDT"]
mode = "shadow"
"""


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        write(made)
        yield made


def wrote(house: House, text: str = TABLE) -> None:
    (house.root / "settings.local.toml").write_text(text)


def test_a_new_strategy_is_written_with_what_to_do_next(house: House) -> None:
    done = verbs(house, "new", "my_dip")
    assert done.code == 0, done.err
    assert "class MyDip(Strategy)" in (house.root / "strategies" / "my_dip.py").read_text()
    assert done.out.count("rrr ") == 3
    assert "rrr strategy check strategies/my_dip.py" in done.out


def test_its_test_is_written_where_tests_of_strategies_are(house: House) -> None:
    desk = house.root / "tests" / "services" / "strategies" / "desk.py"
    desk.parent.mkdir(parents=True)
    desk.touch()
    assert verbs(house, "new", "my_dip").code == 0
    assert (desk.parent / "test_strategy_my_dip.py").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine", "is there already"),
        ("trend", "is named 'trend' already"),
        ("../x", "cannot name"),
        ("engine", "cannot name"),
    ],
)
def test_a_name_that_is_taken_or_none_writes_nothing(house: House, name: str, words: str) -> None:
    done = verbs(house, "new", name)
    assert done.code == 1
    assert words in done.err
    assert [path.name for path in (house.root / "strategies").iterdir()] == ["mine.py"]


def test_a_list_tells_what_the_settings_say_when_no_engine_runs(house: House) -> None:
    wrote(house)
    done = verbs(house, "list")
    assert done.code == 0, done.err
    assert "No engine runs" in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("mine")]
    assert line.split() == [
        *("mine", "shadow", "not", "running", "BTC/USDT", "1000", "-", "-", FILE)
    ]


def test_a_list_tells_state_worth_positions_and_edits(house: House) -> None:
    wrote(house)
    latch = "strategy paused by ann:7: storm"
    answers = running(
        row(house, mode="shadow", latch=latch, **HELD),
        {"name": "odd", "trouble": "no", "latch": ""},
    )
    write(house, text=SOURCE + "\n# edited\n")
    done = verbs(house, "list", answers=answers)
    assert "paused: by ann:7: storm" in done.out
    assert 'rrr strategy resume mine "why"' in done.out
    assert 'edited since it was loaded: rrr strategy reload mine "why"' in done.out
    assert "BTC/USDT 0.5" in done.out
    assert "1001.50" in done.out
    found = json.loads(verbs(house, "list", "--json", answers=answers).out)
    rows = {one["name"]: one for one in found["strategies"]}
    assert found["running"] is True
    assert rows["mine"]["state"] == "paused"
    assert rows["mine"]["positions"] == {"BTC/USDT": "0.5"}
    assert (rows["odd"]["state"], rows["odd"]["why"]) == ("not loaded", "no")
    assert rows["threshold"]["state"] == "not loaded"
    assert rows["trend"]["state"] == "off"
