"""One symbol's bars as an ideal exchange walks them, and the orders that wait there.

A bar is passed in two steps, its open and its close, so that what is ordered at an open can still
be filled at it.
"""

from bisect import bisect_left, bisect_right
from typing import Literal

from schema.exchange import OrderReport, VenueTrade
from schema.instruments import VENUE_TYPES
from schema.market import Quote
from schema.trading import OrderIntent
from schema.units import MS_NS, ceil_scale, to_text
from services.backtest.columns import Columns
from services.venue.account import EXP, money, units
from services.venue.columns import Facts

NEVER_NS = 1 << 62
BPS_EXP = 4
DEPTH = 10**6
"""Whole units on each side of a quote: an ideal market is as deep as one needs."""

STOPS = frozenset({"stop", "stop_limit"})
Status = Literal["NEW", "FILLED", "CANCELED", "EXPIRED"]


class Order:
    """One order; it is filled whole or not at all."""

    def __init__(self, number: int, intent: OrderIntent, facts: Facts, now_ns: int) -> None:
        self.number = number
        self.intent = intent
        self.facts = facts
        self.symbol = intent.symbol
        self.kind = intent.order_type
        self.buys = intent.side == "buy"
        self.qty = intent.qty
        self.px = intent.limit_px
        self.stop_px = intent.stop_px
        self.placed_ns = self.moved_ns = now_ns
        self.status: Status = "NEW"
        self.paid = 0
        self.other: Order | None = None  # of a pair, of which one alone is done
        self.triggered = self.told = False

    @property
    def open(self) -> bool:
        return self.status == "NEW"

    @property
    def rests(self) -> bool:
        """Whether it is a limit that waited in the book."""
        return self.px > 0 and (self.triggered or not self.stop_px)

    @property
    def counts(self) -> bool:
        """Whether what it needs is locked for it; a pair locks once."""
        return self.other is None or self.number < self.other.number

    @property
    def units(self) -> int:
        """Its quantity as an amount of the base asset."""
        return units(self.facts, self.qty)

    def need(self, px: int, bps: int) -> tuple[str, int]:
        """Return the asset that it takes at a price, and how much of it."""
        if not self.buys:
            return self.facts.base, self.units
        exp = self.facts.px_exp + self.facts.qty_exp
        cost = ceil_scale(px * self.qty, exp, EXP)
        return self.facts.quote, cost + charge(self.facts, px, self.qty, bps)

    def hit(self, open_: int, high: int, low: int) -> int:
        """Return the price at which a bar fills it; 0 when it does not reach it."""
        if self.kind == "market":
            return 0
        if self.rests:
            return _passed(self.px, (open_, high, low), rises=not self.buys)
        px = _passed(self.stop_px, (open_, high, low), rises=self.buys == (self.kind in STOPS))
        return px if not self.px else self._within(px)

    def _within(self, px: int) -> int:
        # A limit behind a trigger: where the price has jumped over it, it waits from then on.
        self.triggered = px > 0
        return px if (px <= self.px if self.buys else px >= self.px) else 0

    def fill(self, paid: int, now_ns: int) -> None:
        """Note that it is done."""
        self.paid = paid
        self.end("FILLED", now_ns)

    def end(self, status: Status, now_ns: int) -> None:
        """Note how it ended."""
        self.status, self.moved_ns = status, now_ns

    def report(self) -> OrderReport:
        """Return how it stands."""
        px_exp, qty_exp = self.facts.px_exp, self.facts.qty_exp
        qty = to_text(self.qty, qty_exp)
        return OrderReport(
            client_order_id=self.intent.client_order_id,
            venue_order_id=str(self.number),
            symbol=self.symbol,
            side=self.intent.side,
            status=self.status,
            order_type=VENUE_TYPES[self.kind],
            qty=qty,
            executed_qty=qty if self.status == "FILLED" else "0",
            executed_quote=to_text(self.paid, EXP),
            limit_px=to_text(self.px, px_exp),
            stop_px=to_text(self.stop_px, px_exp),
            working=not self.stop_px or self.triggered or self.status == "FILLED",
            update_ms=self.moved_ns // MS_NS,
        )

    def trade(
        self, number: int, amounts: tuple[int, int, int], now_ns: int, *, maker: bool
    ) -> VenueTrade:
        """Return its execution: price, what was paid, and the fee."""
        px, paid, fee = amounts
        return VenueTrade(
            trade_id=str(number),
            venue_order_id=str(self.number),
            symbol=self.symbol,
            side=self.intent.side,
            px=to_text(px, self.facts.px_exp),
            qty=to_text(self.qty, self.facts.qty_exp),
            quote_qty=to_text(paid, EXP),
            fee=to_text(fee, EXP),
            fee_asset=self.facts.quote,
            maker=maker,
            at_ms=now_ns // MS_NS,
            client_order_id=self.intent.client_order_id,
        )


def _passed(px: int, bar: tuple[int, int, int], *, rises: bool) -> int:
    """Return where a bar of this open, high and low comes past a price; 0 where it does not."""
    open_, high, low = bar
    if (high < px) if rises else (low > px):
        return 0
    return max(px, open_) if rises else min(px, open_)


class Lane:
    """One symbol's bars, and how far its waiting orders have come in them."""

    def __init__(self, facts: Facts, columns: Columns) -> None:
        self.facts = facts
        self.orders: list[Order] = []
        self._open_ns: list[int] = columns.open_ns.tolist()
        self._close_ns: list[int] = (columns.open_ns + columns.step_ns).tolist()
        self._sides = (columns.open, columns.high, columns.low)
        self._open: list[int] = columns.open.tolist()
        self._close: list[int] = columns.close.tolist()
        self._depth = DEPTH * int(10**facts.qty_exp)
        self._row = 0
        self._opened = False
        self._present = (NEVER_NS, 0)  # a moment, and the open that is the price at it
        self._rung_ns = 0

    def next_event(self) -> tuple[int, bool]:
        """Return when the next step of its bars is, and whether it is an open."""
        row = self._row
        if self._rung_ns:
            return self._rung_ns, True
        if row >= len(self._open_ns):
            return NEVER_NS, True
        return (self._close_ns[row], False) if self._opened else (self._open_ns[row], True)

    def take(self, order: Order, now_ns: int) -> None:
        """Let an order wait, from the next open on, or from the one that is present."""
        if not self.orders:
            self._row, self._opened = bisect_left(self._open_ns, now_ns), False
        elif self._opened and self._open_ns[self._row] == now_ns:
            self._opened = False
        self.orders.append(order)

    def open_bar(self) -> int:
        """Pass an open, and return its price."""
        if self._rung_ns:
            self._present = (self._rung_ns, self._open[-1])
            self._row, self._rung_ns = len(self._open), 0
        else:
            self._opened = True
            self._present = (self._open_ns[self._row], self._open[self._row])
        return self._present[1]

    def ring_again(self, now_ns: int) -> None:
        """Have the last bar open once more."""
        self._rung_ns = now_ns

    def first_hit(self) -> tuple[Order, int] | None:
        """Return the order that the bar fills first, and at which price."""
        open_ns = self._open_ns[self._row]
        sides = [int(side[self._row]) for side in self._sides]
        waiting = (order for order in self.orders if order.placed_ns <= open_ns)
        for order in sorted(waiting, key=lambda order: (not order.stop_px, order.number)):
            if px := order.hit(*sides):
                return order, px
        return None

    def newly_triggered(self) -> list[Order]:
        """Return the orders of which the bar has only reached the trigger, each once."""
        found = [order for order in self.orders if order.triggered and not order.told]
        for order in found:
            order.told = True
        return found

    def close_bar(self) -> None:
        """Pass a close."""
        self._row, self._opened = self._row + 1, False

    def px_at(self, now_ns: int) -> int:
        """Return the newest price that is known at a moment; 0 before the first."""
        at_ns, px = self._present
        if at_ns == now_ns:
            return px
        row = bisect_right(self._close_ns, now_ns) - 1
        if row + 1 < len(self._open_ns) and self._open_ns[row + 1] < now_ns:
            return self._open[row + 1]
        return self._close[row] if row >= 0 else 0

    def open_after(self, now_ns: int) -> int:
        """Return the open of the first bar that begins now or later; 0 when none does."""
        row = bisect_left(self._open_ns, now_ns)
        return self._open[row] if row < len(self._open) else 0

    def quote(self, px: int, now_ns: int) -> Quote:
        """Return both sides at a price."""
        return Quote(
            ts_event=now_ns,
            symbol=self.facts.symbol,
            bid_px=px,
            bid_qty=self._depth,
            ask_px=px,
            ask_qty=self._depth,
            px_exp=self.facts.px_exp,
            qty_exp=self.facts.qty_exp,
        )


def worth(facts: Facts, px: int, qty: int) -> int:
    """Return what a quantity costs at a price, with eight decimals."""
    return money(facts, px, qty)


def charge(facts: Facts, px: int, qty: int, bps: int) -> int:
    """Return the fee on a trade, rounded to eight decimals, a half to the even one."""
    exp = facts.px_exp + facts.qty_exp + BPS_EXP
    paid = px * qty * bps
    if exp <= EXP:
        return paid * int(10 ** (EXP - exp))
    unit = int(10 ** (exp - EXP))
    whole, rest = divmod(paid, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))
