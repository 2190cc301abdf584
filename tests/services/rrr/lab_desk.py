"""A house in which nothing runs, and in which the shipped writers kept what a notebook asks for."""

from collections.abc import Iterable
from typing import Any

from bus.clock import ManualClock
from bus.house import House
from schema import market
from schema.head import Message
from schema.house import BacktestResult, RunEquity, RunPrices, RunTrade, RunTrades
from schema.units import DAY_NS
from services.writer.build import open_store
from services.writer.core import Writer
from services.writer.effects import Keep
from services.writer.store import ShardStore
from tests.services.rrr import trade_day
from tests.services.rrr.trade_day import EXPS, MINUTE_NS, NOON_NS, SYMBOL, Day

HOUR_NS = 60 * MINUTE_NS
FIRST_NS = (NOON_NS - 3 * HOUR_NS) // HOUR_NS * HOUR_NS
NOVEMBER_NS = NOON_NS // DAY_NS * DAY_NS - 13 * DAY_NS
RUN_ID = "4b1d0c0ffee5"
STRATEGY = "threshold"
QUOTES = 20


def minute(open_ns: int, close: int = 6_000_000) -> market.Bar:
    prices = {"open": 6_000_000, "high": close + 500, "low": 5_999_000, "close": close}
    at: dict[str, Any] = {"ts_event": open_ns + MINUTE_NS, "open_ns": open_ns}
    sums = {"volume": 250_000, "quote_volume": 15_000_000, "trades": 4}
    return trade_day.bar(7, **at, **prices, **sums)


def minutes() -> list[market.Bar]:
    """Return three minutes on both sides of a month's end, and all of three hours and more."""
    border = [minute(NOVEMBER_NS + n * MINUTE_NS) for n in range(-3, 3)]
    many = (NOON_NS - FIRST_NS) // MINUTE_NS
    return [*border, *(minute(FIRST_NS + n * MINUTE_NS, 6_000_000 + n) for n in range(many))]


def quote(number: int) -> market.Quote:
    at_ns = NOON_NS - (QUOTES - number) * 1_000_000_000
    return market.Quote(
        ts_event=at_ns, symbol=SYMBOL, bid_px=6_000_000 + number, bid_qty=1_000,
        ask_px=6_000_100 + number, ask_qty=2_000, update_id=number, **EXPS,
    )  # fmt: skip


def run() -> list[Message]:
    """Return what one backtest says of itself."""
    trade = RunTrade(
        SYMBOL, "long", NOON_NS, NOON_NS + HOUR_NS, 20, 80, 300, 5, 60_000.0, 60_100.0,
        25_000_000, 5_000_000, "it rises", "it falls",
    )  # fmt: skip
    at = tuple(NOON_NS + n * MINUTE_NS for n in range(60))
    worth = tuple(100_000_000_000 + n * 1_000_000 for n in range(60))
    figures = (("return", 0.0006), ("max_drawdown", 0.0))
    about: dict[str, Any] = {"ts_event": NOON_NS, "run_id": RUN_ID}
    return [
        BacktestResult(**about, strategy=STRATEGY, world="w", metrics=figures, orders=2),
        RunTrades(**about, first=0, trades=(trade,)),
        RunEquity(**about, at_ns=at, equity=worth, exp=8),
        RunPrices(**about, symbol=SYMBOL, at_ns=at, px=(6_000_000,) * 60, px_exp=2),
    ]


def write(house: House, shard: str, messages: Iterable[Message]) -> ShardStore:
    """Give messages to the writer of a shard, and return it, open."""
    house.db_dir.mkdir(parents=True, exist_ok=True)
    store, core = open_store(shard, house, ManualClock(NOON_NS)), Writer(shard)
    kept = [out for one in messages for out in core.handle(one, NOON_NS) if isinstance(out, Keep)]
    store.commit(kept, {})
    return store


def furnish(house: House) -> None:
    """Let a trade, decisions with notes, quotes, bars and a backtest be kept in a house."""
    day = Day(house)
    for number in range(QUOTES):
        day.say(quote(number))
    trade_day.bought(day)
    trade_day.books(day)
    trade_day.worth(day, 9_999_000_000_000)
    hold: dict[str, Any] = {"notes": (("probability", "0.52"), ("mood", "calm"), ("qty", "3"))}
    day.say(trade_day.decision("hold", "no edge", strategy=STRATEGY, **hold))
    day.say(trade_day.decision("hold", "another's", strategy="pulse"))
    day.keep()
    day.close()
    write(house, "market", minutes()).close()
    write(house, "backtest", run()).close()
