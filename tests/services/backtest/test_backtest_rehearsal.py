"""A rehearsal takes what the engine orders: of a bracket one order is done, never both."""

import pytest

from schema.ledger import ACCOUNT
from services.backtest.outside import Outside
from services.backtest.rehearsal import Rehearsal
from services.backtest.witness import Witness
from tests.services.rrr.check_desk import SYMBOL, offer, task

BRACKET = """
class Planted(Strategy):
    warmup = 3

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        if view.position:
            return None
        px = view.price
        return Target.qty(0.01, {words} stop=px * 0.996, take=px * 1.004, why="in")
"""

ENTRIES = ["", "trigger=px * 1.0005,", "limit=px * 0.999, post_only=True,", "limit=px, tif='IOC',"]


@pytest.mark.parametrize("words", ENTRIES)
def test_a_bracket_is_done_at_one_of_its_ends_and_never_at_both(words: str) -> None:
    found = Rehearsal(task(offer(BRACKET.format(words=words))), Witness(Outside())).play()
    books = found.engine.state.books
    assert not found.failed
    holding = books.ledger.holding(SYMBOL, ACCOUNT)
    assert holding is not None
    assert holding.qty in {0, 1_000 * 10 ** (holding.qty_exp - 5)}
    assert books.ledger.fills > 20
    assert sum(not order.place.terminal for order in books.orders.values()) <= 3
