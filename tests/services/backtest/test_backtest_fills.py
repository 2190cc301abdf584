"""The ideal exchange: at which price an order fills, when it is told, and what is paid."""

from typing import Any

import numpy as np
import pytest

from schema.exchange import (
    AskAccount,
    AskOrder,
    AskTrades,
    CancelDone,
    CancelRefused,
    OrderAbsent,
    OrderFound,
    OrderPlaced,
    OrderRefused,
    SendCancel,
    SendOrder,
    TradesSeen,
)
from schema.market import Bar
from schema.trading import OrderIntent
from schema.units import MINUTE_NS, MS_NS
from services.backtest.columns import columns_of
from services.backtest.history import History, facts_of
from services.backtest.ideal import IdealExchange
from services.backtest.lane import charge
from services.venue.account import Terms

SYMBOL = "BTC/USDT"
START_NS = 1_750_000_020 * 10**9
UNIT = 10**8
BARS = (
    (100, 110, 90, 105),  # open, high, low, close
    (104, 120, 95, 118),
    (80, 85, 70, 82),
    (83, 130, 83, 125),
)


class Market:
    """An account of 10 BTC and 1000 USDT on four bars."""

    def __init__(self, *, at_open: bool, bps: int = 10) -> None:
        open_ns = START_NS + np.arange(len(BARS)) * MINUTE_NS
        sides = [np.array(side, np.int64) for side in zip(*BARS, strict=True)]
        rest = [np.full(len(BARS), 5, np.int64)] * 3
        history = History({SYMBOL: columns_of("1m", [open_ns, *sides, *rest], (0, 0, 0))})
        terms = Terms(bps, bps, {"BTC": 10 * UNIT, "USDT": 1000 * UNIT})
        self.exchange = IdealExchange(history, terms, START_NS, at_open=at_open)
        self.count = 0

    def sends(self, side: str, **changes: Any) -> Any:
        self.count += 1
        values: dict[str, Any] = {
            "ts_event": self.exchange.at_ns, "client_order_id": f"order{self.count}",
            "strategy": "s", "symbol": SYMBOL, "side": side, "order_type": "market", "qty": 1,
            "px_exp": 0, "qty_exp": 0,
        }  # fmt: skip
        intent = OrderIntent(**values | changes)
        effect = SendOrder(effect_id="e", intent=intent, signed_ms=0, deadline_wall_ms=0)
        return self.exchange.answer(effect)

    def told(self, bar: int) -> list[tuple[str, str, int]]:
        """Return what is told up to a bar's close: the order, its price, and the minute."""
        found = []
        while reports := self.exchange.pass_time(START_NS + bar * MINUTE_NS):
            at = (self.exchange.at_ns - START_NS) // MINUTE_NS
            for one in reports:
                px = one.trades[0].px if one.trades else one.report.status
                found.append((one.report.client_order_id, px, at))
        return found

    @property
    def funds(self) -> dict[str, str]:
        return {asset: free for asset, free, _ in self.exchange.balances()}


def bars() -> list[Bar]:
    starts = range(START_NS, START_NS + len(BARS) * MINUTE_NS, MINUTE_NS)
    return [
        Bar(
            ts_event=start + MINUTE_NS, symbol=SYMBOL, timeframe="1m", open_ns=start,
            open=row[0], high=row[1], low=row[2], close=row[3], volume=5, quote_volume=5,
            trades=5, px_exp=0, qty_exp=0, quote_exp=0,
        )
        for start, row in zip(starts, BARS, strict=True)
    ]  # fmt: skip


def test_at_the_close_an_order_fills_before_it_is_answered() -> None:
    market = Market(at_open=False)
    assert market.told(1) == []
    placed = market.sends("buy", qty=2)
    assert isinstance(placed, OrderPlaced)
    assert placed.report.status == "FILLED"
    (trade,) = placed.trades
    assert (trade.px, trade.quote_qty, trade.fee) == ("105", "210.00000000", "0.21000000")
    assert trade.at_ms == (START_NS + MINUTE_NS) // MS_NS
    assert market.funds == {"BTC": "12.00000000", "USDT": "789.79000000"}
    assert market.exchange.idle


def test_at_the_next_open_an_order_is_taken_first_and_filled_later() -> None:
    market = Market(at_open=True)
    assert market.told(1) == []
    placed = market.sends("sell", qty=3)
    assert (placed.report.status, placed.trades) == ("NEW", ())
    assert market.told(1) == []  # The moment is the close as long as nothing passes.
    assert market.told(2) == [("order1", "104", 1)]
    assert market.funds == {"BTC": "7.00000000", "USDT": "1311.68800000"}


def test_an_order_is_sized_at_the_price_at_which_it_fills() -> None:
    for at_open, prices in ((True, (104, 80, 83, 125)), (False, (105, 118, 82, 125))):
        exchange = Market(at_open=at_open).exchange
        quotes = [exchange.look_at(bar)[0] for bar in bars()]
        assert tuple((one.bid_px, one.ask_px) for one in quotes if one) == tuple(
            (px, px) for px in prices
        )


def test_what_is_ordered_at_an_open_is_filled_at_the_same_one() -> None:
    market = Market(at_open=True)
    market.told(1)
    market.sends("sell")
    (told,) = market.exchange.pass_time(START_NS + 2 * MINUTE_NS)
    assert told.trades[0].px == "104"
    quote, _ = market.exchange.look(SYMBOL, market.exchange.at_ns)
    assert quote is not None and (quote.bid_px, quote.ask_px) == (104, 104)
    market.sends("buy")
    market.sends("sell", order_type="stop", stop_px=96)
    assert market.told(2) == [("order2", "104", 1), ("order3", "96", 2)]


@pytest.mark.parametrize("at_open", [True, False])
def test_a_stop_fills_at_its_trigger_or_at_a_worse_open(*, at_open: bool) -> None:
    market = Market(at_open=at_open)
    market.told(1)
    market.sends("sell", order_type="stop", stop_px=94)
    market.sends("buy", order_type="stop", stop_px=119)
    assert market.told(2) == [("order2", "119", 2)]
    assert market.told(3) == [("order1", "80", 3)]


@pytest.mark.parametrize("at_open", [True, False])
def test_a_limit_fills_at_its_price_or_at_a_better_open(*, at_open: bool) -> None:
    market = Market(at_open=at_open)
    market.told(1)
    market.sends("buy", order_type="limit", limit_px=90)
    market.sends("sell", order_type="limit", limit_px=119)
    assert market.told(3) == [("order2", "119", 2), ("order1", "80", 3)]
    reached = market.sends("buy", order_type="limit", limit_px=200)
    assert reached.trades[0].px == "82"


def test_of_one_bar_the_stop_is_told_before_the_limit() -> None:
    market = Market(at_open=False)
    market.told(1)
    market.sends("sell", order_type="limit", limit_px=119)
    market.sends("sell", order_type="stop", stop_px=96)
    assert market.exchange.pass_time(START_NS + 2 * MINUTE_NS)[0].trades[0].px == "96"
    assert isinstance(cancelled(market, "order1"), CancelDone)
    assert market.told(4) == []


def test_an_order_is_not_reached_by_a_bar_that_opened_before_it() -> None:
    market = Market(at_open=True)
    market.exchange.pass_time(START_NS + MINUTE_NS // 2)
    market.sends("sell", order_type="stop", stop_px=91)
    assert market.told(2) == []
    assert market.told(3) == [("order1", "80", 3)]


def test_an_order_beyond_the_funds_is_refused_or_expires() -> None:
    market = Market(at_open=True)
    market.told(1)
    assert isinstance(market.sends("sell", qty=11), OrderRefused)
    assert isinstance(market.sends("buy", qty=10), OrderRefused)
    market.sends("buy", qty=9)
    market.sends("buy", order_type="limit", limit_px=50)
    assert market.told(2) == [("order3", "104", 1)]
    assert isinstance(market.sends("buy", order_type="limit", limit_px=50), OrderRefused)


def test_an_order_that_must_not_wait_expires_at_once() -> None:
    market = Market(at_open=False)
    market.told(1)
    placed = market.sends("buy", order_type="limit", limit_px=50, time_in_force="IOC")
    assert placed.report.status == "EXPIRED"
    assert isinstance(market.sends("buy", order_type="take_profit_limit"), OrderRefused)


def test_a_cancelled_order_is_gone_and_questions_are_answered() -> None:
    market = Market(at_open=False)
    market.told(1)
    market.sends("buy", order_type="limit", limit_px=50, qty=2)
    assert market.funds["USDT"] == "899.90000000"
    assert isinstance(cancelled(market, "order1"), CancelDone)
    assert isinstance(cancelled(market, "order1"), CancelRefused)
    market.sends("buy")
    found = market.exchange.answer(AskOrder(effect_id="q", client_order_id="order2", symbol=SYMBOL))
    assert isinstance(found, OrderFound) and found.report.status == "FILLED"
    absent = market.exchange.answer(AskOrder(effect_id="q", client_order_id="x", symbol=SYMBOL))
    assert isinstance(absent, OrderAbsent)
    trades = market.exchange.answer(AskTrades(effect_id="q", symbol=SYMBOL, from_id="1"))
    assert isinstance(trades, TradesSeen) and [one.px for one in trades.trades] == ["105"]
    seen: Any = market.exchange.answer(AskAccount(effect_id="q"))
    assert {asset: free for asset, free, _ in seen.balances}["BTC"] == "11.00000000"


def test_the_last_bar_opens_once_more_for_what_waits_at_the_end() -> None:
    market = Market(at_open=True)
    market.told(4)
    market.sends("sell")
    assert market.told(9) == []
    market.exchange.ring_again()
    assert market.told(10) == [("order1", "83", 9)]


def test_a_fee_is_rounded_to_eight_decimals_a_half_to_the_even_one() -> None:
    facts = facts_of(SYMBOL, History({SYMBOL: columns()}).base[SYMBOL])
    assert (facts.px_exp, facts.qty_exp) == (2, 8)
    paid = [charge(facts, px, 50, 10) for px in (1_000, 3_000, 5_000, 5_001)]
    assert paid == [0, 2, 2, 3]  # 0.5, 1.5, 2.5 and 2.5005 hundred-millionths


def columns() -> Any:
    row = [np.array([n], np.int64) for n in (START_NS, 1, 1, 1, 1, 1, 1, 1)]
    return columns_of("1m", row, (2, 8, 8))


def cancelled(market: Market, name: str) -> Any:
    cancel = SendCancel(effect_id="c", client_order_id=name, symbol=SYMBOL)
    return market.exchange.answer(cancel)
