"""What a fault does within the desk: how much of an order trades, and when; the money is real."""

from collections.abc import Mapping

from services.venue.desk import Desk
from services.venue.faults import Asked, Faults
from services.venue.faults_sight import LATE_CANCEL
from services.venue.orders import Order

PERCENT = 100


class Hand:
    """Moves orders in the moment that a fault names."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self._desk = desk
        self._faults = faults
        desk.limit_by(self._limit)

    def before_cancel(self, asked: Asked, fields: Mapping[str, str]) -> int | None:
        """Trade an order that is about to be cancelled; return how late its fill is seen.

        None says that nothing was done.
        """
        order = self._named(asked, fields)
        if order is None or not order.open:
            return None
        for name in ("cancel_race", LATE_CANCEL):
            if fault := self._faults.strike(name, asked):
                part = max(1, order.left * fault.ms("part_pct") // PERCENT)
                self._desk.force(order, part)
                return fault.ms() if name == LATE_CANCEL else 0
        return None

    def _named(self, asked: Asked, fields: Mapping[str, str]) -> Order | None:
        number = fields.get("orderId") or fields.get("cancelOrderId", "")
        order_id = int(number) if number.isdecimal() else None
        client_id = fields.get("origClientOrderId") or fields.get("cancelOrigClientOrderId")
        if order_id is None and client_id is None:
            return None
        return self._desk.find(asked.symbol, order_id, client_id)

    def _limit(self, order: Order) -> int:
        if order.tif == "FOK":
            return order.left
        fault = self._faults.touch("partial_fill", order.symbol, order.side)
        if fault is None:
            return order.left
        return max(1, order.left * fault.ms("part_pct") // PERCENT)
