"""What is fetched by REST: trades and bars, each row as the exchange wrote it."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from bus.narrow import narrow
from schema.units import MINUTE_NS, MS_NS
from services.ingest.effects import (
    NONE,
    FetchBars,
    FetchedBars,
    FetchedTrades,
    FetchTrades,
    RawTrade,
    Spoiled,
)
from services.ingest.rows import fetched_bar, fetched_trade, read_rows

with narrow():
    from ccxt.base.errors import AuthenticationError

PAGE = 1_000
RECENT = 100
"""Of the newest trades; most gaps are shorter, and the answer comes from the exchange's memory."""

HISTORICAL_COST = 5  # weight 25 in ccxt's units of 0.2
Hear = Callable[[Spoiled], Awaitable[None]]


async def fetch_trades(exchange: Any, effect: FetchTrades, hear: Hear) -> FetchedTrades:
    """Return the trades from an id on; what cannot be read is told apart."""
    market_id = exchange.market(effect.symbol)["id"]
    limit = PAGE if effect.from_id == NONE else RECENT
    recent = await exchange.publicGetTrades({"symbol": market_id, "limit": limit})
    trades = await _trades(effect.symbol, recent, hear)
    head_id = trades[-1][0] if trades else NONE
    if effect.from_id != NONE:
        if trades and trades[0][0] > effect.from_id:
            older = await _older_trades(exchange, market_id, effect.from_id)
            trades = await _trades(effect.symbol, older, hear)
        trades = [trade for trade in trades if trade[0] >= effect.from_id]
    return FetchedTrades(
        effect_id=effect.effect_id, symbol=effect.symbol, trades=tuple(trades), head_id=head_id
    )


async def fetch_bars(exchange: Any, effect: FetchBars, hear: Hear) -> FetchedBars:
    """Return a page of 1m bars; what cannot be read is told apart."""
    rows = await exchange.publicGetKlines(
        {
            "symbol": exchange.market(effect.symbol)["id"],
            "interval": "1m",
            "startTime": effect.start_ns // MS_NS,
            "endTime": effect.until_ns // MS_NS - 1,
            "limit": PAGE,
        }
    )
    bars, spoiled = read_rows(effect.symbol, "bar", rows, fetched_bar)
    for one in spoiled:
        await hear(one)
    last_ns = bars[-1][0] * MS_NS + MINUTE_NS if bars else effect.until_ns
    return FetchedBars(
        effect_id=effect.effect_id,
        symbol=effect.symbol,
        bars=tuple(bars),
        through_ns=last_ns if len(rows) == PAGE else effect.until_ns,
    )


async def _trades(symbol: str, rows: Any, hear: Hear) -> list[RawTrade]:
    trades, spoiled = read_rows(symbol, "trade", rows, fetched_trade)
    for one in spoiled:
        await hear(one)
    return sorted(trades)


async def _older_trades(exchange: Any, market_id: str, from_id: int) -> Any:
    # ccxt's own call insists on a key, which the exchange may do without; where it does not, the
    # newest thousand have to do.
    query = urlencode({"symbol": market_id, "fromId": from_id, "limit": PAGE})
    address = f"{exchange.urls['api']['public']}/historicalTrades?{query}"
    await exchange.throttle(HISTORICAL_COST)
    try:
        return await exchange.fetch(address)
    except AuthenticationError:
        return await exchange.publicGetTrades({"symbol": market_id, "limit": PAGE})
