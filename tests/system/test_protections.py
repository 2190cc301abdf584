"""Three stops in a row lock a symbol of a real house: through deaths, until a person clears it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow

SYMBOL = "BTC/USDT"
SCALE = 30
FALLS_S = 300
STOPS = 3
REST_MS = 30 * 86_400_000
"""Longer than the test: only a person ends it."""

STUMBLES = '''"""Buys a little again and again, and gives it up as soon as the price falls."""

from services.engine.strategy import Params, Strategy, Target, View


class Stumbles(Strategy):
    every_s = 5

    def on_timer(self, now: int, view: View) -> Target | None:
        if view.position:
            return None
        return Target.notional(100.0, stop=view.price * 0.9999, why="again")
'''

ENTRIES = (
    "SELECT count(*) AS n FROM orders WHERE strategy = 'stumbles' AND leg = 'entry' "
    "AND status = 'FILLED'"
)


class Stumbling(Checkout):
    """A house with a strategy whose stops are hit, and a guard that counts three of them."""

    def __init__(self) -> None:
        guard = "RRR_PROTECTION__STOPLOSS_GUARD__"
        super().__init__(
            **{f"{guard}TRADE_LIMIT": str(STOPS), f"{guard}STOP_DURATION_MS": str(REST_MS)},
            RRR_HOUSE__NUMBER="42",
            RRR_CLOCK__SCALE=str(SCALE),
            RRR_VENUE__SYMBOL=SYMBOL,
            RRR_INGEST__HISTORY_DAYS="1",
            RRR_PREDICTOR__TRAIN="false",
            RRR_WARDEN__EXITS="20",
        )
        (self.root / "strategies" / "stumbles.py").write_text(STUMBLES)
        lines = [f'[strategy.{name}]\nmode = "off"' for name in ("threshold", "pulse")]
        lines.append('[strategy.stumbles]\nfile = "strategies/stumbles.py"\nbudget = 1000')
        with (self.root / "settings.local.toml").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def locks(self) -> list[dict[str, str]]:
        """Return what `rrr lock` lists."""
        done = self.rrr("lock", "--json")
        rows: list[dict[str, str]] = json.loads(done.stdout) if done.returncode == 0 else []
        return rows

    def entries(self) -> int:
        """Return how often it was entered."""
        rows: list[dict[str, Any]] = self.query("trading", ENTRIES)
        return int(rows[0]["n"])


@pytest.fixture
def house() -> Iterator[Stumbling]:
    made = Stumbling()
    try:
        made.up()
        yield made
    finally:
        made.close()


def test_three_stops_lock_a_symbol_through_deaths_until_a_person_clears_it(
    house: Stumbling,
) -> None:
    (lock,) = house.until("the guard has locked it", house.locks, patience_s=FALLS_S)
    assert (lock["symbol"], lock["protection"], lock["by"]) == (SYMBOL, "stoploss_guard", "risk")
    assert f"stops={STOPS} trade_limit={STOPS}" in lock["why"]

    for name in ("risk", "engine"):
        house.kill(name)
    assert house.locks() == [lock]
    assert house.rrr("restart", "risk").returncode == 0
    house.until("all is READY", lambda: house.status()["ready"])
    before = house.entries()
    assert_it_is_told_everywhere(house)
    assert house.entries() == before

    done = house.rrr("lock", SYMBOL, "--clear", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.locks() == []
    house.until("it is entered again", lambda: house.entries() > before)


def assert_it_is_told_everywhere(house: Stumbling) -> None:
    """Assert that who looks at the house is told what stops entries, and what releases it."""
    (stop,) = [stop for stop in house.status()["stops"] if stop["what"] == "locked"]
    assert stop["scope"] == SYMBOL
    assert stop["why"].endswith("entries stopped, exits go on")
    assert stop["release"].startswith(f"rrr lock {SYMBOL} --clear")
    for words in (("status",), ("why-not", SYMBOL), ("lock",)):
        shown = house.rrr(*words).stdout
        assert "stoploss_guard" in shown, shown
        assert f"rrr lock {SYMBOL} --clear" in shown, shown
