"""Looks at each message of the live feed before ccxt reads it.

ccxt reads numbers inside of the callback that keeps a socket going: one that is none ends the
callback, and the socket is mute for ever. So what ccxt cannot read does not reach it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Container
from typing import Any

from services.ingest.effects import LiveTrades, Spoiled
from services.ingest.numbers import is_plain
from services.ingest.rows import UNREADABLE, live_trade, shown

ANSWERS = frozenset({"result", "error", "status"})
QUOTE = frozenset({"s", "b", "B", "a", "A"})
TRADE = frozenset({"s", "t", "p", "q", "T"})
KINDS = {"trade": "trade", "depthUpdate": "depth", "kline": "bar"}
Odd = LiveTrades | Spoiled


class Gate:
    """What was kept from ccxt, until the edge takes it."""

    def __init__(self) -> None:
        self._odd: deque[Odd] = deque(maxlen=10_000)
        self._news = asyncio.Event()

    def keep(self, odd: Odd) -> None:
        """Keep what the core is to judge."""
        self._odd.append(odd)
        self._news.set()

    async def next(self) -> Odd:
        """Return the oldest that was kept, once there is any."""
        while not self._odd:
            self._news.clear()
            await self._news.wait()
        return self._odd.popleft()


def odd_in(message: Any, ids: Container[str], symbol_of: Callable[[str], str]) -> Odd | None:
    """Return what is to be kept from ccxt of a message; None when it can read all of it."""
    if not isinstance(message, dict):
        return _text(message, "it is no object of JSON")
    data = message.get("data", message)
    if not isinstance(data, dict):
        return _text(message, "it holds no object")
    if ANSWERS & data.keys():
        return None
    event = data.get("e")
    if event is None and data.keys() >= QUOTE:
        return _odd_quote(data, ids, symbol_of)
    kind = KINDS.get(event) if isinstance(event, str) else None
    if kind is None:
        return _text(message, "it is of no kind that was asked for")
    if not _is_known(data, ids):
        return Spoiled(symbol="", kind=kind, reason=STRANGE, row=shown(data))
    return _odd_trade(data, symbol_of) if kind == "trade" else None


STRANGE = "it names no symbol that was asked for"


def _is_known(data: dict[str, Any], ids: Container[str]) -> bool:
    name = data.get("s")
    return isinstance(name, str) and name in ids


def _odd_quote(
    data: dict[str, Any], ids: Container[str], symbol_of: Callable[[str], str]
) -> Odd | None:
    if not _is_known(data, ids):
        return Spoiled(symbol="", kind="quote", reason=STRANGE, row=shown(data))
    if all(is_plain(data[name]) for name in "bBaA"):
        return None
    why = "a number of it is none"
    return Spoiled(symbol=symbol_of(data["s"]), kind="quote", reason=why, row=shown(data))


def _odd_trade(data: dict[str, Any], symbol_of: Callable[[str], str]) -> Odd | None:
    symbol = symbol_of(data["s"])
    if not data.keys() >= TRADE:
        why = "it lacks " + " ".join(sorted(TRADE - data.keys()))
        return Spoiled(symbol=symbol, kind="trade", reason=why, row=shown(data))
    try:
        trade = live_trade(data)
    except UNREADABLE:
        why = "its id is no whole number"
        return Spoiled(symbol=symbol, kind="trade", reason=why, row=shown(data))
    if is_plain(data["p"]) and is_plain(data["q"]) and trade[3]:
        return None
    return LiveTrades(symbol=symbol, trades=(trade,), recv_ns=0)


def _text(message: object, why: str) -> Spoiled:
    return Spoiled(symbol="", kind="text", reason=why, row=shown(message))
