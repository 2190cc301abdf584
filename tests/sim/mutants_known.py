"""Planted bugs of knowing: fills lost or doubled, orders forgotten, books that drift.

Each docstring names where such a bug was met: NT is NautilusTrader, HB Hummingbot, FT freqtrade.
"""

from typing import Any

from msgspec.structs import replace

from bus.merge import DELIVER, DROP
from schema.orders import OrderCanceled
from services.gateway.answers import _owner
from services.gateway.steps import tell
from services.risk.orders import _over
from tests.sim.planting import plant


@plant("services.gateway.answers:take_trade")
def fills_are_booked_twice(original: Any, turn: Any, trade: Any, *args: Any) -> None:
    """Book what push and poll both tell; NT #1001 doubled the position, HB #1663."""
    turn.books.seen.get(trade.symbol, set()).discard(trade.trade_id)
    original(turn, trade, *args)


@plant("services.gateway.answers:take_trade")
def one_fill_for_each_order(original: Any, turn: Any, trade: Any, *args: Any) -> None:
    """Know fills by their order; FT #2383, #12343: of several parts one counts."""
    order = _owner(turn, trade, trade.client_order_id)
    if order is None or not order.filled:
        original(turn, trade, *args)


@plant("services.gateway.answers:take_trade")
def late_fills_are_dropped(original: Any, turn: Any, trade: Any, *args: Any) -> None:
    """Drop a fill of an order that has ended; NT has no way from REJECTED to FILLED."""
    order = _owner(turn, trade, trade.client_order_id)
    if order is None or not order.ended:
        original(turn, trade, *args)


@plant("services.gateway.answers:take_trade")
def a_part_before_the_cancel_is_lost(original: Any, turn: Any, trade: Any, *args: Any) -> None:
    """Drop what traded while a cancel was under way; FT #3802, #10966."""
    order = _owner(turn, trade, trade.client_order_id)
    if order is None or order.place.state != "PENDING_CANCEL":
        original(turn, trade, *args)


@plant("services.gateway.answers:missing")
def an_end_waits_for_no_fill(_original: Any, _order: Any, _report: Any) -> bool:
    """Take the answer to a cancel for the whole story; FT #6457, #12928."""
    return False


@plant("services.gateway.cancels:take_refusal")
def a_refused_cancel_means_canceled(_original: Any, turn: Any, refused: Any) -> None:
    """Take "unknown order" for "it is gone"; FT #2877, #7444."""
    order = turn.books.open.get(refused.client_order_id)
    if order is not None:
        tell(turn, order, OrderCanceled, reason="unknown")


@plant("services.gateway.hearing:hear_nothing")
def a_failed_question_means_none(original: Any, turn: Any, silence: Any) -> None:
    """Take a question without an answer for "nothing is open"; NT #3715."""
    original(turn, silence)
    if silence.effect_id.startswith("open "):
        for order in [o for o in turn.books.open.values() if o.place.state == "ACCEPTED"]:
            tell(turn, order, OrderCanceled, reason="it is not listed")


@plant("services.gateway.reconcile:take_open_orders")
def what_is_not_listed_has_ended(original: Any, turn: Any, seen: Any) -> None:
    """Take an order that the list lacks for cancelled; NT #3104, HB #8457."""
    original(turn, seen)
    cycle = turn.windows.cycle
    for order_id in (cycle and cycle.missing) or ():
        tell(turn, turn.books.open[order_id], OrderCanceled, reason="it is not listed")


@plant("services.gateway.unconfirmed:last_ms")
def not_found_means_dead(_original: Any, _turn: Any, order: Any) -> int:
    """Bury an order while its request may still arrive; HB #8457, FT #4403."""
    return int(order.signed_ms)


@plant("services.gateway.unconfirmed:_ask")
def doubts_are_never_asked(_original: Any, _turn: Any, _order: Any, _doubt: Any) -> None:
    """Wait for a push that does not come; HB #3915: orphans."""


@plant("services.gateway.cancels:_pursue")
def a_cancel_is_tried_once(original: Any, turn: Any, order: Any, wanted: Any) -> None:
    """Forget a cancel that was not answered; HB #7662: it is pending for ever."""
    if not wanted.pace.tries:
        original(turn, order, wanted)


@plant("services.gateway.trades:settle")
def executions_are_never_polled(_original: Any, _turn: Any, _symbols: Any) -> None:
    """Believe that every fill is pushed; Lean.TradeStation #101: 4 of 18 were."""


@plant("services.gateway.position:fold_fill")
def fees_are_not_booked(original: Any, books: Any, fill: Any) -> None:
    """Book without fees; HB #2710, FT #12450."""
    original(books, replace(fill, fee=0))


@plant("services.gateway.answers:fill_of")
def fees_have_the_wrong_sign(original: Any, *args: Any) -> Any:
    """Turn a cost into a rebate; HB #7891."""
    fill = original(*args)
    return replace(fill, fee=-fill.fee)


@plant("services.gateway.hearing:start")
def opening_balances_come_again(original: Any, turn: Any, *args: Any, **named: Any) -> None:
    """Open the books at each start; NT #3476 counts twice."""
    turn.books.opened_ns = 0
    original(turn, *args, **named)


@plant("services.gateway.answers:_meet_stranger")
def unknown_orders_are_overlooked(_original: Any, _turn: Any, _report: Any) -> None:
    """See nothing in an order that was made by hand; FT #11494."""


@plant("services.gateway.answers:_meet_trader")
def trades_by_hand_are_overlooked(_original: Any, _turn: Any, _trade: Any) -> None:
    """See nothing in a trade that was made by hand; NT #3104."""


@plant("services.risk.orders:_submitted")
def what_is_sent_is_not_reserved(original: Any, books: Any, message: Any, limits: Any) -> None:
    """Free an approval when its order leaves; HB counts pending orders nowhere."""
    original(books, message, limits)
    _over(books, message.client_order_id)


@plant("services.risk.orders:_ended")
def a_reservation_never_ends(_original: Any, _books: Any, _message: Any, _limits: Any) -> None:
    """Hold cash for orders that have ended; HB #4737."""


@plant("services.risk.orders:_denied")
def a_denial_frees_nothing(_original: Any, _books: Any, _message: Any, _limits: Any) -> None:
    """Hold cash for orders that were never sent; HB #5069."""


@plant("bus.merge:Merge.live")
def a_gap_is_no_hindrance(original: Any, self: Any, frame: Any) -> Any:
    """Take a frame though others are missing before it; libzmq loses without a word."""
    if frame.last <= self.pos or frame.kind != 1:
        return original(self, frame)
    self.pos = frame.last
    return DELIVER


@plant("bus.merge:Merge.live")
def a_repeat_is_applied_again(original: Any, self: Any, frame: Any) -> Any:
    """Take a frame that was taken; NT #3046: a TradeId twice in a replay."""
    step = original(self, frame)
    return DELIVER if step is DROP and frame.last == self.pos else step


@plant("services.engine.protection:_shape")
def positions_have_no_stop(_original: Any, _scene: Any) -> tuple[str, ...]:
    """Place no stop; FT #4051, #12984: the position is not protected."""
    return ()
