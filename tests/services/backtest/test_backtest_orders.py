"""Stops that trail, entries that wait or climb, and takes in parts: in a run as in the house."""

from pathlib import Path

import pytest

from schema.ledger import decimals
from services.backtest.ideal import IdealExchange
from services.backtest.outside import Outside
from services.backtest.rehearsal import Rehearsal
from services.backtest.running import Played
from services.backtest.witness import Witness
from tests.services.backtest.recorded import walk_file
from tests.services.backtest.test_backtest_run import (
    SYMBOL,
    history_of,
    played,
    records_of,
    settings_for,
)
from tests.services.rrr.check_desk import offer, task

WORDS = {
    "trail": "trail=px * 0.003",
    "trail_bps": "trail_bps=30, limit=px * 0.9995, good_till=view.in_bars(5)",
    "trail_from": "trail_bps=20, trail_from=px * 1.001, stop=px * 0.996",
    "ladder": "ladder=((px * 0.9995, 0.5), (px * 0.999, 0.3), (px * 0.998, 0.2)), stop=px * 0.995, "
    "take=px * 1.001",
    "takes": "stop=px * 0.996, takes=((px * 1.001, 0.5), (px * 1.002, 0.3), (px * 1.003, 0.2))",
}
SOURCE = '''
"""In again after each exit."""

from services.engine.strategy import Bar, Params, Strategy, Target, View


class Planted(Strategy):
    """Long behind whatever is looked at."""

    warmup = 3

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        if view.position:
            return None
        px = view.price
        return Target.qty(0.02, {words}, why="in")
'''


FILLS = ("book", "next_open")
MINUTES = 200


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walk_file(tmp_path_factory.mktemp("bars") / "walk.csv", MINUTES)


def run(walk: Path, words: str, fills: str) -> Played:
    """Play a strategy that says these words."""
    file = walk.with_name(f"{words}.py")
    file.write_text(SOURCE.format(words=WORDS[words]), encoding="utf-8")
    own = {"FILE": str(file), "BUDGET": "5000", "MODE": "trade", "BACKTEST__FILLS": fills}
    settings = settings_for(**{f"RRR_STRATEGY__PLANTED__{key}": own[key] for key in own})
    return played(walk, "planted", settings)


@pytest.mark.parametrize("fills", FILLS)
@pytest.mark.parametrize("words", WORDS)
def test_a_run_of_it_adds_up_and_nothing_of_it_fails(walk: Path, words: str, fills: str) -> None:
    found = run(walk, words, fills)
    tally = found.tally
    assert not tally.failures
    assert not tally.denials
    assert tally.trips
    assert decimals(tally.ledger) == decimals(found.engine.state.books.ledger)
    ends = {trip.exit_tag for trip in tally.trips}
    wanted = {"takes": {"take", "stop"}, "ladder": {"take", "stop"}}
    assert ends & wanted.get(words, {"trailing stop"}), ends


def test_a_stop_follows_closed_bars_alone_and_is_moved_by_one_request(walk: Path) -> None:
    found = run(walk, "trail", "close")
    assert isinstance(found.exchange, IdealExchange)
    orders = [one for one in found.exchange._orders.values() if one.kind == "stop"]
    moved = [one for one in orders if one.intent.replaces]
    assert len(moved) > 10
    bars = history_of(walk).base[SYMBOL]
    closes = dict(zip((bars.open_ns + bars.step_ns).tolist(), bars.close.tolist(), strict=True))
    for one in moved:
        seen = [px for at_ns, px in closes.items() if at_ns <= one.placed_ns]
        assert one.stop_px <= max(seen) * 0.9975
        replaced = found.exchange._orders[one.intent.replaces]
        assert (replaced.status, replaced.moved_ns) == ("CANCELED", one.placed_ns)
        assert one.stop_px > replaced.stop_px


def test_a_ladder_buys_its_rungs_one_by_one_and_never_more(walk: Path) -> None:
    found = run(walk, "ladder", "book")
    entries = [one for one in records_of(found).orders.values() if one.type == "LIMIT"]
    assert len({one.px for one in entries}) > 3
    assert max(trip.qty for trip in found.tally.trips) <= 2 * 10**6
    assert any(one.filled == 0 for one in entries)


@pytest.mark.parametrize("words", WORDS)
def test_a_rehearsal_takes_it_too(words: str) -> None:
    source = SOURCE.replace("qty(0.02", "qty(0.5").format(words=WORDS[words])
    found = Rehearsal(task(offer(source), 500), Witness(Outside())).play()
    books = found.engine.state.books
    assert not found.failed
    assert books.ledger.fills > 4
    assert sum(not order.place.terminal for order in books.orders.values()) <= 4
