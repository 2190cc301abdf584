"""The order path under everything that can happen to it, by seeds; a failing one names itself."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from tests.sim.campaign import WANTED, plans, regressions
from tests.sim.odds import Plan, never, plan_of
from tests.sim.run import Result, run, shrink, told

CHUNKS, SEEDS = 30, 10
"""Three hundred seeds, in parts that two workers share."""

SAME = (3, 8)


def _must_hold(plan: Plan) -> Result:
    result = run(plan)
    if result.why:
        pytest.fail(told(shrink(result)), pytrace=False)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("plan", regressions(), ids=lambda plan: plan.text)
def test_what_failed_once_holds_now(plan: Plan) -> None:
    """Live through the story of a plan that broke a law before."""
    _must_hold(plan)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_order_is_lost_doubled_or_forgotten(
    chunk: int, tmp_path_factory: pytest.TempPathFactory, testrun_uid: str
) -> None:
    """Live through some seeds; whoever is last holds what all have seen against what must occur."""
    source = plans(chunk * SEEDS)
    seen: Counter[str] = Counter()
    for _ in range(SEEDS):
        seen.update(_must_hold(next(source)).seen)
    shared = tmp_path_factory.getbasetemp().parent / f"sim {testrun_uid}"
    shared.mkdir(exist_ok=True)
    draft = shared / f"{chunk}.draft"
    draft.write_text(json.dumps(seen))
    draft.rename(shared / f"{chunk}.json")
    parts = sorted(shared.glob("*.json"))
    if len(parts) == CHUNKS:
        total: Counter[str] = Counter()
        for part in parts:
            total.update(json.loads(part.read_text()))
        assert not never(total, 1, WANTED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SAME)
def test_the_same_seed_is_the_same_run_everywhere(seed: int) -> None:
    """Run one plan under other hash seeds and in other time zones: every byte is the same."""
    found = {
        _line(seed, PYTHONHASHSEED=hash_seed, TZ=zone)
        for hash_seed, zone in product(("0", "1", "2"), ("UTC", "Asia/Kathmandu"))
    }
    assert len(found) == 1, found
    assert "trace" in found.pop()


def _line(seed: int, **environ: str) -> str:
    command = [sys.executable, "-m", "tests.sim", "again", Plan(seed).text]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, **environ}, capture_output=True, check=True, text=True
    )
    return done.stdout.splitlines()[-1]


def test_a_plan_is_read_as_it_is_told() -> None:
    plan = Plan(7, flips=True, steps=12, without=("kill", "skew"), odds=(("lag", 0.5),))
    assert plan_of(plan.text) == plan
    with pytest.raises(ValueError, match="no fault is called tsunami"):
        plan_of("7 without=tsunami")


def test_a_failure_is_made_small_and_stays_the_same() -> None:
    def fails(plan: Plan) -> Result:
        holds = "kill" in plan.without or plan.steps < 65
        return Result(plan, why="" if holds else "I2: sent twice", seen={"kill": 1})

    small = shrink(fails(Plan(1)), fails)
    assert small.law == "I2"
    assert "kill" not in small.plan.without
    assert 65 <= small.plan.steps < 75
