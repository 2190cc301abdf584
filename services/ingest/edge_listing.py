"""What the exchange lists of our symbols, asked for at the start of a session and ever again.

The exchange refuses a question that names one symbol which it does not know, so that after such an
answer each is asked for alone. Only what it refuses alone is no longer listed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from bus.errors import EdgeError
from bus.narrow import narrow

with narrow():
    from ccxt.base.errors import BadSymbol

RELOAD_S = 60.0
"""Rules change without a word; with an old one every order is refused, so this is short."""

Entries = dict[str, dict[str, Any]]


async def listed(exchange: Any, symbols: Sequence[str]) -> Entries:
    """Return the exchange's own entries of those of some symbols that it lists."""
    try:
        return await _asked(exchange, symbols)
    except BadSymbol:
        found: Entries = {}
        for symbol in symbols if len(symbols) > 1 else ():
            found |= await listed(exchange, [symbol])
        return found


async def begin(
    exchange: Any, symbols: Sequence[str], hear: Callable[[Entries], Awaitable[None]]
) -> None:
    """Tell what is listed, and let ccxt learn of nothing else."""
    found = await listed(exchange, symbols)
    await hear(found)
    if not found:
        raise EdgeError(
            f"the exchange lists none of {' '.join(symbols)}", "Name others in ingest.symbols"
        )
    await exchange.load_markets(False, {"symbols": _ids(found)})


async def reload(
    exchange: Any, symbols: Sequence[str], hear: Callable[[Entries], Awaitable[None]]
) -> None:
    """Ask again and again, and tell what is listed; this ends only by a failure."""
    while True:
        await asyncio.sleep(RELOAD_S)
        await hear(await listed(exchange, symbols))


async def _asked(exchange: Any, symbols: Sequence[str]) -> Entries:
    answer = await exchange.publicGetExchangeInfo({"symbols": _ids(symbols)})
    by_id = {entry.get("symbol"): entry for entry in answer["symbols"]}
    wanted = {symbol: by_id.get(symbol.replace("/", "")) for symbol in symbols}
    return {symbol: entry for symbol, entry in wanted.items() if entry is not None}


def _ids(symbols: Iterable[str]) -> str:
    ids = (symbol.replace("/", "") for symbol in symbols)
    return "[" + ",".join(f'"{each}"' for each in ids) + "]"
