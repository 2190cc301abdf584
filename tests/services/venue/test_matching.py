"""What orders get: takers the displayed book, resting orders the tape, stops their trigger."""

import pytest

from services.venue.desk import Desk
from services.venue.orders import PairTicket, Side, Ticket, Type
from services.venue.params import Refusal
from tests.services.venue.scripted import (
    START_MS,
    UNIT,
    Scripted,
    Trade,
    desk_of,
    has,
    now,
    parts,
    ticket,
)


def desk(*trades: Trade) -> Desk:
    return desk_of(Scripted(trades))


def refusal(on: Desk, asked: Ticket | PairTicket) -> tuple[int, str]:
    before = on.records.drain(), on.records.numbers
    with pytest.raises(Refusal) as refused:
        on.place(asked) if isinstance(asked, Ticket) else on.place_pair(asked)
    after = on.records.drain()
    assert (after.orders, after.fills, dict(after.balances)) == ([], [], {}), before
    return refused.value.code, refused.value.msg


def test_a_market_order_takes_the_displayed_levels_with_a_fill_for_each() -> None:
    on = desk()
    order = on.place(ticket("BUY", "MARKET", "1.2"))
    assert order.status == "FILLED"
    assert parts(on, order) == [(101_00, 1_000), (102_00, 200)]
    assert order.money == 12_140 * UNIT // 100
    # The fee of a purchase is taken from what was bought, rounded down for each fill.
    assert has(on, "BTC") == (10 * UNIT + 12 * UNIT // 10 - UNIT // 500 - UNIT // 2500, 0)
    assert has(on, "USDT") == (1_000 * UNIT - 12_140 * UNIT // 100, 0)
    first, second = on.records.fills_of(order.id)
    assert second.id == first.id + 1


def test_what_a_market_order_does_not_find_in_the_book_expires() -> None:
    on = desk()
    order = on.place(ticket("SELL", "MARKET", "5"))
    assert order.status == "EXPIRED"
    assert parts(on, order) == [(99_00, 1_000), (98_00, 2_000)]
    assert has(on, "BTC") == (7 * UNIT, 0)


def test_a_market_order_over_money_spends_no_more_than_that() -> None:
    on = desk()
    order = on.place(ticket("BUY", "MARKET", "0", money="150"))
    assert order.status == "FILLED"
    assert parts(on, order) == [(101_00, 1_000), (102_00, 480)]
    assert 150 * UNIT - 102 * UNIT // 1000 < order.money <= 150 * UNIT


def test_a_limit_order_takes_up_to_its_price_and_waits_with_the_rest() -> None:
    on = desk()
    order = on.place(ticket("BUY", "LIMIT", "3", "101.50"))
    assert (order.status, parts(on, order)) == ("PARTIALLY_FILLED", [(101_00, 1_000)])
    assert has(on, "USDT") == ((1_000 - 101 - 203) * UNIT, 203 * UNIT)


@pytest.mark.parametrize(("qty", "filled"), [("1.5", 1_500), ("1.501", 0)])
def test_fill_or_kill_takes_everything_or_nothing(qty: str, filled: int) -> None:
    on = desk()
    order = on.place(ticket("BUY", "LIMIT", qty, "102", tif="FOK"))
    assert (order.status, order.filled) == ("FILLED" if filled else "EXPIRED", filled)
    assert has(on, "USDT")[1] == 0


def test_immediate_or_cancel_keeps_what_it_took_and_ends() -> None:
    on = desk()
    order = on.place(ticket("BUY", "LIMIT", "3", "101", tif="IOC"))
    assert (order.status, order.filled) == ("EXPIRED", 1_000)
    assert has(on, "USDT")[1] == 0


def test_a_resting_order_is_filled_when_the_tape_trades_through_its_price() -> None:
    on = desk((10, 99_00, 5_000), (20, 98_99, 400), (30, 98_50, 9_000))
    order = on.place(ticket("BUY", "LIMIT", "1", "99"))
    on.advance(START_MS + 20)
    assert [(fill.px, fill.qty, fill.at_ms) for fill in on.records.fills_of(order.id)] == [
        (99_00, 1_000, START_MS + 10)
    ]
    assert on.records.fills_of(order.id)[0].maker


def test_at_its_price_a_resting_order_waits_for_the_quantity_that_was_ahead() -> None:
    on = desk((10, 99_00, 600), (20, 99_00, 600), (30, 99_00, 300), (40, 98_00, 9_000))
    order = on.place(ticket("BUY", "LIMIT", "1", "99"))
    assert now(on, order).ahead == 1_000
    on.advance(START_MS + 10)
    assert (now(on, order).ahead, now(on, order).filled) == (400, 0)
    on.advance(START_MS + 20)
    assert (now(on, order).ahead, now(on, order).filled) == (0, 200)
    on.advance(START_MS + 30)
    assert (now(on, order).status, now(on, order).filled) == ("PARTIALLY_FILLED", 500)
    on.advance(START_MS + 40)
    assert (now(on, order).status, parts(on, order)[-1]) == ("FILLED", (99_00, 500))


def test_a_trade_at_the_moment_of_the_order_is_not_its_own() -> None:
    on = desk((10, 90_00, 9_000))
    on.advance(START_MS + 10)
    order = on.place(ticket("BUY", "LIMIT", "1", "95"))
    on.advance(START_MS + 1_000)
    assert now(on, order).filled == 0


def test_two_orders_share_a_trade_in_the_order_of_price_and_time() -> None:
    on = desk((10, 96_00, 1_500))
    later = on.place(ticket("BUY", "LIMIT", "1", "97"))
    best = on.place(ticket("BUY", "LIMIT", "1", "97.50"))
    last = on.place(ticket("BUY", "LIMIT", "1", "97"))
    on.advance(START_MS + 10)
    assert [now(on, order).filled for order in (best, later, last)] == [1_000, 500, 0]


STOPS: list[tuple[Side, Type, str, int]] = [
    ("SELL", "STOP_LOSS", "98", 98_00),
    ("BUY", "STOP_LOSS", "103", 103_00),
    ("SELL", "TAKE_PROFIT", "103", 103_00),
    ("BUY", "TAKE_PROFIT", "98", 98_00),
]


@pytest.mark.parametrize(("side", "kind", "stop", "px"), STOPS)
def test_a_stop_sleeps_until_the_tape_reaches_it(
    side: Side, kind: Type, stop: str, px: int
) -> None:
    on = desk((10, 100_00, 5), (20, px, 5))
    order = on.place(ticket(side, kind, "0.5", stop=stop))
    on.advance(START_MS + 19)
    assert not now(on, order).working and now(on, order).status == "NEW"
    on.advance(START_MS + 30)
    assert now(on, order).status == "FILLED"
    assert parts(on, order) == [(101_00 if side == "BUY" else 99_00, 500)]
    assert now(on, order).working_ms == START_MS + 20
    assert all(has(on, asset)[1] == 0 for asset in ("BTC", "USDT"))


def test_a_triggered_stop_limit_waits_in_the_book_at_its_price() -> None:
    on = desk((10, 98_00, 5), (20, 99_50, 100), (30, 99_60, 10_000))
    asked = ticket("SELL", "STOP_LOSS_LIMIT", "2", "99.50", stop="98")
    order = on.place(asked)
    on.advance(START_MS + 15)
    assert (now(on, order).working, now(on, order).filled) == (True, 0)
    on.advance(START_MS + 20)
    assert now(on, order).filled == 100
    on.advance(START_MS + 30)
    assert now(on, order).status == "FILLED"


def test_a_triggered_purchase_at_market_spends_no_more_than_there_is() -> None:
    on = desk((10, 100_50, 5))
    on.place(ticket("BUY", "LIMIT", "8.971", "98"))
    order = on.place(ticket("BUY", "STOP_LOSS", "1.2", stop="100.50"))
    assert has(on, "USDT") == (242 * UNIT // 1000, 999_758 * UNIT // 1000)
    on.advance(START_MS + 10)
    assert (now(on, order).status, now(on, order).filled) == ("EXPIRED", 1_194)
    assert has(on, "USDT") == (54 * UNIT // 1000, 879_158 * UNIT // 1000)


def pair(**more: str) -> PairTicket:
    return PairTicket(
        above=ticket("SELL", "LIMIT_MAKER", "1", "105", name=more.get("above", "")),
        below=ticket("SELL", "STOP_LOSS_LIMIT", "1", "95", stop="96"),
    )


def test_a_pair_locks_once_and_its_limit_ends_the_stop() -> None:
    on = desk((10, 106_00, 400), (20, 106_00, 9_000))
    found = on.place_pair(pair())
    assert has(on, "BTC") == (9 * UNIT, UNIT)
    on.advance(START_MS + 10)
    limit, stop = (on.records.orders[leg] for leg in found.legs)
    assert (limit.status, limit.filled, stop.status) == ("PARTIALLY_FILLED", 400, "EXPIRED")
    assert has(on, "BTC") == (9 * UNIT, 6 * UNIT // 10)
    assert not on.records.pairs[found.id].done
    on.advance(START_MS + 20)
    assert on.records.orders[limit.id].status == "FILLED"
    assert on.records.pairs[found.id].done
    assert has(on, "BTC") == (9 * UNIT, 0)


def test_a_pair_whose_stop_is_reached_ends_the_limit() -> None:
    on = desk((10, 95_50, 400))
    found = on.place_pair(pair())
    on.advance(START_MS + 10)
    limit, stop = (on.records.orders[leg] for leg in found.legs)
    assert (limit.status, stop.status) == ("EXPIRED", "FILLED")
    assert has(on, "BTC") == (9 * UNIT, 0)


def test_to_cancel_one_order_of_a_pair_is_to_cancel_both() -> None:
    on = desk()
    found = on.place_pair(pair())
    cancelled, name = on.cancel(on.records.orders[found.legs[1]], "mine")
    assert [order.status for order in cancelled] == ["CANCELED", "CANCELED"]
    assert name == "mine" and on.records.pairs[found.id].done
    assert has(on, "BTC") == (10 * UNIT, 0)


def test_what_the_exchange_refuses_changes_nothing() -> None:
    on = desk()
    on.place(ticket("BUY", "LIMIT", "1", "90", name="mine"))
    on.drain()
    poor = "Account has insufficient balance for requested action."
    for asked, code, msg in (
        (ticket("BUY", "LIMIT", "1", "90", name="mine"), -2010, "Duplicate order sent."),
        (ticket("BUY", "LIMIT", "20", "90"), -2010, poor),
        (ticket("SELL", "MARKET", "10.001"), -2010, poor),
        (ticket("BUY", "MARKET", "0", money="911"), -2010, poor),
        (
            ticket("BUY", "LIMIT_MAKER", "1", "101"),
            -2010,
            "Order would immediately match and take.",
        ),
        (
            ticket("BUY", "STOP_LOSS", "1", stop="100"),
            -2010,
            "Stop price would trigger immediately.",
        ),
        (ticket("BUY", "LIMIT", "1", "90.001"), -1013, "Filter failure: PRICE_FILTER"),
        (ticket("BUY", "LIMIT", "1.0001", "90"), -1013, "Filter failure: LOT_SIZE"),
        (ticket("BUY", "LIMIT", "0.05", "90"), -1013, "Filter failure: NOTIONAL"),
        (ticket("BUY", "MARKET", "0.049"), -1013, "Filter failure: NOTIONAL"),
        (pair(above="mine"), -2010, "Duplicate order sent."),
    ):
        assert refusal(on, asked) == (code, msg)


def test_a_client_id_is_free_again_once_its_order_is_done() -> None:
    on = desk()
    first = on.place(ticket("BUY", "LIMIT", "1", "90", name="mine"))
    on.cancel(first)
    second = on.place(ticket("BUY", "LIMIT", "1", "90", name="mine"))
    assert on.find("BTCUSDT", None, "mine") == second
    assert on.find("BTCUSDT", first.id, "mine") == now(on, first)
    assert on.find("BTCUSDT", first.id, "other") is None


def test_more_than_the_announced_number_of_open_orders_is_refused() -> None:
    on = desk()
    asked = ticket("SELL", "LIMIT", "0.048", "110")
    for _ in range(200):
        on.place(asked)
    assert refusal(on, asked)[1] == "Filter failure: MAX_NUM_ORDERS"
