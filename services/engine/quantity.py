"""How much a target is, in whole lots: never more than its budget and the account's cash buy."""

import msgspec

from schema.market import Instrument
from schema.strategy import Offer
from schema.trading import OrderIntent
from services.engine.hearing import mark_of
from services.engine.line import Pass
from services.engine.sizing import as_float, in_px_exp, limit, lots_for, lots_of
from services.engine.state import Slot
from services.engine.strategy import Target
from services.engine.worth import holding_of, tied_up, worth_of


class Wish(msgspec.Struct, frozen=True):
    """A size that somebody wants of a symbol, and at which price; `limit` 0: at the market."""

    symbol: str
    kind: str
    size: float
    limit: float = 0.0

    @classmethod
    def of(cls, symbol: str, target: Target) -> "Wish":
        """Return what a target asks for."""
        mean = sum(price * share for price, share in target.ladder)
        return cls(symbol, target.kind, target.size, mean or target.limit or target.trigger)

    @property
    def buys(self) -> bool:
        return self.size > 0


def signed_qty(turn: Pass, offer: Offer, wish: Wish, instrument: Instrument) -> int:
    """Return the quantity of a wish, below 0 for a short; 0 when its worth cannot be told."""
    worth = worth_of(turn, offer)
    px = _px(turn, wish, instrument)
    if worth is None or px <= 0:
        return 0
    room = worth - tied_up(turn, offer, wish.symbol)
    qty = min(
        _asked(wish, worth, px, instrument), lots_for(room, px, instrument, turn.terms.reserve_bps)
    )
    if wish.buys and offer.role != "shadow":
        qty = min(qty, _affordable(turn, offer, wish, px, instrument))
    return qty if wish.buys else -qty


def again(turn: Pass, slot: Slot, instrument: Instrument) -> int:
    """Return how much a slot's target is by now, once what it had before is closed.

    A share of the worth is one of what there is now, more or less than when it was decided.
    """
    offer = turn.books.loaded.get(slot.strategy)
    waits = slot.limit_px or slot.trigger_px or slot.rungs
    if offer is None or slot.kind != "weight" or waits:
        return abs(slot.qty)
    wish = Wish(slot.symbol, slot.kind, slot.size)
    return abs(signed_qty(turn, offer, wish, instrument))


def touch_px(turn: Pass, symbol: str, instrument: Instrument, *, buys: bool) -> int:
    """Return the price that an order is meant at: the ask for a purchase, else the mark."""
    top = turn.windows.tops.get(symbol)
    mark = (top.ask, top.px_exp) if buys and top else mark_of(turn.windows, symbol)
    return in_px_exp(mark, instrument.px_exp)


def _px(turn: Pass, wish: Wish, instrument: Instrument) -> int:
    if wish.limit:
        return limit(wish.limit, instrument, "buy" if wish.buys else "sell")
    return touch_px(turn, wish.symbol, instrument, buys=wish.buys)


def _asked(wish: Wish, worth: float, px: int, instrument: Instrument) -> int:
    size = abs(wish.size)
    if wish.kind == "qty":
        return lots_of(size, instrument)
    return lots_for(size * worth if wish.kind == "weight" else size, px, instrument)


def _affordable(turn: Pass, offer: Offer, wish: Wish, px: int, instrument: Instrument) -> int:
    cash = turn.books.ledger.balance(instrument.quote)
    money = as_float(cash.amount, cash.exp) - _spent(turn, offer.name, wish.symbol)
    holding = holding_of(turn, offer, wish.symbol)
    # A short has to be bought back first.
    own = in_px_exp((holding.qty, holding.qty_exp), instrument.qty_exp) if holding else 0
    return max(0, own + lots_for(money, px, instrument, turn.terms.reserve_bps))


def _spent(turn: Pass, strategy: str, symbol: str) -> float:
    """Return what the entries of all other slots may still cost, those of this pass as well."""
    orders = [(order.intent, order.left) for order in turn.books.orders.values()]
    orders += [(said, said.qty) for said in turn.said if isinstance(said, OrderIntent)]
    return sum(
        as_float(
            (intent.limit_px or intent.stop_px or intent.ref_px) * left,
            intent.px_exp + intent.qty_exp,
        )
        for intent, left in orders
        if intent.leg == "entry"
        and intent.side == "buy"
        and (intent.strategy, intent.symbol) != (strategy, symbol)
    )
