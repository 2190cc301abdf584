"""The bare way: ccxt.pro alone, as its manual says, hearing trades from the same exchange.

`python -m tests.bench.data_plain SYMBOL...`, in the environment of the house beside it. It says
`here` when it hears. Each line on standard input is the last id of a burst; what comes out is when
each of its trades was there, by the machine's clock.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import SystemClock
from bus.house import open_house
from services.ingest.edge_budget import Budget
from services.ingest.edge_session import open_binance

ROOT = Path(__file__).parents[2]
clock = SystemClock()


async def _follow(exchange: Any, symbol: str, heard: dict[int, int]) -> None:
    while True:
        trades = await exchange.watch_trades(symbol)
        now_ns = clock.mono_ns()
        for trade in trades:
            heard[int(trade["info"]["t"])] = now_ns


async def _quote(exchange: Any, symbols: list[str]) -> None:
    while True:
        await exchange.watch_bids_asks(symbols)


async def _serve(symbols: list[str]) -> None:
    house = open_house(ROOT, os.environ)
    budget = Budget(0.8)
    budget.open(clock)
    budget.obey(0)
    exchange = open_binance(house.settings, budget)
    await exchange.load_markets()
    heard: dict[int, int] = {}
    tasks = [asyncio.create_task(_follow(exchange, symbol, heard)) for symbol in symbols]
    tasks.append(asyncio.create_task(_quote(exchange, symbols)))
    await _stand(exchange, symbols)
    sys.stdout.write("here\n")
    sys.stdout.flush()
    while line := await asyncio.to_thread(sys.stdin.readline):
        while int(line) not in heard:  # noqa: ASYNC110 - many trades, and one look at the end
            await asyncio.sleep(0.002)
        sys.stdout.buffer.write(msgspec.json.encode(heard) + b"\n")
        sys.stdout.flush()
        heard.clear()


async def _stand(exchange: Any, symbols: list[str]) -> None:
    for _ in range(3_000):
        sockets = list(exchange.clients.values())
        known = {name for one in sockets if one.isConnected for name in one.subscriptions}
        if known >= {f"trade::{symbol}" for symbol in symbols}:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the sockets of ccxt do not stand")


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
