"""How said messages change the books: money, orders, what each strategy wants, what is closed."""

from collections.abc import Collection

import msgspec

from schema.head import Message
from schema.identity import strategy_tag, tag_of
from schema.ledger import book, deposit, hand_over
from schema.lifecycle import EVENTS, State, step
from schema.orders import (
    Deposit,
    Fill,
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
    OrderCancelRejected,
    OrderSubmitted,
)
from schema.trading import (
    CancelIntent,
    Decision,
    OrderIntent,
    PairLocked,
    Portfolio,
    Protection,
    RiskState,
    StrategyFailed,
    StrategyPaused,
    StrategyResumed,
)
from schema.units import rescale
from services.engine.state import Books, Latch, Lock, Order, Slot, slot_key


def fold(books: Books, message: Message, known: Collection[str]) -> None:
    """Change the books by one message; `known` are the strategies that run here."""
    match message:
        case OrderIntent():
            _intent(books, message)
        case CancelIntent(client_order_id=order_id):
            if order_id in books.orders:
                books.orders[order_id].cancel_ns = message.ts_event
        case Decision():
            _decision(books, message)
        case OrderSubmitted() if message.intent.strategy in known:
            _adopt(books, message.intent)
            _order_event(books, message)
        case Fill():
            if book(books.ledger, message):
                _share(books, message, known)
                _order_event(books, message)
        case _ if isinstance(message, EVENTS):
            _order_event(books, message)
        case _:
            _money(books, message)
            _level(books, message)
            _latch(books, message)


def after(slot: Slot, decision: Decision) -> Slot:
    """Return what a slot becomes by a decision; only an entry or an exit changes it."""
    if decision.action == "exit":
        return msgspec.structs.replace(slot, qty=0, stop_px=0, until_ns=0, why=decision.reason)
    if decision.action != "enter":
        return slot
    return Slot(
        strategy=decision.strategy,
        symbol=decision.symbol,
        moment=decision.moment,
        qty=decision.qty,
        stop_px=decision.stop_px,
        px_exp=decision.px_exp,
        qty_exp=decision.qty_exp,
        until_ns=decision.until_ns,
        since_ns=decision.ts_event,
        why=decision.reason,
        trace=decision.trace,
    )


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


def _decision(books: Books, decision: Decision) -> None:
    books.decisions += 1
    if decision.action not in {"enter", "exit"}:
        return
    strategy, symbol = decision.strategy, decision.symbol
    slot = slot_of(books, strategy, symbol)
    books.slots[slot_key(strategy, symbol)] = after(slot, decision)
    if decision.action == "enter":
        for order_id, order in orders_of(books, strategy, symbol).items():
            if order.place.terminal:
                del books.orders[order_id]


def _intent(books: Books, intent: OrderIntent) -> None:
    books.intents += 1
    if intent.client_order_id not in books.orders:
        _register(books, intent)


def _register(books: Books, intent: OrderIntent) -> None:
    books.orders[intent.client_order_id] = Order(intent)
    slot = slot_of(books, intent.strategy, intent.symbol)
    entry = slot.entry
    if intent.leg == "entry" and (not entry or slot.qty == 0):
        entry = intent.client_order_id
    changed = msgspec.structs.replace(slot, legs=slot.legs + 1, entry=entry)
    books.slots[slot_key(intent.strategy, intent.symbol)] = changed


def _adopt(books: Books, intent: OrderIntent) -> None:
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
    _register(books, intent)


def _share(books: Books, fill: Fill, known: Collection[str]) -> None:
    # The gateway closes the account's position with orders of nobody's: FLATTEN does. It closes
    # that of a strategy that runs no more, too: else it would sell what another one buys later.
    names = dict.fromkeys([*known, *(slot.strategy for slot in books.slots.values())])
    tags = [strategy_tag(name) for name in names]
    if tag_of(fill.client_order_id) not in tags:
        for tag in tags:
            hand_over(books.ledger, fill, tag)


def _order_event(books: Books, message: Message) -> None:
    order = books.orders.get(getattr(message, "client_order_id", ""))
    if order is None:
        return
    if isinstance(message, Fill):
        exp = max(message.qty_exp, order.intent.qty_exp)
        more = rescale(message.qty, message.qty_exp, exp)
        order.filled += more // 10 ** (exp - order.intent.qty_exp)
    complete = order.filled >= order.intent.qty
    before = order.place
    order.place = step(before, type(message), complete=complete).place
    if isinstance(message, OrderCancelRejected):
        order.cancel_ns, order.rest_ns = 0, message.ts_event
    if order.place.terminal and not before.terminal:
        _ended(books, order, message.ts_event)


def _ended(books: Books, order: Order, now_ns: int) -> None:
    if order.place.state is not State.FILLED and not order.cancel_asked:
        order.rest_ns = now_ns
    intent = order.intent
    slot = slot_of(books, intent.strategy, intent.symbol)
    if slot.entry == intent.client_order_id and order.filled == 0:
        # An entry that came to nothing is not tried again: the next one needs a fresh signal.
        cleared = msgspec.structs.replace(slot, qty=0, stop_px=0, until_ns=0)
        books.slots[slot_key(slot.strategy, slot.symbol)] = cleared


def _money(books: Books, message: Message) -> None:
    match message:
        case Deposit():
            deposit(books.ledger, message)
        case Portfolio(peak_equity=peak, quote_exp=exp):
            books.peak_equity, books.peak_exp = peak, exp


def _level(books: Books, message: Message) -> None:
    match message:
        case KillLevel(level=level, reason=reason):
            books.kill = (level, reason)
        case RiskState(state=state, reason=reason):
            books.risk = (state, reason)
        case InstrumentHalted(symbol=symbol, reason=reason):
            books.halted[symbol] = reason
        case InstrumentResumed(symbol=symbol):
            books.halted.pop(symbol, None)
        case PairLocked(symbol=symbol, until_ns=until_ns, reason=why):
            books.locks[symbol] = Lock(message.ts_event, until_ns, "engine", why)
        case Protection(symbol=symbol, until_ns=until_ns, name=name, reason=why):
            books.locks[symbol] = Lock(message.ts_event, until_ns, "risk", f"{name}: {why}")


def _latch(books: Books, message: Message) -> None:
    match message:
        case StrategyFailed(strategy=name, reason=why, detail=detail):
            why = f"{why}: {detail}" if detail else why
            books.latches[name] = Latch("strategy failed", message.ts_event, "engine", why)
        case StrategyPaused(strategy=name, by=by, reason=why):
            if name not in books.latches:
                books.latches[name] = Latch("strategy paused", message.ts_event, by, why)
        case StrategyResumed(strategy=name):
            books.latches.pop(name, None)
