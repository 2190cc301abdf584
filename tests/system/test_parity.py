"""A house that has traded for a while is played again, and what went otherwise has a name."""

import json
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from schema.orders import Fill
from schema.trading import Decision
from tests.services.backtest.parity_house import NAME, SOURCE
from tests.system import journals, market
from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow

SCALE = 60
FILLS = 12
KNOWN = frozenset({"position", "memory", "gate", "down", "late", "bar", "warm-up"})
"""Causes that a house which starts in the middle of a day, and hears late, may have."""


@pytest.fixture(scope="module")
def traded() -> Iterator[Checkout]:
    """A house in which one strategy has traded a recording for some minutes of its market."""
    with tempfile.TemporaryDirectory() as directory:
        made = market.replaying(
            directory,
            SCALE,
            RRR_INGEST__HISTORY_DAYS="1",
            RRR_PREDICTOR__TRAIN="false",
        )
        (made.root / "strategies" / f"{NAME}.py").write_text(SOURCE)
        off = [f'[strategy.{name}]\nmode = "off"' for name in ("threshold", "pulse")]
        own = f'[strategy.{NAME}]\nfile = "strategies/{NAME}.py"\nbudget = 1000'
        with (made.root / "settings.local.toml").open("a") as file:
            file.write("\n".join([*off, own]) + "\n")
        try:
            made.up()
            made.until("it has traded", lambda: len(said(made, "gateway.order", Fill)) >= FILLS)
            yield made
        finally:
            made.close()


def said(house: Checkout, name: str, kind: type[Any]) -> list[Any]:
    return [one for one in journals.messages(house.journal_dir(), name) if isinstance(one, kind)]


def test_a_day_of_a_running_house_is_played_again(traded: Checkout) -> None:
    day = traded.status()["market_time"]["now"][:10]
    done = traded.rrr("parity", NAME, "--day", day, "--json")
    assert done.returncode in {0, 1}, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    counts, told = report["decisions"], report["differences"]
    assert counts["same"] >= FILLS // 2, told
    assert counts["same"] >= 0.8 * counts["house"], told
    assert {one["cause"] for one in told if one["sort"] == "signal"} <= KNOWN, told
    assert report["stretches"][0]["tape"] == "the venue's own"
    assert done.returncode == any(one["sort"] == "signal" for one in told)
    decided = [one for one in said(traded, "engine.intent", Decision) if one.strategy == NAME]
    assert counts["house"] <= len(decided)
    assert report["latency_ms"]["decided"]["median"] > 0


def test_the_page_ends_with_the_money_by_cause(traded: Checkout) -> None:
    day = traded.status()["market_time"]["now"][:10]
    done = traded.rrr("parity", NAME, "--day", day)
    lines = done.stdout.splitlines()
    assert lines[1] == f"{NAME} on {day}"
    assert lines[-2].split() == ["HOUSE", "RUN", "DIFFERENCE", "SIGNAL", "LATENCY", "FILL", "FEE"]
    house, run, difference, *parts = map(float, lines[-1].split())
    assert difference == pytest.approx(house - run)
    assert sum(parts) == pytest.approx(difference)
    strange = traded.rrr("parity", "nobody", "--day", day)
    assert (strange.returncode, "there is no strategy 'nobody'" in strange.stderr) == (2, True)
