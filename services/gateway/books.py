"""How each message of `gateway.order` changes the books; nothing else ever does."""

from collections.abc import Callable
from typing import Any

from schema.head import Message
from schema.identity import strategy_tag, tag_of
from schema.lifecycle import EVENTS, Place, State, step
from schema.orders import (
    BalanceSeen,
    Deposit,
    Fill,
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
    LiveArmed,
    LiveDisarmed,
    OrderAccepted,
    OrderAdopted,
    OrderCancelRejected,
    OrderDenied,
    OrderPendingCancel,
    OrderResolved,
    OrderSubmitted,
    Reconciled,
    RequestWeight,
)
from schema.units import rescale
from services.gateway import stakes
from services.gateway.amounts import add
from services.gateway.position import fold_deposit, fold_fill, worth_of
from services.gateway.state import ARM_MAX_NS, ENDED_MAX, SENT_MAX, Amount, Arm, Books, Order, Stop

EXTERNAL = "-external"
"""How the name of a movement ends that is not the house's, where another part of it may be."""

OPENING, DIVIDED = "opening", "divided-"
OPENINGS = (OPENING, DIVIDED)
"""How the names begin of what was there at first, and of what of it changed its book since."""

CLOSER = "gateway"
"""The strategy's name in the orders that FLATTEN makes."""

STRANGER = "unknown order "
"""How the reason begins that halts a symbol for an order of somebody else's."""

UNEXPLAINED = "unexplained balance of "
"""How the reason begins that halts a symbol for money that moved by itself."""


def apply(books: Books, message: Message) -> None:
    """Change the books by one message of the own stream."""
    if books.arm.until_ns:
        books.arm.seen_ns = max(books.arm.seen_ns, message.ts_event)
    change = CHANGES.get(type(message))
    if change is not None:
        change(books, message)


def find(books: Books, order_id: str) -> Order | None:
    """Return an order that is open, or that ended not too many orders ago."""
    return books.open.get(order_id) or books.ended.get(order_id)


def _submit(books: Books, message: OrderSubmitted) -> None:
    intent = message.intent
    order = Order(
        intent=intent,
        signed_ms=message.signed_ms,
        submitted_ns=message.ts_event,
        exp=intent.qty_exp,
        qty=intent.qty,
        place=Place(State.SUBMITTED, State.SUBMITTED),
    )
    if intent.replaces in books.open:
        old = books.open[intent.replaces]
        old.successor, old.canceled = order.id, False
    books.open[order.id] = order
    books.ids.add(order.id)
    books.submitted += 1
    books.sent.append(message.ts_event)
    del books.sent[:-SENT_MAX]
    if not intent.reduce_only:
        books.spent.append((message.ts_event, worth_of(intent)))
        del books.spent[:-SENT_MAX]
    if intent.strategy == CLOSER:
        books.legs[order.symbol] = books.legs.get(order.symbol, 0) + 1
    else:
        stakes.fold_order(books, intent)


def _deny(books: Books, message: OrderDenied) -> None:
    books.ids.add(message.client_order_id)
    books.denied += 1


def _move(books: Books, message: Message) -> None:
    order = find(books, getattr(message, "client_order_id", ""))
    if order is None:
        return
    order.place = step(order.place, type(message)).place
    match message:
        case OrderAccepted():
            _name(books, order, message.venue_order_id)
        case OrderPendingCancel():
            order.canceled = True
        case OrderCancelRejected():
            order.canceled = False
    _settle(books, order)


def _name(books: Books, order: Order, venue_order_id: str) -> None:
    if not venue_order_id:
        return  # A person says that it is there, and nobody knows the exchange's name for it.
    order.venue_order_id = venue_order_id
    books.venue_ids[f"{order.symbol} {venue_order_id}"] = order.id


def _fill(books: Books, fill: Fill) -> None:
    seen = books.seen.get(fill.symbol)
    if seen is None:
        seen = books.seen[fill.symbol] = set()
    seen.add(fill.venue_trade_id)
    # A number that a person typed may be wrong: no list of trades begins behind it.
    typed = books.resolved.get(fill.client_order_id) == "filled"
    if fill.venue_trade_id.isdecimal() and not typed:
        newest = max(books.newest.get(fill.symbol, 0), int(fill.venue_trade_id))
        books.newest[fill.symbol] = newest
    books.fills += 1
    books.late_fills += fill.late
    fold_fill(books, fill)
    stakes.fold_fill(books, fill, closes=tag_of(fill.client_order_id) == strategy_tag(CLOSER))
    order = find(books, fill.client_order_id)
    if order is None:
        return
    if fill.qty_exp > order.exp:
        order.qty = rescale(order.qty, order.exp, fill.qty_exp)
        order.filled = rescale(order.filled, order.exp, fill.qty_exp)
        order.exp = fill.qty_exp
    order.filled += rescale(fill.qty, fill.qty_exp, order.exp)
    order.place = step(order.place, Fill, complete=order.filled >= order.qty).place
    _name(books, order, fill.venue_order_id)
    _settle(books, order)


def _settle(books: Books, order: Order) -> None:
    if not order.ended or order.id not in books.open:
        return
    books.ended[order.id] = books.open.pop(order.id)
    if len(books.ended) > ENDED_MAX:
        oldest = books.ended.pop(next(iter(books.ended)))
        books.venue_ids.pop(f"{oldest.symbol} {oldest.venue_order_id}", None)


def _latch(books: Books, message: KillLevel | InstrumentHalted | InstrumentResumed) -> None:
    match message:
        case KillLevel(level=level):
            books.level = level
            books.killed = Stop(message.ts_event, message.by, message.reason)
            if level == "FLATTEN":
                books.flattens += 1
                books.legs = {}
        case InstrumentHalted():
            _halt(books, message)
        case InstrumentResumed(symbol=symbol):
            books.halted.pop(symbol, None)
            gone = [name for name in books.strangers if name.startswith(f"{symbol} ")]
            for name in gone:
                del books.strangers[name]


def _halt(books: Books, message: InstrumentHalted) -> None:
    symbol, why = message.symbol, message.reason
    stop, before = Stop(message.ts_event, "gateway", why), books.halted.get(symbol)
    # Money that is explained lets a symbol go on: whatever else halts it must not go with it.
    if before is None or before.why.startswith(UNEXPLAINED):
        books.halted[symbol] = stop
    if not why.startswith(UNEXPLAINED):
        books.told.add(f"{symbol} {why}")
    if why.startswith(STRANGER):
        books.foreign_orders += 1
        books.strangers[f"{symbol} {why.removeprefix(STRANGER).partition(':')[0]}"] = stop


def _resolve(books: Books, message: OrderResolved) -> None:
    books.resolved[message.client_order_id] = message.fate


def _adopt(books: Books, message: OrderAdopted) -> None:
    name = f"{message.symbol} {message.venue_order_id}"
    books.adopted[name] = Stop(message.ts_event, message.by, message.reason)
    books.strangers.pop(name, None)


def _deposit(books: Books, message: Deposit) -> None:
    fold_deposit(books, message)
    if message.venue_id.startswith(OPENINGS):
        divided = books.given if message.book == "trading" else books.spared
        add(divided.setdefault(message.asset, Amount()), message.amount, message.exp)
    if message.kind == "transfer":
        books.credited.add(f"{message.asset} {message.venue_id.removesuffix(EXTERNAL)}")
    books.outside += message.book == "external" and message.kind != "opening"
    books.opened_ns = books.opened_ns or message.ts_event


def _see_balance(books: Books, message: BalanceSeen) -> None:
    books.differences[message.asset] = Amount(message.difference, message.exp)


def _weigh(books: Books, message: RequestWeight) -> None:
    books.retry_after_ns, books.weight_used = message.retry_after_ns, message.used
    books.weight_said_ns = message.ts_event


def _mark(books: Books, message: Reconciled) -> None:
    books.opened_ns = books.opened_ns or message.ts_event
    books.reconciled_ns = message.ts_event
    # A trade whose order is in doubt is booked by nobody yet: lists begin before it until it is.
    doubtful = {o.symbol for o in books.open.values() if o.place.state is State.UNCONFIRMED}
    for symbol, newest in books.newest.items():
        if symbol not in doubtful:
            _, last = books.marks.get(symbol, (0, 0))
            books.marks[symbol] = (last, newest)


def _arm(books: Books, armed: LiveArmed) -> None:
    books.arm = Arm(
        until_ns=min(armed.until_ns, armed.ts_event + ARM_MAX_NS),
        account=armed.account,
        seen_ns=armed.ts_event,
        told=Stop(armed.ts_event, armed.by, armed.reason),
    )


def _disarm(books: Books, disarmed: LiveDisarmed) -> None:
    books.arm = Arm(told=Stop(disarmed.ts_event, disarmed.by, disarmed.reason))


CHANGES: dict[type[Message], Callable[[Books, Any], None]] = {
    **dict.fromkeys(EVENTS, _move),
    OrderSubmitted: _submit,
    OrderDenied: _deny,
    Fill: _fill,
    KillLevel: _latch,
    InstrumentHalted: _latch,
    InstrumentResumed: _latch,
    OrderResolved: _resolve,
    OrderAdopted: _adopt,
    Deposit: _deposit,
    BalanceSeen: _see_balance,
    Reconciled: _mark,
    RequestWeight: _weigh,
    LiveArmed: _arm,
    LiveDisarmed: _disarm,
}
