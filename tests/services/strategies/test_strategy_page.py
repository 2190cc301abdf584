"""The page for authors, docs/strategies.md, as tests: what it shows runs, what it lists is all."""

import re
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from schema.settings import EngineSettings, RunSettings, StrategySettings
from schema.strategy import Offer
from services.engine.bars import Bars
from services.engine.bundle import digest_of
from services.engine.loading import load
from services.engine.strategy import Strategy, Target
from services.engine.view import View
from tests.services.strategies.desk import SYMBOL, Desk, entries
from tests.services.strategies.pages import blocks, checks_in, loaded, strategy_in

PAGE = Path(__file__).parents[3] / "docs" / "strategies.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = blocks(PAGE)
STRATEGIES = [block for block in BLOCKS if "(Strategy)" in block]
ARRAYS = {"open", "high", "low", "close", "volume"}
ENGINES = {"series", "count"}
BARS = 600


def table(heading: str) -> list[str]:
    """Return the first cells of the table under a heading."""
    _, _, below = TEXT.partition(f"\n### {heading}\n")
    rows = re.findall(r"^\| (.+?) \|", below.partition("\n#")[0], re.MULTILINE)
    return rows[1:]


def coded(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`(?:Target\.)?(\w+)", cell)}


def closes() -> list[float]:
    moves = np.random.default_rng(7).normal(0, 0.006, BARS)
    found: list[float] = (100 * np.exp(np.cumsum(moves))).tolist()
    return found


def played(strategy: Strategy) -> list[Target | None]:
    desk, answers = Desk(strategy), []
    for name, count in strategy.also.items():
        desk.feed(name, [50.0] * count)
    for close in closes():
        answers += [desk.bar(close), desk.forecasts(0.6), *desk.waits(60)]
        desk.restart()
        wanted = entries(answers[-1:] or [])
        if wanted and not desk.position:
            desk.fills(1.0)
    return answers


@pytest.mark.parametrize("text", STRATEGIES)
def test_a_strategy_of_the_page_is_taken_and_trades(text: str) -> None:
    files = (("strategies.shown", text),)
    load(Offer("shown", "strategies/shown.py", digest_of(files), files, (SYMBOL,), 1000.0))
    with loaded("strategies.shown", text) as module:
        kind = strategy_in(module)
        assert kind is not None
        assert entries(played(kind()))


def test_the_test_of_the_page_passes_for_its_strategy() -> None:
    (strategy,) = [block for block in STRATEGIES if "class Dip" in block]
    (test,) = [block for block in BLOCKS if "import Dip" in block]
    with loaded("strategies.dip", strategy), loaded("test_of_the_page", test) as module:
        checks = checks_in(module)
        assert len(checks) >= 2
        for check in checks:
            check()


def test_every_line_of_python_of_the_page_is_run() -> None:
    assert len(STRATEGIES) == 5
    assert len(BLOCKS) == len(STRATEGIES) + 1


def test_the_page_lists_every_indicator() -> None:
    named = {name for name in vars(Bars) if not name.startswith("_")} - ARRAYS - ENGINES
    assert coded(table("Indicators")) == named


def test_the_page_lists_what_a_view_has() -> None:
    own = {name for name in vars(View) if not name.startswith("_")}
    told = set(get_type_hints(View.__init__)) - {"also", "purse", "return"}
    assert coded(table("The view")) >= own | told | ARRAYS


def test_the_page_lists_every_event() -> None:
    events = {name for name in vars(Strategy) if name.startswith("on_")}
    assert coded(table("Events")) == events


def test_the_page_lists_every_way_to_say_a_target() -> None:
    fields = set(Target.__struct_fields__) - {"kind", "size"}
    assert coded(table("Targets")) >= fields | {"weight", "qty", "notional", "flat", "keep"}


def test_the_page_lists_every_setting_of_a_strategy() -> None:
    own = {name for name in StrategySettings.__struct_fields__ if name != "backtest"}
    runs = {f"backtest.{name}" for name in RunSettings.__struct_fields__}
    found = {cell.strip("`") for cell in table("Settings")}
    engine = {"call_ms", "memory_mib", "resize_pct", "cash_reserve_bps"}
    engine |= {"trail_step_bps", "trail_pause_ms"}
    assert engine <= set(EngineSettings.__struct_fields__)
    assert found == own | runs | {f"engine.{name}" for name in engine}
