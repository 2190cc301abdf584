"""One order under judgement, with every number that a rule asks for."""

import msgspec

from schema.instruments import LIMITS
from schema.market import Instrument, Quote
from schema.trading import OrderIntent
from schema.units import ceil_scale
from services.risk.exposure import closable, elsewhere, mid_px, worst_qty
from services.risk.money import Limits, dearer, plain, worth
from services.risk.orders import cost_of
from services.risk.state import Books, Windows


class Case(msgspec.Struct):
    """An order and its worst case; money is in MONEY_EXP, prices are in the order's px_exp."""

    intent: OrderIntent
    instrument: Instrument
    books: Books
    windows: Windows
    limits: Limits
    now_ns: int
    age_ns: int  # of the quote
    mark_px: int
    closable: int  # how much on its side only shrinks the position
    notional: int
    position: int  # worst case of its symbol, with it
    gross: int  # worst case of all symbols, with it
    cost: int  # cash that it may take
    unpriced: str  # a symbol that makes `gross` too small

    @property
    def reducing(self) -> bool:
        return self.intent.qty <= self.closable

    def figures(self) -> str:
        """Return the numbers that a verdict tells."""
        own = self.limits.settings
        return (
            f"notional={plain(self.notional)} max_order_notional={own.max_order_notional} "
            f"position={plain(self.position)} max_position_notional={own.max_position_notional} "
            f"gross={plain(self.gross)} max_gross_exposure={own.max_gross_exposure}"
        )


def weigh(
    intent: OrderIntent,
    instrument: Instrument,
    quote: Quote,
    books: Books,
    windows: Windows,
    limits: Limits,
    now_ns: int,
) -> Case:
    """Return an order with its numbers; ValueError when one of them is too large for any limit."""
    exp = intent.px_exp + intent.qty_exp
    mark_px = ceil_scale(mid_px(quote), quote.px_exp, intent.px_exp)
    px = worst_px(intent, mark_px, limits)
    buy, sell = (intent.qty, 0) if intent.side == "buy" else (0, intent.qty)
    qty = worst_qty(books, intent.symbol, intent.qty_exp, buy=buy, sell=sell)
    position = worth(px, qty, exp)
    others, unpriced = elsewhere(books, windows.quotes, but=intent.symbol)
    return Case(
        intent=intent,
        instrument=instrument,
        books=books,
        windows=windows,
        limits=limits,
        now_ns=now_ns,
        age_ns=now_ns - quote.ts_event,
        mark_px=mark_px,
        closable=closable(books, intent),
        notional=worth(px, intent.qty, exp),
        position=position,
        gross=others + position,
        cost=cost_of(intent, limits),
        unpriced=unpriced,
    )


def worst_px(intent: OrderIntent, mark_px: int, limits: Limits) -> int:
    """Return the price that an order is held against its limits at."""
    if intent.order_type in LIMITS:
        return max(intent.limit_px, mark_px)
    return dearer(max(intent.stop_px, mark_px), limits.settings.price_collar_bps)
