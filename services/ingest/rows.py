"""The exchange's own rows as the core's; text stays text, so that no float touches a number."""

from typing import Any

from services.ingest.effects import LiveQuote, RawBar, RawTrade


def fetched_trade(row: dict[str, Any]) -> RawTrade:
    """Return a trade as REST writes it."""
    return (
        int(row["id"]),
        str(row["price"]),
        str(row["qty"]),
        int(row["time"]),
        _true(row["isBuyerMaker"]),
    )


def live_trade(info: dict[str, Any]) -> RawTrade:
    """Return a trade as the trade stream writes it."""
    return (int(info["t"]), str(info["p"]), str(info["q"]), int(info["T"]), _true(info["m"]))


def live_quote(symbol: str, info: dict[str, Any], recv_ns: int) -> LiveQuote:
    """Return the top of the book as the book ticker writes it."""
    return LiveQuote(
        symbol=symbol,
        bid_px=str(info["b"]),
        bid_qty=str(info["B"]),
        ask_px=str(info["a"]),
        ask_qty=str(info["A"]),
        update_id=int(info.get("u", 0)),
        recv_ns=recv_ns,
    )


def fetched_bar(row: list[Any]) -> RawBar:
    """Return a bar as REST writes it: an array without names."""
    open_ms, open_px, high, low, close, volume, _, turnover, trades, *_ = row
    texts = (str(open_px), str(high), str(low), str(close), str(volume), str(turnover))
    return (int(open_ms), *texts, int(trades))


def _true(value: object) -> bool:
    return value is True or value == "true"
