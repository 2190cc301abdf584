"""The last gate: limits of its own that hold whatever risk says, and share no code with it.

An id is one order, and is seen once; what trades beyond it halts its symbol. Orders in doubt count
as open. A market order is worth its quantity at the price that it was decided on, and has to name
one. That price is held against no market here: the gateway hears none, its own last trade says
nothing of now, and a feed to listen to would be one more that can be wrong or missing when the last
gate must hold. How near it is to a fresh quote is risk's to judge, and an approval is short.
"""

from schema.identity import tag_of
from schema.instruments import Denial, check
from schema.lifecycle import State
from schema.trading import OrderIntent
from schema.units import MS_NS
from services.gateway.answers import missing
from services.gateway.position import closable, held_against, worth_of
from services.gateway.standing import standing_of
from services.gateway.state import Books, Order
from services.gateway.turn import Turn


def last_gate(turn: Turn, intent: OrderIntent, *, reducing: bool) -> Denial | None:
    """Return why an order does not leave; one that reduces is bounded by its position alone."""
    instrument = turn.windows.instruments.get(intent.symbol)
    if instrument is None:
        return Denial("INSTRUMENT_NOT_FOUND", f"symbol={intent.symbol}")
    return (
        check(instrument, intent, standing=standing_of(turn.books, instrument))
        or _reduce_only(turn.books, intent)
        or (None if reducing else _limits(turn, intent))
    )


STOPS = frozenset({"stop", "stop_limit"})
TARGETS = frozenset({"limit_maker", "take_profit", "take_profit_limit"})
"""What the exchange takes as the two halves of a pair."""

REPLACEABLE = frozenset({State.ACCEPTED, State.TRIGGERED})
TOO_LATE = "REPLACE_TOO_LATE"
"""The code of an order whose predecessor is not what it was: nothing is sent, and it stays."""


def pair_gate(turn: Turn, stop: OrderIntent, target: OrderIntent) -> Denial | None:
    """Return why two orders cannot leave as one of which one alone is done."""
    instrument = turn.windows.instruments.get(stop.symbol)
    if instrument is not None and not instrument.oco:
        return Denial("UNSUPPORTED_ORDER_TYPE", f"symbol={stop.symbol} takes no pairs")
    if stop.order_type not in STOPS or target.order_type not in TARGETS:
        kinds = f"stop={stop.order_type} target={target.order_type}"
        return Denial("UNSUPPORTED_ORDER_TYPE", f"{kinds} stand in no pair")
    if _halves(stop) != _halves(target) or (stop.leg, target.leg) != ("stop", "target"):
        return Denial("VALIDATION_FAILED", f"{stop.oco} is not the other half of {target.oco}")
    if not stop.reduce_only or not target.reduce_only:
        return Denial("VALIDATION_FAILED", "a pair only reduces, and this one does not say so")
    low, high = (stop, target) if stop.side == "sell" else (target, stop)
    if _level(low) >= _level(high):
        return Denial("VALIDATION_FAILED", f"stop={_level(stop)} target={_level(target)}: crossed")
    return None


def replace_gate(turn: Turn, intent: OrderIntent) -> Denial | None:
    """Return why an order cannot take another's place in one request; one that does not may."""
    if not intent.replaces:
        return None
    instrument = turn.windows.instruments.get(intent.symbol)
    if instrument is not None and not instrument.cancel_replace:
        detail = f"symbol={intent.symbol} takes no order in another's place"
        return Denial("UNSUPPORTED_ORDER_TYPE", detail)
    if intent.oco:
        return Denial("VALIDATION_FAILED", f"it replaces {intent.replaces}, and is one of a pair")
    old = turn.books.open.get(intent.replaces)
    if old is None:
        return Denial(TOO_LATE, f"{intent.replaces} is not open")
    if _place_of(old.intent) != _place_of(intent):
        return Denial("VALIDATION_FAILED", f"its place is another one than that of {old.id}")
    why = _unreplaceable(turn, old)
    return Denial(TOO_LATE, f"{old.id} {why}") if why else None


def _place_of(intent: OrderIntent) -> tuple[str, ...]:
    return intent.symbol, intent.side, intent.leg, tag_of(intent.client_order_id)


def _unreplaceable(turn: Turn, old: Order) -> str:
    """Return why an open order cannot be replaced any more; empty when it can."""
    if old.intent.oco:
        return "is one of a pair"
    if old.place.state not in REPLACEABLE:
        return f"is {old.place.state}"
    report = turn.windows.held.get(old.id)
    if old.filled or (report is not None and missing(old, report)):
        return "has traded"
    if old.id in turn.windows.wishes:
        return "is being cancelled"
    if old.successor in turn.books.open or old.intent.replaces in turn.books.open:
        return "is not alone in its place yet"
    return "is not known to the exchange" if old.id in turn.windows.vanished else ""


def _halves(leg: OrderIntent) -> tuple[object, ...]:
    return leg.symbol, leg.side, leg.qty, leg.qty_exp, leg.px_exp


def _level(leg: OrderIntent) -> int:
    return leg.stop_px or leg.limit_px


def _reduce_only(books: Books, intent: OrderIntent) -> Denial | None:
    if not intent.reduce_only:
        return None
    held = held_against(books, intent)
    if held == 0:
        return Denial("POSITION_NOT_FOUND", f"symbol={intent.symbol} side={intent.side}")
    # Beside what rests or is on its way to the same side: together they may not pass through zero.
    exp, instead_of = intent.qty_exp, intent.replaces
    most = closable(books, intent.symbol, intent.side, exp, instead_of=instead_of)
    if intent.qty > most:
        detail = f"qty={intent.qty} position={held} closable={most}"
        return Denial("REDUCE_ONLY_WOULD_INCREASE_POSITION", detail)
    return None


def _limits(turn: Turn, intent: OrderIntent) -> Denial | None:
    own, books = turn.rules.own, turn.books
    worth = worth_of(intent)
    if worth <= 0:
        return Denial("VALIDATION_FAILED", "ref_px=0: its worth is unknown")
    if worth > own.max_order_notional:
        detail = f"notional={worth} max={own.max_order_notional}"
        return Denial("NOTIONAL_EXCEEDS_MAX_PER_ORDER", detail)
    others = len(books.open) - (intent.replaces in books.open)
    if others >= own.max_open_orders:
        detail = f"open_orders={others} max={own.max_open_orders}"
        return Denial("MAX_OPEN_ORDERS_EXCEEDED", detail)
    return _pace(turn, worth)


def _pace(turn: Turn, worth: int) -> Denial | None:
    own, books = turn.rules.own, turn.books
    since_ns = turn.now_ns - own.order_window_ms * MS_NS
    if len(books.sent) >= own.order_rate:
        recent = sum(1 for sent_ns in books.sent if sent_ns > since_ns)
        if recent >= own.order_rate:
            return Denial("RATE_LIMIT_EXCEEDED", f"orders={recent} max={own.order_rate}")
    spent = sum(one for sent_ns, one in books.spent if sent_ns > since_ns)
    if spent + worth > own.max_notional_rate:
        detail = f"notional={spent} more={worth} max={own.max_notional_rate}"
        return Denial("RATE_LIMIT_EXCEEDED", detail)
    return None
