"""A market of one symbol whose trades and book a test writes down, and tickets in plain numbers."""

from collections.abc import Sequence

import numpy as np

from services.venue.account import Terms
from services.venue.book import Book, Levels
from services.venue.columns import DAY_MS, Bars, Facts, Tape
from services.venue.desk import Desk
from services.venue.market import Market
from services.venue.orders import Order, Side, Ticket, Tif, Type

UNIT = 10**8
DAY = 20_000
START_MS = DAY * DAY_MS + 1_000
FACTS = Facts("BTC/USDT", px_exp=2, qty_exp=3, grid=1, depth_lots=1, key=1)
TERMS = Terms(10, 20, {"USDT": 1_000 * UNIT, "BTC": 10 * UNIT})

BIDS: Levels = ((99_00, 1_000), (98_00, 2_000))
ASKS: Levels = ((101_00, 1_000), (102_00, 500))

Trade = tuple[int, int, int]
"""Milliseconds after the start, price in cents, quantity in thousandths."""


class Scripted(Market):
    def __init__(
        self, trades: Sequence[Trade] = (), bids: Levels = BIDS, asks: Levels = ASKS
    ) -> None:
        super().__init__()
        self.facts = {FACTS.id: FACTS}
        self.first_ms = DAY * DAY_MS
        self.bids, self.asks = bids, asks
        rows = [(-500, 100_00, 1), *trades]  # there was a last price before
        columns = np.array(rows, np.int64).T
        at_ms = columns[0] + START_MS
        self._tape = Tape(1, at_ms, columns[1], columns[2], np.zeros(len(rows), np.bool_))

    def make_bars(self, symbol: str, day: int) -> Bars:
        raise NotImplementedError

    def make_tape(self, symbol: str, day: int) -> Tape:
        return self._tape.between(day * DAY_MS, (day + 1) * DAY_MS)

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        return DAY

    def book(self, symbol: str, at_ms: int) -> Book:
        return Book(at_ms, self.bids, self.asks)


def desk_of(market: Market, terms: Terms = TERMS) -> Desk:
    return Desk(market, terms, START_MS)


def ticket(
    side: Side,
    kind: Type,
    qty: str = "1",
    px: str = "0",
    *,
    stop: str = "0",
    tif: Tif = "GTC",
    money: str = "0",
    name: str = "",
) -> Ticket:
    return Ticket(
        symbol=FACTS.id,
        side=side,
        type=kind,
        tif=tif,
        qty=scaled(qty),
        px=scaled(px),
        stop_px=scaled(stop),
        quote_qty=scaled(money),
        client_id=name,
    )


def scaled(text: str) -> int:
    whole, _, decimals = text.partition(".")
    return int(whole + decimals.ljust(8, "0"))


def has(desk: Desk, asset: str) -> tuple[int, int]:
    found = desk.records.account.balances[asset]
    return found.free, found.locked


def now(desk: Desk, order: Order) -> Order:
    return desk.records.orders[order.id]


def parts(desk: Desk, order: Order) -> list[tuple[int, int]]:
    return [(fill.px, fill.qty) for fill in desk.records.fills_of(order.id)]
