"""The account as somebody sees it who does not see the newest: late fills, and reads that lag.

A shadow of the records takes each batch of the log later than the desk does, and reads are served
from it. Answers and pushes that tell of an order's progress are cut back to what it has seen.
"""

from collections import deque
from typing import Any

import msgspec
from msgspec.structs import replace

from services.venue.account import EXP
from services.venue.desk import Desk
from services.venue.faults import Asked, Faults
from services.venue.faults_kinds import CANCEL, PLACE
from services.venue.orders import Order
from services.venue.payload import Json, text
from services.venue.private import Private
from services.venue.records import Batch, Records
from services.venue.rest import Answer

LAG = "lagging_reads"
LATE_FILL = "late_fill"
LATE_CANCEL = "cancel_ack_without_final_fill"
ENDS = frozenset({"CANCELED", "EXPIRED"})
REPLACED = ("cancelResponse", "newOrderResponse")
"""Rows of an order that was cancelled and of the one that took its place."""


class Shadow:
    """The records of a desk as they were; what happened since waits for its time."""

    def __init__(self, desk: Desk) -> None:
        self._records = Records()
        for batch in desk.records.whole():
            self._records.apply(batch)
        self._waiting: deque[tuple[int, Batch]] = deque()
        self.private = Private(Desk(desk.market, desk.terms, 0, self._records))

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, batch: Batch, due_ms: int) -> None:
        """Take a batch that is seen from some time on, and not before an earlier one."""
        last_ms = self._waiting[-1][0] if self._waiting else 0
        self._waiting.append((max(last_ms, due_ms), batch))

    def pass_until(self, now_ms: int) -> None:
        """See what is due."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            self._records.apply(self._waiting.popleft()[1])

    def seen(self, order_id: int) -> Order | None:
        """Return an order as it is seen."""
        return self._records.orders.get(order_id)


class Sight:
    """What may be seen of a desk now."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self._desk = desk
        self._faults = faults
        self._shadow: Shadow | None = None

    def look(self) -> Shadow | None:
        """Return what is seen instead of the desk; None while all of it is."""
        active = any(self._faults.look(name) for name in (LAG, LATE_FILL, LATE_CANCEL))
        if self._shadow is None and active:
            self._shadow = Shadow(self._desk)
        if self._shadow is not None:
            self._shadow.pass_until(self._faults.now_ms())
            if not active and not len(self._shadow):
                self._shadow = None
        return self._shadow

    def private(self, call: str, truth: Private) -> Private:
        """Return what answers a call."""
        shadow = self.look()
        return shadow.private if shadow is not None and call.startswith("GET ") else truth

    def keep(self, batch: Batch, late_ms: int = 0) -> int:
        """Take in what was kept; return for how long its fills are to be unseen."""
        # A fault that has just struck may be over by now, and what it began to remember is needed.
        shadow = self.look() if self._shadow is None else self._shadow
        if shadow is None:
            return 0
        now_ms = self._faults.now_ms()
        if batch.fills and (fault := self._faults.touch(LATE_FILL, batch.fills[0].symbol)):
            late_ms = fault.ms()
        lag = self._faults.look(LAG)
        if lag is not None:
            self._faults.count(lag)
        elif late_ms:
            shadow.put(_without_fills(batch, shadow), now_ms)
            shadow.pass_until(now_ms)
        shadow.put(batch, now_ms + max(late_ms, lag.ms() if lag else 0))
        return late_ms

    def told(self, asked: Asked, answer: Answer) -> Answer:
        """Return an answer to a change as it may be seen."""
        changed = asked.call in PLACE | CANCEL
        if self._shadow is None or not changed or self._faults.look(LAG) is not None:
            return answer
        found = msgspec.json.decode(answer.body)
        for row in rows_in(found):
            self._cut_back(row, self._shadow)
        return replace(answer, body=msgspec.json.encode(found))

    def _cut_back(self, row: dict[str, Any], shadow: Shadow) -> None:
        filled, paid, order = self._progress(row["orderId"], shadow)
        if row.get("executedQty") == filled or "executedQty" not in row:
            return
        row["executedQty"], row["cummulativeQuoteQty"] = filled, paid
        if row["status"] not in ENDS:
            row["status"] = order.status if order else "NEW"
        if "fills" in row:
            row["fills"] = []

    def event(self, event: Json) -> Json:
        """Return a push about the end of an order as it may be seen."""
        if self._shadow is None or event.get("x") not in ENDS:
            return event
        if self._faults.look(LAG) is not None:
            return event
        filled, paid, _ = self._progress(int(str(event["i"])), self._shadow)
        return {**event, "z": filled, "Z": paid}

    def _progress(self, order_id: int, shadow: Shadow) -> tuple[str, str, Order | None]:
        order = shadow.seen(order_id)
        truth = self._desk.records.orders[order_id]
        facts = self._desk.market.facts[truth.symbol]
        filled, paid = (order.filled, order.money) if order else (0, 0)
        return text(filled, facts.qty_exp), text(paid, EXP), order


def _without_fills(batch: Batch, shadow: Shadow) -> Batch:
    # An order of which the fill is unseen is there all the same.
    orders = [
        replace(order, filled=0, money=0, status="NEW")
        for order in batch.orders
        if shadow.seen(order.id) is None
    ]
    return Batch(batch.at_ms, batch.numbers, {}, orders, [], [])


def rows_in(found: Any) -> list[dict[str, Any]]:
    """Return every row about an order in the body of an answer."""
    if isinstance(found, list):
        return [row for one in found for row in rows_in(one)]
    if not isinstance(found, dict):
        return []
    if "orderReports" in found:
        return rows_in(found["orderReports"])
    if "newOrderResponse" in found:
        return [row for part in REPLACED for row in rows_in(found[part])]
    return [found] if isinstance(found.get("orderId"), int) else []
