"""Rows that cannot be true, each made of a true one, and what of a stand is to be looked at."""

from collections.abc import Callable

from schema.market import Quarantined, Trade
from services.ingest.effects import LiveQuote, RawTrade
from tests.services.ingest.exchange import MS, SYMBOL, Stand, decimal


def changed(trade: RawTrade, **fields: object) -> RawTrade:
    names = ("id", "px", "qty", "ms", "maker")
    trade_id, px, qty, ms, maker = (
        fields.get(name, value) for name, value in zip(names, trade, strict=True)
    )
    assert isinstance(trade_id, int)
    assert isinstance(ms, int)
    return (trade_id, str(px), str(qty), ms, bool(maker))


def times_100(text: str) -> str:
    return decimal(int(text.replace(".", "")) * 100, 2)


HOSTILE: dict[str, Callable[[RawTrade], RawTrade]] = {
    "NaN": lambda t: changed(t, px="NaN"),
    "inf": lambda t: changed(t, px="inf"),
    "zero": lambda t: changed(t, px="0.00"),
    "no quantity": lambda t: changed(t, qty="0.00000"),
    "negative": lambda t: changed(t, px=f"-{t[1]}"),
    "empty": lambda t: changed(t, px=""),
    "400 digits": lambda t: changed(t, px="9" * 400),
    "64 bits": lambda t: changed(t, qty="9" * 19),
    "30 decimals": lambda t: changed(t, px=f"{t[1]}{'1' * 28}"),
    "other digits": lambda t: changed(t, px="\u0661\u0662"),
    "us": lambda t: changed(t, ms=t[3] * 1_000),
    "s": lambda t: changed(t, ms=t[3] // 1_000),
    "no time": lambda t: changed(t, ms=0),
    "future": lambda t: changed(t, ms=t[3] + 86_400_000),
    "past": lambda t: changed(t, ms=t[3] - 86_400_000),
    "hundredfold": lambda t: changed(t, px=times_100(t[1])),
    "hundredth": lambda t: changed(t, px="600.00"),
}
LEAP: dict[str, Callable[[RawTrade], RawTrade]] = {"leap": lambda t: changed(t, id=t[0] + 10**9)}


def refused(stand: Stand) -> list[Quarantined]:
    return [m for m in stand.said if isinstance(m, Quarantined)]


def said_trades(stand: Stand) -> list[tuple[int, int, int, int]]:
    return [(m.trade_id, m.px, m.qty, m.ts_event // MS) for m in stand.said if isinstance(m, Trade)]


def true_trades(stand: Stand) -> list[tuple[int, int, int, int]]:
    whole = [
        (number, int(px.replace(".", "")), int(qty.replace(".", "")), ms)
        for number, px, qty, ms, _ in stand.exchange.tape
    ]
    first, last = stand.trades()[0], stand.trades()[-1]
    return [row for row in whole if first <= row[0] <= last]


def quote(stand: Stand, bid: str, ask: str) -> None:
    stand.advance(200)
    stand.hear(
        LiveQuote(
            symbol=SYMBOL,
            bid_px=bid,
            bid_qty="1",
            ask_px=ask,
            ask_qty="1",
            update_id=1,
            recv_ns=stand.now_ns,
        )
    )
