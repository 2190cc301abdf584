"""An exchange and its gateway for laws of the engine: what each knows, the others hear later."""

from collections import deque
from typing import Any

import msgspec

from schema.head import Message
from schema.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderPendingCancel,
    OrderRejected,
    OrderUnconfirmed,
)
from schema.trading import CancelIntent, OrderIntent
from tests.services.engine.engine_desk import Desk
from tests.services.engine.engine_made import PX, SYMBOL, submitted

MOST = 5_000
"""No wish is larger."""

Fault = str
"""Of the next replacement: refuse | deny | lose; empty: none."""


class Live(msgspec.Struct):
    """An order as it stands at the exchange."""

    intent: OrderIntent
    left: int
    open: bool = True

    @property
    def untraded(self) -> bool:
        return self.open and self.left == self.intent.qty


class Floor:
    """One account that is long or flat: intents come in, and events are told, each when asked."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.px = PX
        self.position = 0
        self.orders: dict[str, Live] = {}
        self.coming: deque[OrderIntent | CancelIntent] = deque()
        self.going: deque[Message] = deque()
        self.late: list[Message] = []  # evidence of what was lost
        self.fault: Fault = ""

    def heard(self, said: list[Message]) -> None:
        """Take what the engine said on its way."""
        self.coming.extend(m for m in said if isinstance(m, OrderIntent | CancelIntent))

    def take(self) -> None:
        """Do what has come first."""
        wish = self.coming.popleft() if self.coming else None
        match wish:
            case CancelIntent():
                self._cancel(wish.client_order_id)
            case OrderIntent(replaces=""):
                self._tell(submitted(wish, self.desk.now_ns))
                self._place(wish)
            case OrderIntent():
                self._replace(wish)
        self.check()

    def tell(self) -> list[Message]:
        """Let the engine hear what was told first."""
        return self.desk.hear(self.going.popleft()) if self.going else []

    def find(self) -> None:
        """Find the evidence of what was lost."""
        self.going.extend(self.late)
        self.late.clear()

    def move(self, px: int, quarters: int = 4) -> None:
        """Let the market come to a price, and trade what that reaches."""
        self.px = px
        for one in list(self.orders.values()):
            if one.open and self._reached(one.intent):
                self._fill(one, max(1, one.left * quarters // 4))
        self.check()

    def _reached(self, intent: OrderIntent) -> bool:
        px = intent.stop_px or intent.limit_px
        falls = intent.side == "buy" or intent.leg == "stop"
        return self.px <= px if falls else self.px >= px

    def _place(self, intent: OrderIntent) -> None:
        name: dict[str, Any] = self._named(intent.client_order_id)
        if intent.stop_px and self._reached(intent):
            self._tell(OrderRejected(**name, code="-2010", detail="would trigger immediately"))
            return
        sells = sum(one.left for one in self.orders.values() if one.open and not _enters(one))
        if intent.side == "sell" and sells + intent.qty > self.position:
            self._tell(OrderRejected(**name, code="-2010", detail="insufficient balance"))
            return
        one = self.orders[intent.client_order_id] = Live(intent, intent.qty)
        self._tell(OrderAccepted(**name, venue_order_id="1"))
        if intent.order_type == "market" or (intent.limit_px and self._reached(intent)):
            self._fill(one, one.left)

    def _replace(self, new: OrderIntent) -> None:
        old, fault = self.orders.get(new.replaces), self.fault
        name, before = self._named(new.client_order_id), self._named(new.replaces)
        self.fault = ""
        if fault == "deny" or old is None or not old.untraded:
            code = "MAX_ORDER_RATE" if fault == "deny" else "REPLACE_TOO_LATE"
            self._tell(OrderDenied(**name, code=code, detail="", by="gateway"))
            return
        self._tell(OrderPendingCancel(**before, reason=""), submitted(new, self.desk.now_ns))
        if fault == "refuse":
            self._tell(
                OrderCancelRejected(**before, code="-2022", detail=""),
                OrderRejected(**name, code="-2022", detail=""),
            )
            return
        old.open = False
        mark = len(self.going)
        self._tell(OrderCanceled(**before))
        self._place(new)
        if fault == "lose":
            told = [self.going.pop() for _ in range(len(self.going) - mark)]
            self._tell(OrderUnconfirmed(**name, reason="timeout"))
            self.late += told  # The newest first: the new one is found before the old one.

    def _cancel(self, order_id: str) -> None:
        one = self.orders.get(order_id)
        if one is not None and one.open:
            one.open = False
            name = self._named(order_id)
            self._tell(OrderPendingCancel(**name, reason=""), OrderCanceled(**name))

    def _fill(self, one: Live, qty: int) -> None:
        one.left -= qty
        one.open = one.left > 0
        self.position += qty if one.intent.side == "buy" else -qty
        self._tell(self.desk.filling(one.intent, qty, self.px))

    def _named(self, order_id: str) -> dict[str, Any]:
        return {"ts_event": self.desk.now_ns, "client_order_id": order_id, "symbol": SYMBOL}

    def _tell(self, *messages: Message) -> None:
        self.going.extend(messages)

    def check(self) -> None:
        """Hold what rests against what is there: coins are sold once."""
        closing = sum(one.left for one in self.orders.values() if one.open and not _enters(one))
        assert closing <= self.position, "more is to be sold than there is"
        assert self.entering() + self.position <= MOST, "more is to be bought than was wanted"

    def entering(self) -> int:
        return sum(one.left for one in self.orders.values() if one.open and _enters(one))

    def guards(self) -> list[Live]:
        """Return the stops that rest."""
        return [one for one in self.orders.values() if one.open and one.intent.leg == "stop"]


def _enters(one: Live) -> bool:
    return one.intent.leg == "entry"
