"""Each filter that is announced, on both of its sides, and the price that some are held against."""

from dataclasses import replace

import msgspec
import pytest
from msgspec import structs

from services.venue.columns import Facts
from services.venue.desk import Desk
from services.venue.orders import PairTicket, Ticket
from services.venue.params import Refusal
from services.venue.payload import symbol_row
from tests.services.venue.scripted import (
    FACTS,
    START_MS,
    TERMS,
    UNIT,
    Scripted,
    desk_of,
    ticket,
)
from tests.services.venue.test_refusals import INSIDE_AND_OUTSIDE


def listed(**own: object) -> Facts:
    return replace(FACTS, own=structs.replace(FACTS.limits, **own))


def trading(facts: Facts = FACTS) -> Desk:
    market = Scripted()
    market.facts = {facts.id: facts}
    return Desk(market, TERMS, START_MS)


def verdict(on: Desk, asked: Ticket | PairTicket) -> str:
    try:
        on.place(asked) if isinstance(asked, Ticket) else on.place_pair(asked)
    except Refusal as refusal:
        return refusal.msg.removeprefix("Filter failure: ")
    return "taken"


MARKET_LOT = listed(market_lot=UNIT // 4, market_least=UNIT // 2, market_most=2 * UNIT)

BOTH_SIDES = [
    ("PERCENT_PRICE_BY_SIDE", FACTS, ticket("BUY", "LIMIT", "1", "20"),
     ticket("BUY", "LIMIT", "1", "19.99")),
    ("PERCENT_PRICE_BY_SIDE", FACTS, ticket("BUY", "STOP_LOSS_LIMIT", "1", "500", stop="110"),
     ticket("BUY", "STOP_LOSS_LIMIT", "1", "500.01", stop="110")),
    ("PERCENT_PRICE_BY_SIDE", FACTS, ticket("SELL", "LIMIT", "1", "500"),
     ticket("SELL", "LIMIT", "1", "500.01")),
    ("PERCENT_PRICE_BY_SIDE", FACTS, ticket("SELL", "STOP_LOSS_LIMIT", "1", "20", stop="90"),
     ticket("SELL", "STOP_LOSS_LIMIT", "1", "19.99", stop="90")),
    ("MARKET_LOT_SIZE", MARKET_LOT, ticket("SELL", "MARKET", "0.75"),
     ticket("SELL", "MARKET", "0.8")),
    ("MARKET_LOT_SIZE", MARKET_LOT, ticket("SELL", "MARKET", "0.5"),
     ticket("SELL", "MARKET", "0.25")),
    ("MARKET_LOT_SIZE", MARKET_LOT, ticket("SELL", "MARKET", "2"),
     ticket("SELL", "MARKET", "2.25")),
    ("LOT_SIZE", listed(least_qty=UNIT), ticket("SELL", "LIMIT", "1", "110"),
     ticket("SELL", "LIMIT", "0.999", "110")),
    ("PRICE_FILTER", listed(least_px=110 * UNIT), ticket("SELL", "LIMIT", "1", "110"),
     ticket("SELL", "LIMIT", "1", "109.99")),
    ("NOTIONAL", listed(most_of_market=True, most=100 * UNIT), ticket("SELL", "MARKET", "1"),
     ticket("SELL", "MARKET", "1.001")),
    ("MAX_POSITION", listed(position=11 * UNIT), ticket("BUY", "LIMIT", "1", "90"),
     ticket("BUY", "LIMIT", "1.001", "90")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "facts", "inside", "outside"), BOTH_SIDES)
def test_a_filter_takes_what_lies_inside_and_nothing_outside(
    name: str, facts: Facts, inside: Ticket, outside: Ticket
) -> None:
    assert (verdict(trading(facts), inside), verdict(trading(facts), outside)) == ("taken", name)


def test_the_least_worth_may_spare_market_orders() -> None:
    small = ticket("SELL", "MARKET", "0.001")
    assert verdict(trading(), small) == "NOTIONAL"
    assert verdict(trading(listed(least_of_market=False)), small) == "taken"


def test_open_buys_count_into_the_position_and_those_of_a_pair_once() -> None:
    on = trading(listed(position=12 * UNIT))
    over = ticket("BUY", "STOP_LOSS", "1", stop="110")
    under = ticket("BUY", "LIMIT_MAKER", "1", "90")
    assert verdict(on, PairTicket(above=over, below=under)) == "taken"
    assert verdict(on, ticket("BUY", "LIMIT", "1.001", "90")) == "MAX_POSITION"
    assert verdict(on, ticket("BUY", "LIMIT", "1", "90")) == "taken"
    assert verdict(on, ticket("SELL", "LIMIT", "1", "110")) == "taken"


def test_stops_are_counted_until_they_are_triggered() -> None:
    market = Scripted([(10, 94_00, 1)])
    on = desk_of(market)
    stop = ticket("SELL", "STOP_LOSS_LIMIT", "0.1", "99", stop="95")
    for _ in range(FACTS.limits.algo_orders):
        assert verdict(on, stop) == "taken"
    assert verdict(on, stop) == "MAX_NUM_ALGO_ORDERS"
    assert verdict(on, ticket("SELL", "LIMIT", "0.1", "110")) == "taken"
    on.advance(START_MS + 20)
    assert verdict(on, ticket("SELL", "STOP_LOSS", "0.1", stop="90")) == "taken"


def test_pairs_are_counted_as_lists() -> None:
    on = trading(listed(lists=1))
    over = ticket("SELL", "LIMIT_MAKER", "0.1", "105")
    under = ticket("SELL", "STOP_LOSS", "0.1", stop="90")
    pair = PairTicket(above=over, below=under)
    assert (verdict(on, pair), verdict(on, pair)) == ("taken", "MAX_NUM_ORDER_LISTS")


def test_the_price_of_reference_is_weighted_and_of_the_last_minutes_alone() -> None:
    on = desk_of(Scripted([(10, 30_00, 300), (20, 110_00, 99)]))
    on.advance(START_MS + 30)
    # And one part at 100, which every scripted market begins with.
    weighted = (30_00 * 300 + 110_00 * 99 + 100_00 * 1) / 400 / 100
    just, beyond = f"{5 * weighted - 0.01:.2f}", f"{5 * weighted + 0.02:.2f}"
    assert verdict(on, ticket("SELL", "LIMIT", "0.1", just)) == "taken"
    assert verdict(on, ticket("SELL", "LIMIT", "0.1", beyond)) == "PERCENT_PRICE_BY_SIDE"
    on.advance(START_MS + 300_015)
    assert verdict(on, ticket("SELL", "LIMIT", "0.1", "550")) == "taken"


def test_without_a_trade_in_those_minutes_the_last_one_is_the_reference() -> None:
    on = trading()
    on.advance(START_MS + 3_600_000)
    assert verdict(on, ticket("SELL", "LIMIT", "1", "500")) == "taken"
    assert verdict(on, ticket("SELL", "LIMIT", "1", "500.01")) == "PERCENT_PRICE_BY_SIDE"


def test_a_symbol_in_a_break_takes_no_order_and_says_so_in_its_listing() -> None:
    halted = replace(FACTS, status="BREAK")
    assert verdict(trading(halted), ticket("SELL", "LIMIT", "1", "110")) == "Market is closed."
    assert symbol_row(halted)["status"] == "BREAK"


def test_every_filter_that_is_announced_was_tried_on_both_sides() -> None:
    announced = {str(row["filterType"]) for row in msgspec.convert(
        symbol_row(FACTS)["filters"], list[dict[str, object]]
    )}  # fmt: skip
    tried = {each[0] for each in (*BOTH_SIDES, *INSIDE_AND_OUTSIDE)}
    counted = {"MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ORDER_LISTS"}
    assert announced == tried | counted
