"""How said messages change the books: money, orders, what each strategy wants, what is closed."""

from collections.abc import Callable
from typing import Any

import msgspec

from schema.head import Message
from schema.identity import TAG_CHARS, strategy_tag, tag_of
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
from schema.strategy import ShadowFill, StrategyLoaded, StrategyRetired, StrategyState
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
from schema.units import floor_scale, notional
from services.engine.slots import after, without_entry
from services.engine.state import Books, Latch, Lock, Order, Slot, slot_key

CHANGES = frozenset({"enter", "resize", "adjust", "exit"})
"""Actions that change what a slot wants."""


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


def _cancel(books: Books, intent: CancelIntent) -> None:
    order = books.orders.get(intent.client_order_id)
    if order is not None:
        order.cancel_ns = intent.ts_event


def _remember(books: Books, message: StrategyState) -> None:
    books.memory[slot_key(message.strategy, message.symbol)] = message.state


def _submitted(books: Books, message: OrderSubmitted) -> None:
    if message.intent.strategy in books.loaded:
        _adopt(books, message.intent)
    _order_event(books, message)


def _filled(books: Books, fill: Fill) -> None:
    if book(books.ledger, fill):
        _share(books, fill)
        _order_event(books, fill)


def _decision(books: Books, decision: Decision) -> None:
    books.decisions += 1
    if decision.action not in CHANGES:
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
    if intent.leg == "stop":  # One that follows the market leaves many behind.
        for order_id, old in orders_of(books, intent.strategy, intent.symbol).items():
            gone = old.place.terminal and old.cancel_asked and not old.filled
            if gone and old.intent.leg == "stop":
                del books.orders[order_id]
    books.orders[intent.client_order_id] = Order(intent)
    slot = slot_of(books, intent.strategy, intent.symbol)
    entry = slot.entry
    if intent.leg == "entry" and (not entry or slot.qty == 0):  # An adopted one, or the slot's.
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


def _share(books: Books, fill: Fill) -> None:
    # The gateway closes the account's position with orders of nobody's: FLATTEN does. It closes
    # that of a strategy that runs no more, too: else it would sell what another one buys later.
    owner = tag_of(fill.client_order_id)
    names = dict.fromkeys([*books.loaded, *[slot.strategy for slot in books.slots.values()]])
    tags = [strategy_tag(name) for name in names]
    if owner not in tags:
        for tag in tags:
            hand_over(books.ledger, fill, tag)


def _order_event(books: Books, message: Message) -> None:
    order = books.orders.get(getattr(message, "client_order_id", ""))
    if order is None:
        return
    if type(message) is Fill:
        order.filled += floor_scale(message.qty, message.qty_exp, order.intent.qty_exp)
    complete = order.filled >= order.intent.qty
    before = order.place
    order.place = step(before, type(message), complete=complete).place
    if type(message) is OrderCancelRejected:
        order.cancel_ns, order.rest_ns = 0, message.ts_event
    if order.place.terminal and not before.terminal:
        _ended(books, order, message.ts_event)


def _ended(books: Books, order: Order, now_ns: int) -> None:
    order.ended_ns = now_ns
    if order.place.state is not State.FILLED and not order.cancel_asked:
        order.rest_ns = now_ns
    intent = order.intent
    slot = slot_of(books, intent.strategy, intent.symbol)
    if slot.entry == intent.client_order_id and order.filled == 0:
        # An entry that came to nothing is not tried again: the next one needs a fresh signal.
        books.slots[slot_key(slot.strategy, slot.symbol)] = without_entry(slot)


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


def _loaded(books: Books, message: Message) -> None:
    match message:
        case StrategyLoaded(strategy=name, offer=offer):
            before = books.loaded.get(name)
            if offer.role != (before.role if before is not None else "trade"):
                _begin_anew(books, name)
            books.loaded[name] = offer
        case StrategyRetired(strategy=name):
            gone = books.loaded.pop(name, None)
            if gone is not None and gone.role == "shadow":
                _begin_anew(books, name)
        case ShadowFill():
            book(books.shadow, _as_fill(message, books.shadow.fills))


def _begin_anew(books: Books, name: str) -> None:
    # From shadow to trading, or back: nothing that was only thought is held, and nothing is held
    # that was not bought.
    for slot in slots_of(books, name):
        books.slots[slot_key(name, slot.symbol)] = Slot(name, slot.symbol)
    tag = strategy_tag(name)
    for key in [key for key in books.shadow.holdings if key.endswith(f" {tag}")]:
        del books.shadow.holdings[key]


def _as_fill(message: ShadowFill, number: int) -> Fill:
    exp = message.px_exp + message.qty_exp
    return Fill(
        ts_event=message.ts_event,
        client_order_id=f"{'0' * TAG_CHARS}{strategy_tag(message.strategy)}",
        symbol=message.symbol,
        side=message.side,
        venue_order_id="",
        venue_trade_id=str(number),
        px=message.px,
        qty=message.qty,
        quote_qty=notional(message.px, message.qty, exp, message.quote_exp),
        fee=message.fee,
        fee_asset=message.symbol.partition("/")[2],
        maker=False,
        px_exp=message.px_exp,
        qty_exp=message.qty_exp,
        quote_exp=message.quote_exp,
        fee_exp=message.quote_exp,
    )


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


FOLDS: dict[type[Message], Callable[[Books, Any], None]] = {
    **dict.fromkeys(EVENTS, _order_event),
    OrderIntent: _intent,
    CancelIntent: _cancel,
    Decision: _decision,
    StrategyState: _remember,
    OrderSubmitted: _submitted,
    Fill: _filled,
    **dict.fromkeys((Deposit, Portfolio), _money),
    **dict.fromkeys((KillLevel, RiskState, InstrumentHalted, InstrumentResumed), _level),
    **dict.fromkeys((PairLocked, Protection), _level),
    **dict.fromkeys((StrategyFailed, StrategyPaused, StrategyResumed), _latch),
    **dict.fromkeys((StrategyLoaded, StrategyRetired, ShadowFill), _loaded),
}
"""How each message changes the books; nothing else ever does."""
