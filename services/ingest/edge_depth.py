"""Books through ccxt: its socket and its request, and the raw changes instead of its own book.

ccxt folds the changes into a book of floats and keeps only the last update id; here each change is
passed on as the exchange wrote it. Whether it can be believed is for the core to say.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from bus.narrow import narrow
from services.ingest.effects import NONE, FetchDepth, FetchedDepth, LiveDepth, RawLevels

with narrow():
    from ccxt.pro.binance import binance

HASH = "depth"
UNREADABLE: RawLevels = (("", ""),)


class Changes(binance):  # type: ignore[misc]
    """ccxt's Binance, of which the changes of books can be had as they come."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._changes: deque[dict[str, Any]] = deque()

    def watch_changes(self, symbols: Sequence[str]) -> Any:
        """Return what can be awaited until there are changes of some books, on one socket."""
        url = f"{self.get_ws_url('spot', 'public')}/{self.stream('spot', HASH, len(symbols))}"
        ids = [self.market(symbol)["lowercaseId"] for symbol in symbols]
        number = self.request_id(url)
        request = {
            "method": "SUBSCRIBE",
            "params": [f"{each}@depth@100ms" for each in ids],
            "id": number,
        }
        return self.watch(url, HASH, request, HASH, {"id": str(number)})

    def next_change(self) -> dict[str, Any] | None:
        """Return the oldest change that was not taken yet."""
        return self._changes.popleft() if self._changes else None

    def handle_order_book(self, client: Any, message: dict[str, Any]) -> None:
        """Keep a change as it is, in the place of ccxt's own book."""
        self._changes.append(message)
        client.resolve(None, HASH)


def symbols_by_id(exchange: Any, symbols: Sequence[str]) -> dict[str, str]:
    """Return which symbol an id of the exchange's is of."""
    return {exchange.market(symbol)["id"]: symbol for symbol in symbols}


async def next_changes(
    exchange: Any, names: dict[str, str], wall_ns: Callable[[], int]
) -> list[LiveDepth]:
    """Return the changes that have come, once there are any."""
    await exchange.watch_changes(list(names.values()))
    found: list[LiveDepth] = []
    while (info := exchange.next_change()) is not None:
        symbol = names.get(str(info.get("s")))
        if symbol is not None:
            found.append(live_depth(symbol, info, wall_ns()))
    return found


async def fetch_depth(
    exchange: Any, effect: FetchDepth, wall_ns: Callable[[], int]
) -> FetchedDepth:
    """Return a book as the exchange has it."""
    market_id = exchange.market(effect.symbol)["id"]
    answer = await exchange.publicGetDepth({"symbol": market_id, "limit": effect.limit})
    return FetchedDepth(
        effect_id=effect.effect_id,
        symbol=effect.symbol,
        update_id=_number(answer.get("lastUpdateId")),
        bids=_levels(answer.get("bids")),
        asks=_levels(answer.get("asks")),
        recv_ns=wall_ns(),
    )


def live_depth(symbol: str, info: dict[str, Any], recv_ns: int) -> LiveDepth:
    """Return a change as the depth stream writes it; what is no number is refused by the core."""
    return LiveDepth(
        symbol=symbol,
        first_id=_number(info.get("U")),
        last_id=_number(info.get("u")),
        bids=_levels(info.get("b")),
        asks=_levels(info.get("a")),
        at_ms=_number(info.get("E")),
        recv_ns=recv_ns,
    )


def _number(value: object) -> int:
    return value if type(value) is int else NONE


def _levels(rows: object) -> RawLevels:
    try:
        return tuple([(str(px), str(qty)) for px, qty, *_ in rows])  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return UNREADABLE
