"""What the exchange says of orders, made into events: in any order, and never twice.

A report tells how far an order has come, a trade what it did. The end of an order is said only
when every execution that its last report counts is booked.
"""

from schema.exchange import OrderReport, VenueTrade
from schema.lifecycle import State
from schema.orders import Fill, OrderCanceled, OrderExpired, OrderTriggered
from schema.units import MS_NS, quote_exp, widened
from services.gateway.amounts import exact, scaled
from services.gateway.books import STRANGER, find
from services.gateway.fence import bears_order, bears_trade
from services.gateway.state import ENDED_MAX, Order
from services.gateway.steps import accept, awaited, reject, take_step, tell
from services.gateway.turn import Turn

OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW", "PENDING_CANCEL"})
ENDS: dict[str, tuple[State, type[OrderCanceled | OrderExpired]]] = {
    "CANCELED": (State.CANCELED, OrderCanceled),
    "EXPIRED": (State.EXPIRED, OrderExpired),
    "EXPIRED_IN_MATCH": (State.EXPIRED, OrderExpired),
    "REJECTED": (State.CANCELED, OrderCanceled),  # Of what traded in part, the rest is over.
}
"""The exchange's words for an end, beside FILLED, and REJECTED of what never traded."""


def take_report(turn: Turn, report: OrderReport, evidence: str, reason: str = "") -> None:
    """Take in what the exchange says of one order."""
    order = find(turn.books, report.client_order_id)
    if order is None:
        _meet_stranger(turn, report)
    elif _readable(turn, order, report):
        _take_own(turn, order, report, evidence, reason)


def _readable(turn: Turn, order: Order, report: OrderReport) -> bool:
    try:
        return exact(report.executed_qty)[0] >= 0
    except ValueError as error:
        turn.halt(order.symbol, f"a report of {order.id} cannot be read: {error}", order.id)
        return False


def _take_own(turn: Turn, order: Order, report: OrderReport, evidence: str, reason: str) -> None:
    _note_name(turn, order, report)
    if report.status == "REJECTED" and not (order.filled or exact(report.executed_qty)[0]):
        if order.place.state is not State.REJECTED:
            reject(turn, order, "REJECTED", reason or "the exchange says that it was rejected")
        return
    _take_standing(turn, order, report, evidence)
    _hold(turn, order, report)
    if turn.windows.unclaimed:
        claim(turn)
    finish(turn, order, reason)


def _note_name(turn: Turn, order: Order, report: OrderReport) -> None:
    names = turn.windows.venue_ids
    names[f"{order.symbol} {report.venue_order_id}"] = order.id
    if len(names) > ENDED_MAX:  # The books have those that were accepted.
        del names[next(iter(names))]


def _take_standing(turn: Turn, order: Order, report: OrderReport, evidence: str) -> None:
    if order.place.state is State.REJECTED:
        if order.venue_order_id:
            return  # The exchange took it, and rejected it afterwards: this is older word.
        reason = f"{order.id} was rejected, and the exchange says {report.status}"
        turn.halt(order.symbol, reason, order.id, order.intent.trace)
        return
    accept(turn, order, report.venue_order_id, evidence)
    waits = order.place.under is State.ACCEPTED and order.intent.stop_px > 0
    if waits and report.working and report.status in OPEN:
        tell(turn, order, OrderTriggered)


def _hold(turn: Turn, order: Order, report: OrderReport) -> None:
    held = turn.windows.held.get(order.id)
    if held is None or _weight(report) > _weight(held):
        turn.windows.held[order.id] = report


def _weight(report: OrderReport) -> tuple[int, bool]:
    return scaled(*exact(report.executed_qty), 18), report.status not in OPEN


def finish(turn: Turn, order: Order, reason: str = "") -> None:
    """Say how an order ended, or ask for the executions that are missing before that."""
    report = turn.windows.held.get(order.id)
    if report is None:
        return
    if missing(order, report):
        turn.windows.wanted.setdefault(order.symbol, turn.now_ns)
        return
    del turn.windows.held[order.id]
    if report.status in ENDS:
        state, kind = ENDS[report.status]
        if order.place.state is not state and order.place.state is not State.REJECTED:
            tell(turn, order, kind, reason=reason or report.status)


def missing(order: Order, report: OrderReport) -> bool:
    """Return whether a report counts more than is booked."""
    executed, executed_exp = exact(report.executed_qty)
    exp = max(executed_exp, order.exp)
    return scaled(executed, executed_exp, exp) > scaled(order.filled, order.exp, exp)


def take_trade(turn: Turn, trade: VenueTrade, evidence: str, order_id: str = "") -> None:
    """Book one execution, unless it is booked."""
    if trade.trade_id in turn.books.seen.get(trade.symbol, ()):
        return
    order = _owner(turn, trade, order_id or trade.client_order_id)
    if order is None:
        turn.windows.unclaimed[f"{trade.symbol} {trade.trade_id}"] = trade
        return
    if turn.windows.unclaimed:
        turn.windows.unclaimed.pop(f"{trade.symbol} {trade.trade_id}", None)
    try:
        fill = fill_of(order, trade)
    except ValueError as error:
        turn.halt(order.symbol, f"trade {trade.trade_id} cannot be booked: {error}", order.id)
        return
    accept(turn, order, trade.venue_order_id, evidence)
    late = order.ended
    take_step(turn, order, fill)
    if late:
        reason = f"late fill {trade.trade_id} of {order.id}, which was {order.place.state}"
        turn.halt(order.symbol, reason, order.id, order.intent.trace)
    elif order.filled > order.qty:
        reason = f"overfill {trade.trade_id} of {order.id}: more was traded than was ordered"
        turn.halt(order.symbol, reason, order.id, order.intent.trace)
    finish(turn, order)


def _owner(turn: Turn, trade: VenueTrade, order_id: str) -> Order | None:
    if order := find(turn.books, order_id):
        return order
    key = f"{trade.symbol} {trade.venue_order_id}"
    known = turn.books.venue_ids.get(key) or turn.windows.venue_ids.get(key)
    return find(turn.books, known or "")


def fill_of(order: Order, trade: VenueTrade) -> Fill:
    """Return the booking of a trade, exact to its last digit; ValueError for one that is none."""
    intent = order.intent
    px, px_exp = widened(trade.px, intent.px_exp)
    qty, qty_exp = widened(trade.qty, intent.qty_exp)
    money, money_exp = widened(trade.quote_qty, quote_exp(intent.px_exp, intent.qty_exp))
    found = (trade.symbol, trade.side)
    if found != (order.symbol, intent.side) or px <= 0 or qty <= 0 or money < 0:
        raise ValueError(f"{found} {trade.qty} @ {trade.px} is no trade of {order.id}")
    fee, fee_exp = widened(trade.fee, 0)
    exp = max(order.exp, qty_exp)
    filled = scaled(order.filled, order.exp, exp) + scaled(qty, qty_exp, exp)
    return Fill(
        ts_event=trade.at_ms * MS_NS,
        trace=intent.trace,
        client_order_id=order.id,
        symbol=order.symbol,
        side=intent.side,
        venue_order_id=trade.venue_order_id,
        venue_trade_id=trade.trade_id,
        px=px,
        qty=scaled(qty, qty_exp, exp),
        quote_qty=money,
        fee=fee,
        fee_asset=trade.fee_asset,
        maker=trade.maker,
        px_exp=px_exp,
        qty_exp=exp,
        quote_exp=money_exp,
        fee_exp=fee_exp,
        cum_qty=filled,
        late=order.ended,
    )


def claim(turn: Turn) -> None:
    """Book the trades whose order is known by now, and meet those whose order is nobody's."""
    for trade in list(turn.windows.unclaimed.values()):
        key = f"{trade.symbol} {trade.trade_id}"
        if _owner(turn, trade, trade.client_order_id) is not None:
            take_trade(turn, trade, "query")
        elif not _may_be_ours(turn, trade):
            del turn.windows.unclaimed[key]
            _meet_trader(turn, trade)


def _may_be_ours(turn: Turn, trade: VenueTrade) -> bool:
    if trade.client_order_id and trade.client_order_id not in turn.books.ids:
        return False
    return any(
        awaited(order) and order.symbol == trade.symbol and order.intent.side == trade.side
        for order in turn.books.open.values()
    )


def _meet_trader(turn: Turn, trade: VenueTrade) -> None:
    opened_ns = turn.books.opened_ns
    after = opened_ns and trade.at_ms * MS_NS >= opened_ns
    if after and not bears_trade(turn, trade):
        turn.halt(trade.symbol, stranger(trade.venue_order_id))


def _meet_stranger(turn: Turn, report: OrderReport) -> None:
    ours = report.client_order_id in turn.books.ids  # It ended so long ago that it is forgotten.
    if report.status in OPEN and not ours and not bears_order(turn, report):
        turn.halt(report.symbol, stranger(report.venue_order_id), report.client_order_id)


def stranger(venue_order_id: str) -> str:
    """Return why an order that is none of the house's halts its symbol."""
    return f"{STRANGER}{venue_order_id}: it was not made here"
