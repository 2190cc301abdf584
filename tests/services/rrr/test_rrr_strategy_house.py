"""`rrr strategy` in a house that runs: added, changed, promoted and dropped while others trade."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.rrr.verb_desk import SOURCE
from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow
FILE = "strategies/mine.py"
WHY = "a trial"


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    made = Checkout()
    try:
        (made.root / FILE).write_text(SOURCE)
        made.up()
        yield made
    finally:
        made.close()


def rows(checkout: Checkout) -> dict[str, Any]:
    done = checkout.rrr("strategy", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["strategies"]}


def done(checkout: Checkout, *words: str) -> str:
    found = checkout.rrr("strategy", *words)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def refused(checkout: Checkout, *words: str) -> str:
    found = checkout.rrr("strategy", *words)
    assert found.returncode == 1, found.stdout + found.stderr
    return found.stderr


def test_a_strategy_comes_changes_and_goes_while_the_others_run(checkout: Checkout) -> None:
    before = checkout.pids()["engine"]
    (checkout.root / FILE).write_text(SOURCE)
    done(checkout, "add", FILE, "--shadow", "--budget", "500", "--why", WHY, "--yes")
    mine = rows(checkout)["mine"]
    assert (mine["state"], mine["mode"], mine["budget"]) == ("running", "shadow", 500.0)
    (checkout.root / FILE).write_text(SOURCE.replace("best: float = 0.0", "best: int = 0"))
    assert rows(checkout)["mine"]["edited"]
    assert "source: " in done(checkout, "reload", "mine", "whole", "--yes")
    assert not rows(checkout)["mine"]["edited"]
    done(checkout, "set", "mine", "weight=0.1", "less", "--yes")
    assert rows(checkout)["mine"]["params"] == {"weight": 0.1}
    done(checkout, "budget", "mine", "700", "it earned it", "--yes")
    done(checkout, "promote", "mine", "a week as a shadow", "--yes")
    mine = rows(checkout)["mine"]
    assert (mine["mode"], mine["budget"]) == ("trade", 700.0)
    done(checkout, "pause", "mine", "storm")
    assert rows(checkout)["mine"]["state"] == "paused"
    done(checkout, "resume", "mine", "calm", "--yes")
    done(checkout, "pause", "mine", "over", "--close", "--yes")
    done(checkout, "drop", "mine", "over", "--yes")
    found = rows(checkout)
    assert "mine" not in found
    assert found["threshold"]["state"] == "running"
    assert checkout.pids()["engine"] == before


def test_what_does_not_load_leaves_the_old_one_running(checkout: Checkout) -> None:
    (checkout.root / FILE).write_text(SOURCE)
    done(checkout, "add", FILE, "--name", "other", "--shadow", "--why", WHY, "--yes")
    settings = (checkout.root / "settings.local.toml").read_text()
    (checkout.root / FILE).write_text(SOURCE.replace("class Mine", "raise OSError\nclass Mine"))
    assert "strategies/mine.py line" in refused(checkout, "reload", "other", "worse", "--yes")
    found = rows(checkout)["other"]
    assert (found["state"], found["edited"]) == ("running", True)
    assert (checkout.root / "settings.local.toml").read_text() == settings


def test_a_check_reads_the_history_of_the_house(checkout: Checkout) -> None:
    words = ("check", "mean_reversion", "--since", "3d", "--json")
    found = checkout.until("bars are stored", lambda: _checked(checkout, words))
    assert {one["check"] for one in found["findings"]} >= {"future", "warm-up", "state", "time"}
    assert found["ok"], found


def _checked(checkout: Checkout, words: tuple[str, ...]) -> dict[str, Any] | None:
    text = checkout.rrr("strategy", *words).stdout
    return json.loads(text) if text else None


def test_the_audit_tells_who_offered_what_in_a_line(checkout: Checkout) -> None:
    done = checkout.rrr("strategy", "budget", "pulse", "900", "a drill", "--yes")
    assert done.returncode == 0, done.stderr
    log = checkout.root / "logs" / "audit" / "engine.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    offers = [line for line in lines if line.get("verb") == "offer"]
    assert offers
    for line in offers:
        text, why = line["args"]
        assert why
        assert text.endswith("characters)")
        assert len(text) < 300
