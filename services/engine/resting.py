"""When a slot needs no look: as the books stand, nothing is to be done in it.

That holds whatever the market does, and however much time passes, until the books change.
"""

from schema.identity import MANUAL, strategy_tag
from schema.lifecycle import TERMINAL, State
from schema.market import Instrument
from services.engine.line import Pass
from services.engine.state import Order, Slot

STAYS = frozenset({"entry", "stop", "target"})
"""Legs that an exit waits for, or that wait themselves."""


def is_calm(turn: Pass, symbol: str) -> bool:
    """Return whether no slot of a symbol needs a look until the books change, or its filters do."""
    instrument = turn.windows.instruments.get(symbol)
    return instrument is not None and all(
        not turn.shadows(slot.strategy) and needs_nothing(turn, slot, instrument)
        for slot in turn.books.slots.values()
        if slot.symbol == symbol
    )


def needs_nothing(turn: Pass, slot: Slot, instrument: Instrument) -> bool:
    """Return whether `steer` would find nothing to do, nor a time to look again."""
    strategy, symbol = slot.strategy, slot.symbol
    orders = [
        order
        for order in turn.books.orders.values()
        if order.place.state not in TERMINAL
        and order.intent.strategy == strategy
        and order.intent.symbol == symbol
    ]
    return _waits(turn, slot, orders) if orders else _is_at_rest(turn, slot, instrument)


def _waits(turn: Pass, slot: Slot, orders: list[Order]) -> bool:
    """Return whether the answer to an exit, or to the entries of a flat slot alone, is awaited."""
    if State.INITIALIZED in [order.place.state for order in orders]:
        return False
    if not STAYS.issuperset([order.intent.leg for order in orders]):
        return True
    enters = all(
        order.intent.leg == "entry" and slot.owns(order.intent.client_order_id) for order in orders
    )
    timed = slot.until_ns or slot.good_till_ns
    if not enters or slot.qty == 0 or timed or slot.taken or is_latched(turn, slot.strategy):
        return False
    own = turn.books.ledger.holding(slot.symbol, strategy_tag(slot.strategy))
    return own is None or own.flat


def is_leaving(order: Order) -> bool:
    """Return whether an exit is on its way: until it ends, nothing is to be done in its slot."""
    state = order.place.state
    unheard = state is State.INITIALIZED
    return order.intent.leg not in STAYS and not unheard and state not in TERMINAL


def is_latched(turn: Pass, strategy: str) -> bool:
    """Return whether a strategy enters no more."""
    runs = strategy in turn.books.loaded or strategy == MANUAL
    return strategy in turn.books.latches or not runs


def _is_at_rest(turn: Pass, slot: Slot, instrument: Instrument) -> bool:
    """Return whether a slot holds what it wants, and waits for no price."""
    if slot.stop_px or slot.take_px or slot.until_ns or (slot.qty and not slot.entry):
        return False
    if slot.trails or slot.takes:
        return False
    own = turn.books.ledger.holding(slot.symbol, strategy_tag(slot.strategy))
    if own is None or own.flat:
        return slot.qty == 0
    whole = turn.books.ledger.holding(slot.symbol)
    if whole is None or (whole.qty, whole.qty_exp) != (own.qty, own.qty_exp):
        return False  # Somebody else holds some of it, or has sold some of this.
    exp = own.qty_exp - instrument.qty_exp
    return exp >= 0 and own.qty == slot.qty * 10**exp
