"""What holds for every shipped strategy: it remembers its state alone, and says what it is."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from schema.setting_types import TIMEFRAMES_NS
from schema.strategy import Offer
from services.engine.bundle import digest_of
from services.engine.loading import Loaded, load
from services.engine.strategy import Strategy, Target
from strategies.ema_cross_oracle import EmaCrossOracle
from tests.services.strategies.desk import SYMBOL, Desk, entries

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "strategies").glob("*.py"))
STEPS = 420
SEEDS = range(3)


def strategy_of(file: Path) -> type[Strategy]:
    module = import_module(f"strategies.{file.stem}")
    (kind,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
    )
    return kind


KINDS = [strategy_of(file) for file in FILES]


def day(kind: type[Strategy], seed: int, *, forgets: bool = False) -> list[Target | None]:
    """Play a market that jumps about, filling what is asked for at once."""
    desk, asked = Desk(kind()), []
    for name, count in kind.also.items():
        desk.feed(name, [1.0] * count)
    random = np.random.default_rng(seed)
    for close in (100 * np.exp(np.cumsum(random.normal(0, 0.004, STEPS)))).tolist():
        for answer in (desk.bar(close), desk.forecasts(float(random.random())), *desk.waits(20)):
            if forgets:
                desk.restart()
            asked.append(answer)
            _follow(desk, answer)
    return asked


def _follow(desk: Desk, answer: Target | None) -> None:
    if answer is None or answer.kind == "keep":
        return
    wanted = 0.0 if answer.kind == "flat" else answer.size
    if (wanted > 0) - (wanted < 0) != (desk.position > 0) - (desk.position < 0):
        desk.fills(wanted - desk.position, leg="entry" if wanted else "exit")


@pytest.mark.parametrize("kind", KINDS)
def test_it_decides_the_same_when_it_remembers_its_state_alone(kind: type[Strategy]) -> None:
    bought = 0
    for seed in SEEDS:
        asked = day(kind, seed)
        assert asked == day(kind, seed, forgets=True)
        bought += len(entries(asked))
    assert bought > 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_one_that_an_exchange_could_be_asked_for(kind: type[Strategy]) -> None:
    for target in entries(day(kind, 1)):
        assert target.size
        assert 0 < len(target.why) <= 40


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:Degrees of freedom")
@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("kind", [k for k in KINDS if k is not EmaCrossOracle])
def test_an_indicator_that_is_not_known_yet_buys_nothing(kind: type[Strategy]) -> None:
    desk = Desk(kind(), cold=True)
    assert not entries([desk.bar(100.0 + n % 2) for n in range(2)])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_asked_until_the_warm_up_is_there(kind: type[Strategy]) -> None:
    desk = Desk(kind())
    assert desk.bars([100.0 + n % 7 for n in range(kind.warmup - 1)]) == [None] * (kind.warmup - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_attribute_cannot_be_set_on_it(kind: type[Strategy]) -> None:
    with pytest.raises(AttributeError, match=r"a restart would forget it. Declare it in"):
        kind().best = 1.0


def as_offered(file: Path) -> Loaded:
    files = ((f"strategies.{file.stem}", file.read_text(encoding="utf-8")),)
    path = f"strategies/{file.name}"
    return load(Offer(file.stem, path, digest_of(files), files, (SYMBOL,), 1000.0))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_taken_as_it_is_and_its_parameters_have_ranges(file: Path) -> None:
    found = as_offered(file)
    assert set(found.ranges) == set(found.params.__struct_fields__)
    assert set(found.live) <= set(found.ranges)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_bars_of_the_longest_range_fit_into_the_warm_up(file: Path) -> None:
    found = as_offered(file)
    source = file.read_text(encoding="utf-8")
    looked_at = set(re.findall(r"(?:close\[-|zscore\()self\.params\.(\w+)", source))
    assert all(found.ranges[name].most <= found.kind.warmup for name in looked_at)


@pytest.mark.parametrize("kind", KINDS)
def test_its_docstring_says_what_for_and_when_it_loses(kind: type[Strategy]) -> None:
    said = " ".join((kind.__doc__ or "").split())
    assert "Idea: " in said
    assert re.search(r"\bsuits\b", said)
    assert re.search(r"\bIt loses\b", said)
    assert kind.timeframe in TIMEFRAMES_NS


def test_the_page_of_the_folder_names_every_file() -> None:
    page = (ROOT / "strategies" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+\.py)` ", page, re.MULTILINE)) == {f.name for f in FILES}
