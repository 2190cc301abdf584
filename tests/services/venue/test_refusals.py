"""What the venue refuses: with codes and texts that Binance publishes, exactly at its filters."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from services.venue.account import Terms
from services.venue.desk import Desk
from services.venue.limits import MULTIPLIER
from services.venue.orders import PairTicket, Ticket
from services.venue.params import Refusal
from tests.services.venue.scripted import FACTS, START_MS, UNIT, Scripted, desk_of, ticket

VENUE = Path(__file__).parents[3] / "services" / "venue"
PUBLISHED = Path(__file__).parents[3] / ".." / "shared" / "data" / "binance_docs"
RICH = Terms(10, 10, {"USDT": 9 * 10**10 * UNIT, "BTC": 8 * 10**10 * UNIT})
WIDE = (0, 10**9 * MULTIPLIER)
ANY_PRICE = replace(FACTS, own=structs.replace(FACTS.limits, bid=WIDE, ask=WIDE))
"""Without a band, so that the extremes of the other filters can be reached."""

UNPUBLISHED = {
    (-1000, "There is no {} here."): "HTML at Binance, which nobody here reads",
    (-1013, "Invalid quantity."): "answered by Binance, and named by ccxt",
    (-1013, "Invalid {}."): "answered by Binance for a price as for a quantity",
    (-1131, "recvWindow must be less than {}"): "answered by Binance, and named by ccxt",
    (-2010, "Stop price would trigger immediately."): "answered by Binance, and named by ccxt",
    (-2018, "Order list does not exist."): "answered by Binance",
    (-2021, "Order cancel-replace partially failed."): "published in the examples",
    (-2022, "Order cancel-replace failed."): "published in the examples",
}


def refusals() -> Iterator[tuple[int, str]]:
    """Yield code and text of each refusal that the venue's source makes."""
    for path in sorted(VENUE.glob("*.py")):
        tree = ast.parse(path.read_text())
        everywhere = [text for node in tree.body for text in named(node)]
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for scope in (*functions, *tree.body):
            if scope in functions or isinstance(scope, ast.Assign):
                here = [text for node in ast.walk(scope) for text in named(node)]
                yield from refusals_in(scope, here, everywhere)


def refusals_in(scope: ast.AST, *texts: list[tuple[str, str]]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refusal":
            code, text = int(ast.unparse(node.args[0])), node.args[1]
            found = ([said for name, said in each if ast.unparse(text) == name] for each in texts)
            yield from ((code, said) for said in next(filter(None, found), [written(text)]))


def named(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the texts that have names; those of a table are all called `msg`."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        if not isinstance(node.value, ast.Dict):
            yield node.targets[0].id, written(node.value)
        elif all(isinstance(value, ast.Constant) for value in node.value.values):
            yield from (("msg", written(value)) for value in node.value.values)


def written(node: ast.AST) -> str:
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(written(part) for part in node.values)
        case _:
            return "{}"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/data is not here")
def test_every_refusal_has_a_published_code_and_its_text() -> None:
    table = json.loads((PUBLISHED / "error_codes.json").read_text())
    messages = {row["code"]: row["messages"] for row in table["codes"]}
    rejections = [row["msg"] for row in table["message_table"]]
    found = set(refusals())
    assert len(found) > 30
    for code, text in sorted(found - set(UNPUBLISHED)):
        said = messages[code] + (rejections if code in {-1013, -2010, -2011} else [])
        assert any(alike(one, text) for one in said), (code, text)
    assert set(UNPUBLISHED) <= found


def alike(published: str, text: str) -> bool:
    """Return whether one is the other, whatever stands in the gaps of either."""
    ours, theirs = (one.rstrip(".").split(gap) for one, gap in ((text, "{}"), (published, "%s")))
    return any(
        re.match(".*".join(map(re.escape, parts)), other)
        for parts, other in ((ours, published), (theirs, text))
        if parts != ["", ""]
    )


def verdict(asked: Ticket | PairTicket, desk: Desk | None = None) -> str:
    market = Scripted()
    market.facts = {FACTS.id: ANY_PRICE}
    on = desk or Desk(market, RICH, START_MS)
    try:
        on.place(asked) if isinstance(asked, Ticket) else on.place_pair(asked)
    except Refusal as refusal:
        return (
            refusal.msg.removeprefix("Filter failure: ") if refusal.code == -1013 else refusal.msg
        )
    return "taken"


INSIDE_AND_OUTSIDE = [
    ("PRICE_FILTER", ticket("BUY", "LIMIT", "500", "0.01"), ticket("BUY", "LIMIT", "500", "0.001")),
    ("PRICE_FILTER", ticket("SELL", "LIMIT", "0.001", "90000000000"),
     ticket("SELL", "LIMIT", "0.001", "90000000000.01")),
    ("PRICE_FILTER", ticket("BUY", "LIMIT", "1", "90.01"), ticket("BUY", "LIMIT", "1", "90.011")),
    ("PRICE_FILTER", ticket("SELL", "STOP_LOSS", "1", stop="90.01"),
     ticket("SELL", "STOP_LOSS", "1", stop="90.011")),
    ("LOT_SIZE", ticket("SELL", "LIMIT", "0.001", "5000"),
     ticket("SELL", "LIMIT", "0.0009", "9000")),
    ("LOT_SIZE", ticket("SELL", "LIMIT", "0.051", "100"), ticket("SELL", "LIMIT", "0.0515", "100")),
    ("LOT_SIZE", ticket("BUY", "LIMIT", "9000000000", "1"),
     ticket("BUY", "LIMIT", "9000000000.001", "0.01")),
    ("LOT_SIZE", ticket("SELL", "MARKET", "9000000000"),
     ticket("SELL", "MARKET", "9000000000.001")),
    ("NOTIONAL", ticket("BUY", "LIMIT", "0.1", "50"), ticket("BUY", "LIMIT", "0.1", "49.99")),
    ("NOTIONAL", ticket("BUY", "LIMIT", "90000000", "100"),
     ticket("BUY", "LIMIT", "90000000", "100.01")),
    ("NOTIONAL", ticket("SELL", "MARKET", "0.05"), ticket("SELL", "MARKET", "0.049")),
    ("NOTIONAL", ticket("BUY", "MARKET", "0", money="5"),
     ticket("BUY", "MARKET", "0", money="4.99")),
    ("NOTIONAL", ticket("SELL", "STOP_LOSS", "0.1", stop="50"),
     ticket("SELL", "STOP_LOSS", "0.1", stop="49.99")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inside", "outside"), INSIDE_AND_OUTSIDE)
def test_a_filter_takes_what_lies_just_inside_and_nothing_just_outside(
    name: str, inside: Ticket, outside: Ticket
) -> None:
    assert (verdict(inside), verdict(outside)) == ("taken", name)


def test_the_largest_market_order_is_bounded_in_quantity_and_not_in_worth() -> None:
    # It is worth a hundred times what a limit order may be worth: `applyMaxToMarket` is false.
    assert verdict(ticket("SELL", "MARKET", "9000000000")) == "taken"
    assert verdict(ticket("SELL", "LIMIT", "9000000000", "100")) == "NOTIONAL"


def test_the_number_of_open_orders_is_bounded_and_a_pair_counts_twice() -> None:
    on = desk_of(Scripted())
    waiting = ticket("SELL", "LIMIT", "0.048", "110")
    for _ in range(FACTS.limits.orders - 1):
        assert verdict(waiting, on) == "taken"
    over, under = (
        ticket("SELL", "LIMIT_MAKER", "0.1", "105"),
        ticket("SELL", "STOP_LOSS", "0.1", stop="90"),
    )
    assert verdict(PairTicket(above=over, below=under), on) == "MAX_NUM_ORDERS"
    assert verdict(waiting, on) == "taken"
    assert verdict(waiting, on) == "MAX_NUM_ORDERS"
    on.cancel(on.records.all_open()[0])
    assert verdict(waiting, on) == "taken"
