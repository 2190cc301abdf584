"""Cancels: wanted until the order has ended, or until the exchange says that it will not.

A cancel may be repeated, unlike a create. It needs no verdict and no working risk.
"""

from schema.exchange import CancelRefused, SendCancel
from schema.lifecycle import State
from schema.orders import OrderCancelRejected, OrderPendingCancel
from schema.trading import CancelIntent
from services.gateway.answers import OPEN
from services.gateway.books import CLOSER
from services.gateway.join import withdraw
from services.gateway.pairs import is_unanswered
from services.gateway.questions import ask_order
from services.gateway.state import Order, Wish
from services.gateway.steps import tell
from services.gateway.turn import Turn

STOPPING = frozenset({"HALTED", "FLATTEN"})
"""Kill levels that cancel orders."""

EXPIRED = "GTD: its time is over"
ENTRIES = frozenset({"entry"})
"""Legs that HALTED cancels; what protects or closes a position stays."""


def hear_cancel(turn: Turn, intent: CancelIntent) -> None:
    """Take a wish of the engine's to cancel an order."""
    order = turn.books.open.get(intent.client_order_id)
    if order is not None:
        wish(turn, order, intent.reason or f"{intent.strategy} wants it")
    elif not withdraw(turn, intent.client_order_id):
        turn.windows.strays += 1


def wish(turn: Turn, order: Order, reason: str) -> None:
    """Want an order cancelled."""
    if order.id not in turn.windows.wishes:
        turn.windows.wishes[order.id] = Wish(reason)


def is_replaced_now(turn: Turn, order: Order) -> bool:
    """Return whether the answer to the request that replaces an order is still on its way."""
    new = turn.books.open.get(order.successor)
    return new is not None and is_unanswered(new)


def settle(turn: Turn) -> None:
    """Want what the kill level wants cancelled, and send every cancel whose time has come."""
    stops = turn.books.level in STOPPING
    for order in list(turn.books.open.values()):
        if is_expired(turn, order):
            wish(turn, order, EXPIRED)
        elif stops and must_go(turn, order):
            wish(turn, order, f"the kill level is {turn.books.level}")
        elif order.place.state is State.PENDING_CANCEL and _is_wanted(order):
            wish(turn, order, "its cancel was under way")
    for order_id, wanted in list(turn.windows.wishes.items()):
        wished = turn.books.open.get(order_id)
        if wished is None:
            del turn.windows.wishes[order_id]
        else:
            _pursue(turn, wished, wanted)


def _is_wanted(order: Order) -> bool:
    return order.canceled or not order.successor


def is_expired(turn: Turn, order: Order) -> bool:
    """Return whether an order that is good until a time has outlived it, and wake when it has."""
    return order.intent.time_in_force == "GTD" and turn.due(order.intent.expire_ns)


def must_go(turn: Turn, order: Order) -> bool:
    """Return whether neither the kill level nor its own time leaves an order like this one."""
    if is_expired(turn, order):
        return True
    level = turn.books.level
    if level == "FLATTEN":
        return order.intent.strategy != CLOSER
    return level == "HALTED" and order.intent.leg in ENTRIES


def _pursue(turn: Turn, order: Order, wanted: Wish) -> None:
    _say_pending(turn, order, wanted)
    if order.place.under is State.SUBMITTED or _is_ending(turn, order):
        return  # Its answer is on its way, and says whether there is anything to cancel.
    if is_replaced_now(turn, order):
        return  # Its answer is on its way, and says whether there is anything to cancel.
    key = f"cancel {order.id}"
    if wanted.doubtful:
        if turn.due(wanted.pace.next_ns) and ask_order(turn, order):
            turn.later(wanted.pace)
    elif turn.due(wanted.pace.next_ns) and turn.may_ask(key):
        turn.later(wanted.pace)
        effect_id, symbol = turn.effect_id(key), order.symbol
        cancel = SendCancel(effect_id=effect_id, client_order_id=order.id, symbol=symbol)
        turn.ask(key, cancel)


def _say_pending(turn: Turn, order: Order, wanted: Wish) -> None:
    under_way = order.place.state is State.PENDING_CANCEL and _is_wanted(order)
    if not under_way and order.place.state is not State.UNCONFIRMED:
        tell(turn, order, OrderPendingCancel, reason=wanted.reason)


def _is_ending(turn: Turn, order: Order) -> bool:
    report = turn.windows.held.get(order.id)
    return report is not None and report.status not in OPEN


def take_refusal(turn: Turn, refused: CancelRefused) -> None:
    """Take in that the exchange did not cancel: the order is asked for, whatever the reason."""
    wanted = turn.windows.wishes.get(refused.client_order_id)
    order = turn.books.open.get(refused.client_order_id)
    if wanted is not None and order is not None:
        wanted.refused = (str(refused.code), refused.text)
        _doubt(turn, order, wanted)


def take_silence(turn: Turn, order_id: str) -> None:
    """Take in that nothing came back of a cancel."""
    wanted, order = turn.windows.wishes.get(order_id), turn.books.open.get(order_id)
    if wanted is not None and order is not None:
        wanted.refused = ("", "")
        _doubt(turn, order, wanted)


def _doubt(turn: Turn, order: Order, wanted: Wish) -> None:
    # An order in doubt is asked for anyway, and its cancel sent again meanwhile.
    wanted.doubtful = order.place.state is not State.UNCONFIRMED
    if wanted.doubtful:
        wanted.pace.next_ns = turn.now_ns


def take_found(turn: Turn, order_id: str, status: str) -> None:
    """Take in what the exchange said of an order whose cancel was in doubt."""
    wanted, order = turn.windows.wishes.get(order_id), turn.books.open.get(order_id)
    if wanted is None or order is None or not wanted.doubtful or status not in OPEN:
        return
    wanted.doubtful = False
    if wanted.refused == ("", "") or must_go(turn, order):
        turn.later(wanted.pace)
        return
    code, detail = wanted.refused
    del turn.windows.wishes[order_id]
    if order.place.state is State.PENDING_CANCEL:
        tell(turn, order, OrderCancelRejected, code=code, detail=detail)
