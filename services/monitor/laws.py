"""What must hold for every order on `gateway.order`, whoever sent it: the laws and their breaches.

A breach is for a person to look at and cannot heal by itself: it stands until that person lets
trading go on, by resuming the symbol or the house.
"""

from collections import OrderedDict
from fractions import Fraction
from typing import Any

import msgspec

from schema.approval import order_hash
from schema.orders import (
    Fill,
    InstrumentResumed,
    KillLevel,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
    OrderUnconfirmed,
)
from services.monitor.books import in_text, parts
from services.monitor.seen import Seen

APPROVERS = ("risk", "gateway")
ENDS = (OrderCanceled, OrderExpired, OrderRejected)
EVIDENCE = (Fill, OrderAccepted, OrderCanceled, OrderExpired, OrderRejected, OrderTriggered)
"""What shows whether the venue has an order."""

ENDED_MAX = 1000
"""So many ended orders are remembered for fills that come late."""


class Order(msgspec.Struct):
    """A submitted order, as far as the laws need it."""

    symbol: str
    side: str
    qty: Fraction
    filled: Fraction = Fraction(0)


class Breach(msgspec.Struct):
    """What was broken first in a symbol, and how often anything was."""

    first: str
    count: int = 1


class Orders:
    """All orders that are not long ended."""

    def __init__(self) -> None:
        self.breaches: dict[str, Breach] = {}  # by symbol
        self.unconfirmed: dict[str, OrderUnconfirmed] = {}  # by client order id
        self._open: dict[str, Order] = {}
        self._ended: OrderedDict[str, Order] = OrderedDict()
        self._ids = Seen()

    def take(self, message: Any, *, repeated: bool = False) -> None:
        """Take one message of the stream; `repeated`: a fill whose trade was said before."""
        match message:
            case OrderSubmitted():
                self._submit(message)
            case Fill():
                self._fill(message, repeated=repeated)
            case OrderUnconfirmed():
                self.unconfirmed[message.client_order_id] = message
            case KillLevel(level="ACTIVE", by=by) if by != "gateway":
                self.breaches.clear()
            case InstrumentResumed():
                self.breaches.pop(message.symbol, None)
        if isinstance(message, EVIDENCE):
            self.unconfirmed.pop(message.client_order_id, None)
        if isinstance(message, ENDS):
            self._end(message.client_order_id)

    def _submit(self, m: OrderSubmitted) -> None:
        wish = m.intent
        for fault in of_submission(m):
            self._break(wish.symbol, m.client_order_id, fault)
        if not self._ids.add(m.client_order_id):
            self._break(wish.symbol, m.client_order_id, "its id and verdict were used before")
            return
        qty = parts(wish.qty, wish.qty_exp)
        self._open[m.client_order_id] = Order(wish.symbol, wish.side, qty)

    def _fill(self, m: Fill, *, repeated: bool) -> None:
        order_id = m.client_order_id
        order = self._open.get(order_id) or self._ended.get(order_id)
        if repeated:
            self._break(m.symbol, order_id, f"its trade {m.venue_trade_id} was said twice")
            return
        if order is None:
            if self._ids.add(order_id):
                self._break(m.symbol, order_id, "it was filled and never submitted")
            return
        if (m.symbol, m.side) != (order.symbol, order.side):
            fault = f"a {order.side} of {order.symbol} was filled as a {m.side} of {m.symbol}"
            self._break(m.symbol, order_id, fault)
        order.filled += parts(m.qty, m.qty_exp)
        if order.filled > order.qty:
            fault = f"{in_text(order.filled)} was filled of {in_text(order.qty)}"
            self._break(order.symbol, order_id, fault)
        if order.filled >= order.qty:
            self._end(order_id)

    def _end(self, order_id: str) -> None:
        order = self._open.pop(order_id, None)
        if order is not None:
            self._ended[order_id] = order
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def _break(self, symbol: str, order_id: str, fault: str) -> None:
        found = self.breaches.get(symbol)
        if found is None:
            self.breaches[symbol] = Breach(f"order {order_id}: {fault}")
        else:
            found.count += 1


def of_submission(m: OrderSubmitted) -> list[str]:
    """Return what is wrong with a submission: it needs an approval of this exact order."""
    verdict, found = m.verdict, []
    if m.intent.client_order_id != m.client_order_id:
        found.append(f"it was sent for the intent {m.intent.client_order_id}")
    if not verdict.approved:
        found.append(f"it was sent although {verdict.by} denied it: {verdict.code}")
    if verdict.client_order_id != m.client_order_id:
        found.append(f"its verdict is that of the order {verdict.client_order_id}")
    elif verdict.order_hash != order_hash(m.intent):
        found.append("its verdict approved another order than the one that was sent")
    if verdict.by not in APPROVERS:
        found.append(f"its verdict is by {verdict.by}, expected {' or '.join(APPROVERS)}")
    return found
