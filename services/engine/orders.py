"""What the books know of orders: how they come in, what becomes of them, and when they are past."""

import msgspec

from schema.head import Message
from schema.lifecycle import State, step
from schema.orders import Fill, OrderCancelRejected, OrderDenied, OrderRejected, OrderTriggered
from schema.trading import CancelIntent, OrderIntent
from schema.units import floor_scale
from services.engine.slots import without_entry
from services.engine.state import Books, Order, Slot, slot_key

PROTECTIVE = frozenset({"stop", "target"})
REFUSED = frozenset({State.DENIED, State.REJECTED})
OVER = "its time is over"
TRIGGERS = frozenset({OrderTriggered, Fill})
"""Whereby a stop is known to be active."""


def slot_of(books: Books, strategy: str, symbol: str) -> Slot:
    """Return a slot; an empty one when nothing was decided yet."""
    return books.slots.get(slot_key(strategy, symbol)) or Slot(strategy, symbol)


def slots_of(books: Books, strategy: str) -> list[Slot]:
    """Return the slots of a strategy."""
    return [slot for slot in books.slots.values() if slot.strategy == strategy]


def orders_of(books: Books, strategy: str, symbol: str) -> dict[str, Order]:
    """Return the orders of a slot, oldest first."""
    return {
        order_id: order
        for order_id, order in books.orders.items()
        if order.intent.strategy == strategy and order.intent.symbol == symbol
    }


def cancel(books: Books, intent: CancelIntent) -> None:
    """Note that an order is to end."""
    order = books.orders.get(intent.client_order_id)
    if order is not None:
        order.cancel_ns = intent.ts_event
        other = books.orders.get(order.intent.oco)
        if other is not None:  # Of a pair, one cancel ends both.
            other.cancel_ns = intent.ts_event


def register(books: Books, intent: OrderIntent) -> None:
    """Take an order into the books."""
    slot = slot_of(books, intent.strategy, intent.symbol)
    if intent.leg in PROTECTIVE:  # One that follows the market leaves many behind.
        for order_id, old in orders_of(books, intent.strategy, intent.symbol).items():
            if old.intent.leg in PROTECTIVE and _is_past(books, slot, old):
                del books.orders[order_id]
    books.orders[intent.client_order_id] = Order(intent)
    entry, entries = slot.entry, slot.entries
    if intent.leg == "entry" and (not entry or slot.qty == 0):  # An adopted one, or the slot's.
        entry = intent.client_order_id
    if intent.leg == "entry" and len(entries) < len(slot.rungs):
        entries = (*entries, intent.client_order_id)
    changed = msgspec.structs.replace(slot, legs=slot.legs + 1, entry=entry, entries=entries)
    books.slots[slot_key(intent.strategy, intent.symbol)] = changed


def _is_past(books: Books, slot: Slot, order: Order) -> bool:
    if not order.place.terminal or order.filled:
        return False
    if order.intent.replaces and order.place.state in REFUSED:
        # That it was refused is remembered as long as the old one could be replaced again.
        old = books.orders.get(order.intent.replaces)
        return old is None or old.place.terminal
    if _was_replaced(books, order):
        return True
    if order.cancel_asked or not order.intent.oco:
        return order.cancel_asked
    # That a pair was refused is remembered as long as the same one would be asked for again.
    other = books.orders.get(order.intent.oco)
    return other is None or _has_moved(slot, order) or _has_moved(slot, other)


def _has_moved(slot: Slot, order: Order) -> bool:
    intent = order.intent
    if intent.leg == "target":
        return intent.limit_px != slot.take_px
    return (intent.stop_px, intent.limit_px) != (slot.stop_px, slot.stop_limit_px)


def adopt(books: Books, intent: OrderIntent) -> None:
    """Take an order that has left, as it left."""
    # The gateway keeps whole what a power cut may have taken from our own stream; where the two
    # differ, what has left is the order.
    known = books.orders.get(intent.client_order_id)
    if known is not None:
        known.intent = intent
        return
    key = slot_key(intent.strategy, intent.symbol)
    if key not in books.slots:
        moment = f"adopted {intent.client_order_id}"
        books.slots[key] = Slot(intent.strategy, intent.symbol, moment, trace=intent.trace)
    register(books, intent)


def order_event(books: Books, message: Message) -> None:
    """Move an order by what the gateway told of it."""
    order = books.orders.get(getattr(message, "client_order_id", ""))
    if order is None:
        return
    if type(message) is Fill:
        order.filled += floor_scale(message.qty, message.qty_exp, order.intent.qty_exp)
    if type(message) in TRIGGERS and order.intent.stop_px and not order.triggered_ns:
        order.triggered_ns = message.ts_event
    complete = order.filled >= order.intent.qty
    before = order.place
    order.place = step(before, type(message), complete=complete).place
    if type(message) is OrderCancelRejected:
        _stays(books, order, message.ts_event)
    if order.place.terminal and not before.terminal:
        order.code = message.code if isinstance(message, OrderDenied | OrderRejected) else ""
        _ended(books, order, message.ts_event)


def _stays(books: Books, order: Order, now_ns: int) -> None:
    order.cancel_ns, order.rest_ns = 0, now_ns
    other = books.orders.get(order.intent.oco)
    if other is not None and not other.place.terminal:
        other.cancel_ns = 0


def _ended(books: Books, order: Order, now_ns: int) -> None:
    order.ended_ns, intent = now_ns, order.intent
    bought = intent.leg == "entry" and order.filled > 0  # And wants to be protected now.
    asked = order.cancel_asked or _was_replaced(books, order) or _is_over(order, now_ns)
    if order.place.state is not State.FILLED and not asked and not bought:
        order.rest_ns = now_ns
    slot = slot_of(books, intent.strategy, intent.symbol)
    if slot.owns(intent.client_order_id) and order.filled == 0:
        books.slots[slot_key(slot.strategy, slot.symbol)] = _came_to_nothing(books, slot, order)


def _came_to_nothing(books: Books, slot: Slot, order: Order) -> Slot:
    """Return a slot of which an entry has ended unfilled."""
    if order.intent.replaces and order.place.state in REFUSED:
        # What it was to replace may have been filled: how that stands decides.
        return msgspec.structs.replace(slot, entry="")
    others = [books.orders[one] for one in slot.entries if one in books.orders]
    if any(one.filled or not one.place.terminal for one in others):
        return slot  # The other rungs of its ladder stand.
    # An entry that came to nothing is not tried again: the next one needs a fresh signal.
    over = _is_over(order, order.ended_ns)
    return without_entry(msgspec.structs.replace(slot, why=OVER) if over else slot)


def _is_over(order: Order, now_ns: int) -> bool:
    """Return whether an order ended because it was good until then alone."""
    return 0 < order.intent.expire_ns <= now_ns


def _was_replaced(books: Books, order: Order) -> bool:
    """Return whether another one has taken, or was to take, the place of an order that ended."""
    intent = order.intent
    return order.place.state is State.CANCELED and any(
        one.intent.replaces == intent.client_order_id
        for one in orders_of(books, intent.strategy, intent.symbol).values()
    )
