"""How said messages change the books: money, orders, what each strategy wants, what is closed."""

from collections.abc import Callable
from typing import Any

from schema.head import Message
from schema.identity import TAG_CHARS, strategy_tag, tag_of
from schema.ledger import book, deposit, hand_over
from schema.lifecycle import EVENTS
from schema.locks import fold_lock
from schema.orders import (
    Deposit,
    Fill,
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
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
from schema.units import notional
from services.engine.orders import (
    adopt,
    cancel,
    order_event,
    orders_of,
    register,
    slot_of,
    slots_of,
)
from services.engine.portfolio import remember
from services.engine.slots import after
from services.engine.state import Books, Latch, Slot, slot_key

CHANGES = frozenset({"enter", "resize", "adjust", "exit"})
"""Actions that change what a slot wants."""


def _remember(books: Books, message: StrategyState) -> None:
    books.memory[slot_key(message.strategy, message.symbol)] = message.state


def _submitted(books: Books, message: OrderSubmitted) -> None:
    intent = message.intent
    if intent.strategy in books.loaded or slot_key(intent.strategy, intent.symbol) in books.slots:
        adopt(books, intent)
    order_event(books, message)


def _filled(books: Books, fill: Fill) -> None:
    if book(books.ledger, fill):
        _share(books, fill)
        order_event(books, fill)


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
        register(books, intent)


def _share(books: Books, fill: Fill) -> None:
    # The gateway closes the account's position with orders of nobody's: FLATTEN does. It closes
    # that of a strategy that runs no more, too: else it would sell what another one buys later.
    owner = tag_of(fill.client_order_id)
    names = dict.fromkeys([*books.loaded, *[slot.strategy for slot in books.slots.values()]])
    if owner in map(strategy_tag, names):
        return
    # A fill may be heard of late: whoever entered only after it traded gives last.
    for name in sorted(names, key=lambda name: _entered_ns(books, name, fill) > fill.ts_event):
        hand_over(books.ledger, fill, strategy_tag(name))


def _entered_ns(books: Books, strategy: str, fill: Fill) -> int:
    orders = orders_of(books, strategy, fill.symbol).values()
    entries = [o.intent.ts_event for o in orders if o.intent.leg == "entry" and o.filled]
    return min(entries, default=0)


def _money(books: Books, message: Message) -> None:
    match message:
        case Deposit():
            deposit(books.ledger, message)
        case Portfolio():
            remember(books, message)


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
        case PairLocked() | Protection():
            fold_lock(books.locks, message)


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
    **dict.fromkeys(EVENTS, order_event),
    OrderIntent: _intent,
    CancelIntent: cancel,
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
