"""One order under judgement, with every number that a rule asks for."""

import msgspec

from schema.instruments import LIMITS
from schema.market import Instrument, Quote
from schema.trading import OrderIntent
from schema.units import ceil_scale
from services.risk.exposure import closable, giving_way, mid_px, reach
from services.risk.money import Limits, OfSymbol, dearer, plain, worth
from services.risk.orders import cost_of
from services.risk.state import Books, Windows
from services.risk.sums import NOTHING, Sums
from services.risk.terms import written


class Case(msgspec.Struct, gc=False):
    """An order and its worst case; money is in MONEY_EXP, prices are in the order's px_exp."""

    intent: OrderIntent
    instrument: Instrument
    books: Books
    windows: Windows
    limits: Limits
    own: OfSymbol  # limits of its symbol
    now_ns: int
    age_ns: int  # of the quote
    touch_px: int  # what a market order meets first
    mark_px: int
    closable: int  # how much on its side only shrinks the position
    notional: int
    position: int  # worst case of its symbol, with it
    gross: int  # worst case of all symbols, with it
    net: int  # likewise, longs and shorts against each other
    positions: int  # symbols that may be held, with it
    orders: int  # that may fill, with it
    cost: int  # cash that it may take
    unpriced: str  # a symbol that makes `gross` too small
    freed: int = 0  # quantity and cash of the order whose place it takes
    freed_cost: int = 0

    @property
    def reducing(self) -> bool:
        return self.intent.qty <= self.closable

    def figures(self) -> str:
        """Return how much of each limit on size is taken with it: what a refusal for it tells."""
        return self.own.sizes % self._sizes()

    def uses(self) -> str:
        """Return how much of every limit is taken with it: what an approval tells."""
        lost = lost_in(self.windows)
        return self.own.uses % (*self._sizes(), self.orders, self.positions, *lost)

    def _sizes(self) -> tuple[str, str, str, str, str]:
        gross = plain(self.gross)
        net = gross if self.net == self.gross else plain(self.net)
        return plain(self.notional), plain(self.position), gross, net, self._leverage()

    def _leverage(self) -> str:
        """Return how many times the equity all symbols together may come to be worth."""
        equity = self.windows.equity
        return written(-(-self.gross * 100 // equity), 2) if equity > 0 else "none"


def lost_in(windows: Windows) -> tuple[str, str, str]:
    """Return what was lost in the day, in the week and from the peak, as a verdict tells it.

    It is written once after each look, and only for whoever asks.
    """
    if windows.lost is None:
        windows.lost = (
            plain(max(0, windows.loss)),
            plain(max(0, windows.week_loss)),
            written(windows.drawdown_bps, 2),
        )
    return windows.lost


class Desk(msgspec.Struct, gc=False):
    """All that an order is judged by."""

    books: Books
    windows: Windows
    sums: Sums
    limits: Limits
    now_ns: int


def weigh(intent: OrderIntent, instrument: Instrument, quote: Quote, desk: Desk) -> Case:
    """Return an order with its numbers; ValueError when one of them is too large for any limit."""
    books, limits, sums, symbol = desk.books, desk.limits, desk.sums, intent.symbol
    exp, buys = intent.px_exp + intent.qty_exp, intent.side == "buy"
    mark_px = ceil_scale(mid_px(quote), quote.px_exp, intent.px_exp)
    px = worst_px(intent, mark_px, limits)
    old = giving_way(books, intent) if intent.replaces else None
    freed, freed_cost = (old.counted, old.cost - old.spared_cost) if old is not None else (0, 0)
    more = max(0, intent.qty - freed)  # Of the two the larger counts.
    buy, sell = (more, 0) if buys else (0, more)
    low, high = reach(books, symbol, intent.qty_exp, buy=buy, sell=sell)
    below, above = -worth(px, -low, exp), worth(px, high, exp)
    sums.refresh()
    others = sums.shares.get(symbol, NOTHING)
    position = max(0, above, -below)
    touch_px = quote.ask_px if buys else quote.bid_px
    return Case(  # In their order: by their names it takes twice as long.
        intent,
        instrument,
        books,
        desk.windows,
        limits,
        limits.symbols.get(symbol, limits.common),
        desk.now_ns,
        desk.now_ns - quote.ts_event,
        ceil_scale(touch_px, quote.px_exp, intent.px_exp),
        mark_px,
        closable(books, intent),
        worth(px, intent.qty, exp),
        position,
        sums.gross - others.gross + position,
        max(sums.high - others.high + above, others.low - sums.low - below),
        sums.active + (not others.active),
        len(books.orders) + (old is None),
        cost_of(intent, limits),
        sums.unpriced(symbol),
        freed,
        freed_cost,
    )


def worst_px(intent: OrderIntent, mark_px: int, limits: Limits) -> int:
    """Return the price that an order is held against its limits at."""
    if intent.order_type in LIMITS:
        return max(intent.limit_px, mark_px)
    return dearer(max(intent.stop_px, mark_px), limits.collar_bps)
