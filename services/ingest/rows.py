"""The exchange's own rows as the core's; text stays text, so that no float touches a number.

A row whose id can be read is passed on whatever else it holds: the core judges it, and asks for it
again.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from services.ingest.effects import LiveQuote, RawBar, RawTrade, Spoiled

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a row that is none raises."""

DIGITS = 18
TEXT_CHARS = 60
ROW_CHARS = 160
Row = TypeVar("Row")


def fetched_trade(row: dict[str, Any]) -> RawTrade:
    """Return a trade as REST writes it."""
    return (
        _whole(row["id"]),
        _text(row["price"]),
        _text(row["qty"]),
        _time(row["time"]),
        _true(row["isBuyerMaker"]),
    )


def live_trade(info: dict[str, Any]) -> RawTrade:
    """Return a trade as the trade stream writes it."""
    return (
        _whole(info["t"]),
        _text(info["p"]),
        _text(info["q"]),
        _time(info["T"]),
        _true(info.get("m")),
    )


def live_quote(symbol: str, info: dict[str, Any], recv_ns: int) -> LiveQuote:
    """Return the top of the book as the book ticker writes it."""
    return LiveQuote(
        symbol=symbol,
        bid_px=_text(info["b"]),
        bid_qty=_text(info["B"]),
        ask_px=_text(info["a"]),
        ask_qty=_text(info["A"]),
        update_id=_time(info.get("u", 0)),
        recv_ns=recv_ns,
    )


def fetched_bar(row: list[Any]) -> RawBar:
    """Return a bar as REST writes it: an array without names."""
    open_ms, open_px, high, low, close, volume, _, turnover, trades, *_ = row
    texts = (
        _text(open_px),
        _text(high),
        _text(low),
        _text(close),
        _text(volume),
        _text(turnover),
    )
    return (_time(open_ms), *texts, _time(trades))


def read_rows(
    symbol: str, kind: str, rows: Any, reader: Callable[[Any], Row]
) -> tuple[list[Row], list[Spoiled]]:
    """Return the rows of an answer that can be read, and those that cannot."""
    found: list[Row] = []
    spoiled: list[Spoiled] = []
    for row in rows if isinstance(rows, Iterable) and not isinstance(rows, str | dict) else (rows,):
        try:
            found.append(reader(row))
        except UNREADABLE as error:
            why = f"it cannot be read: {type(error).__name__} {error}"[:ROW_CHARS]
            spoiled.append(Spoiled(symbol=symbol, kind=kind, reason=why, row=shown(row)))
    return found, spoiled


def shown(row: object) -> str:
    """Return what a row was, shortened for a person to look at."""
    return f"{row!a}"[:ROW_CHARS]


def _text(value: object) -> str:
    return str(value)[:TEXT_CHARS]


def _whole(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= DIGITS:
        value = int(value)
    if type(value) is not int or not 0 <= value < 10**DIGITS:
        raise ValueError(f"expected a whole number, found {value!r:.40}")
    return value


def _time(value: object) -> int:
    try:
        return _whole(value)
    except ValueError:
        return 0


def _true(value: object) -> bool:
    return value is True or value == "true"
