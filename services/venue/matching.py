"""What a displayed book and a tape give to an order of ours; pure, and without an effect on either.

A taker gets at most what each level shows. An order that waits gets what the tape trades through
its price, and at its price what is left once the quantity that was ahead of it has been traded.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from services.venue.account import affordable, money
from services.venue.book import Book, Levels
from services.venue.columns import Facts, Tape
from services.venue.orders import PRICED, Order

Takes = list[tuple[int, int]]  # price and quantity of each fill

NEVER_LOW = -1
NEVER_HIGH = 1 << 62


def facing(order: Order, book: Book) -> Levels:
    """Return the levels that an order trades with, best first."""
    return book.asks if order.buys else book.bids


def crosses(order: Order, px: int) -> bool:
    """Say whether an order's limit reaches a price of the other side."""
    if order.type not in PRICED:
        return True
    return px <= order.px if order.buys else px >= order.px


def takes(order: Order, book: Book) -> Takes:
    """Return what an order takes from the book; nothing for a FOK that cannot be filled whole."""
    left, found = order.left, Takes()
    for px, shown in facing(order, book):
        if not left or not crosses(order, px):
            break
        found.append((px, min(left, shown)))
        left -= found[-1][1]
    return [] if left and order.tif == "FOK" else found


def within(facts: Facts, wanted: Takes, budget: int) -> Takes:
    """Return the part of some takes that a budget pays for."""
    found = Takes()
    for px, qty in wanted:
        part = min(qty, affordable(facts, px, budget))
        if part:
            found.append((px, part))
            budget -= money(facts, px, part)
        if part < qty:
            break
    return found


def cost(facts: Facts, taken: Takes) -> int:
    """Return what some takes cost together."""
    return sum(money(facts, px, qty) for px, qty in taken)


def ahead(order: Order, book: Book) -> int:
    """Return the quantity displayed at an order's price on its own side."""
    own = book.bids if order.buys else book.asks
    return next((shown for px, shown in own if px == order.px), 0)


def share(order: Order, px: int, qty: int, spare: int) -> tuple[int, int]:
    """Return what a trade of the tape fills of a waiting order, and what is ahead of it then.

    `spare` is what is left of the trade after our orders with better places.
    """
    through = px < order.px if order.buys else px > order.px
    if through:
        return min(order.left, spare), 0
    if px != order.px:
        return 0, order.ahead
    beyond = max(0, qty - order.ahead)
    return min(order.left, spare, beyond), max(0, order.ahead - qty)


def in_turn(orders: Iterable[Order], *, buys: bool) -> list[Order]:
    """Return the waiting orders of one side: best price first, then the oldest."""
    waiting = [order for order in orders if order.working and order.buys == buys]
    way = -1 if buys else 1
    return sorted(waiting, key=lambda order: (way * order.px, order.working_ms, order.id))


def bounds(orders: Iterable[Order]) -> tuple[int, int]:
    """Return the prices at or beyond which a trade means something to one of the orders."""
    low, high = NEVER_LOW, NEVER_HIGH
    for order in orders:
        px = order.px if order.working else order.stop_px
        if order.buys if order.working else not order.rises:
            low = max(low, px)
        else:
            high = min(high, px)
    return low, high


class Lane:
    """One symbol's stretch of tape, of which only the trades that matter are looked at."""

    def __init__(self, facts: Facts, tape: Tape) -> None:
        self.facts = facts
        self._tape = tape
        self._place = 0
        self._hit = 0

    def seek(self, orders: Sequence[Order]) -> None:
        """Find the next trade that means something to one of the orders."""
        low, high = bounds(orders)
        px = self._tape.px[self._place :]
        hits = np.flatnonzero((px <= low) | (px >= high))
        self._hit = self._place + int(hits[0]) if len(hits) else len(self._tape)

    @property
    def next(self) -> tuple[int, str] | None:
        """When and where the next trade that matters was, None when there is no other."""
        if self._hit >= len(self._tape):
            return None
        return int(self._tape.at_ms[self._hit]), self.facts.id

    def pop(self) -> tuple[int, int, int]:
        """Return time, price and quantity of that trade, and pass it."""
        at = self._hit
        self._place = at + 1
        return int(self._tape.at_ms[at]), int(self._tape.px[at]), int(self._tape.qty[at])
