"""Books followed change by change, as ingest says them, beside ccxt's own book of floats."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from ccxt.pro.binance import binance

from bus.clock import SystemClock
from schema.head import Message
from services.ingest.edge_depth import live_depth
from tests.bench.figure import Figure
from tests.services.ingest.books import BookStand, book_of
from tests.services.ingest.exchange import SYMBOL

CHANGES = 2_000
LEVELS = 15
"""Of each side in one change: as many as a liquid pair has in 100 ms."""

ROUNDS = 5
DEPTH = 20
BOOK = 400
NS_PER_S = 1e9
_clock = SystemClock()

Row = dict[str, Any]


def measure() -> Iterator[Figure]:
    """Count the changes a second that become words on the bus, on one core."""
    pairs = [(_rate(_followed), _rate(_folded_by_ccxt)) for _ in range(ROUNDS)]
    ours, raw = (median(column) for column in zip(*pairs, strict=True))
    yield Figure("data.depth", ours, raw, "changes/s")


def _rate(run: Callable[[BookStand, list[Row]], None]) -> float:
    stand = BookStand(book_of(BOOK), depth=DEPTH).in_step()
    rows = [_row(stand, number) for number in range(CHANGES)]
    begun_ns = _clock.mono_ns()
    run(stand, rows)
    return CHANGES * NS_PER_S / (_clock.mono_ns() - begun_ns)


def _row(stand: BookStand, number: int) -> Row:
    """Return a change as the exchange writes it."""
    places = [(number + step * step) % BOOK for step in range(LEVELS)]
    sizes = [1 + (number * 7_919 + step) % 9_999 for step in range(LEVELS)]
    bids = {5_999_900 - 100 * n: qty for n, qty in zip(places, sizes, strict=True)}
    asks = {6_000_100 + 100 * n: qty for n, qty in zip(places, sizes, strict=True)}
    change = stand.book.change(bids.items(), asks.items())
    ids: Row = {"e": "depthUpdate", "U": change.first_id, "u": change.last_id, "E": change.at_ms}
    return {**ids, "s": "BTCUSDT", "b": list(map(list, change.bids)), "a": list(change.asks)}


def _followed(stand: BookStand, rows: list[Row]) -> None:
    core, said = stand.core, 0
    for row in rows:
        for out in core.handle(live_depth(SYMBOL, row, 0), stand.now_ns):
            if isinstance(out, Message):
                core.apply(out)
                said += 1
    assert said >= CHANGES // 2, "the book is in step"


def _folded_by_ccxt(_: BookStand, rows: list[Row]) -> None:
    exchange = binance()
    book = exchange.order_book({}, BOOK)
    for row in rows:
        exchange.handle_order_book_message(None, row, book)
        book.limit()
