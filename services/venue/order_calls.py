"""Signed calls that place, show and cancel orders and pairs.

A call that changes something reads and checks all its parameters first, so a refusal changes
nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from services.venue import statement
from services.venue.columns import Facts
from services.venue.desk import Desk
from services.venue.orders import Order, Pair, PairTicket
from services.venue.params import Params, Refusal
from services.venue.payload import Json
from services.venue.replace_calls import replace
from services.venue.tickets import read_old_pair, read_order, read_pair, read_response

Call = Callable[[Params], object]

REPLACE = "POST order/cancelReplace"

UNKNOWN = Refusal(-2011, "Unknown order sent.")
NO_ORDER = Refusal(-2013, "Order does not exist.")
NO_PAIR = Refusal(-2018, "Order list does not exist.")


class OrderCalls:
    """Calls that name one order, one pair, or all that is open in a symbol."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._records = desk.records
        self.calls: Mapping[str, Call] = {
            "POST order": self._place,
            "POST order/test": self._test,
            "GET order": self._show,
            "DELETE order": self._cancel,
            REPLACE: partial(replace, desk),
            "DELETE openOrders": self._cancel_all,
            "POST orderList/oco": self._place_pair,
            "POST order/oco": self._place_old_pair,
            "GET orderList": self._show_pair,
            "DELETE orderList": self._cancel_pair,
        }

    def _place(self, params: Params) -> Json:
        facts = params.symbol(self._desk.market.facts)
        ticket = read_order(params, facts)
        response = read_response(params, ticket.type)
        _check_all_read(params)
        order = self._desk.place(ticket)
        return statement.placed_row(facts, order, self._records.fills_of(order.id), response)

    def _test(self, params: Params) -> Json:
        ticket = read_order(params, params.symbol(self._desk.market.facts))
        read_response(params, ticket.type)
        _check_all_read(params)
        self._desk.test(ticket)
        return {}

    def _show(self, params: Params) -> Json:
        params.weight = 4
        facts = params.symbol(self._desk.market.facts)
        order = self._found(params, facts)
        if order is None:
            raise NO_ORDER
        return statement.order_row(facts, order)

    def _found(self, params: Params, facts: Facts) -> Order | None:
        params.must_either("origClientOrderId", "orderId")
        order_id, client_id = params.number("orderId"), params.word("origClientOrderId")
        return self._desk.find(facts.id, order_id, client_id)

    def _cancel(self, params: Params) -> Json:
        facts = params.symbol(self._desk.market.facts)
        order = self._found(params, facts)
        cancel_id = params.client_id("newClientOrderId") or ""
        params.check_all_read()
        if order is None or not order.open:
            raise UNKNOWN
        rows = self._cancelled(facts, order, cancel_id)
        return next(row for row in rows if row["orderId"] == order.id)

    def _cancelled(self, facts: Facts, order: Order, cancel_id: str) -> list[Json]:
        done, used = self._desk.cancel(order, cancel_id)
        return [statement.cancelled_row(facts, one, used) for one in done]

    def _cancel_all(self, params: Params) -> list[Json]:
        facts = params.symbol(self._desk.market.facts)
        params.check_all_read()
        waiting = self._records.waiting(facts.id)
        if not waiting:
            raise UNKNOWN
        found: list[Json] = []
        for order in waiting:
            if self._records.orders[order.id].open:
                rows = self._cancelled(facts, order, "")
                found += [self._with_reports(order.list_id, rows)] if order.tied else rows
        return found

    def _place_pair(self, params: Params) -> Json:
        facts = params.symbol(self._desk.market.facts)
        return self._placed(params, facts, read_pair(params, facts))

    def _place_old_pair(self, params: Params) -> Json:
        facts = params.symbol(self._desk.market.facts)
        return self._placed(params, facts, read_old_pair(params, facts))

    def _placed(self, params: Params, facts: Facts, ticket: PairTicket) -> Json:
        response = read_response(params, "LIMIT")
        _check_all_read(params)
        pair = self._desk.place_pair(ticket)
        rows = [statement.placed_row(facts, leg, (), response) for leg in self._legs(pair)]
        return self._with_reports(pair.id, rows)

    def _show_pair(self, params: Params) -> Json:
        params.weight = 4
        params.must_either("orderListId", "origClientOrderId")
        number, client_id = params.number("orderListId"), params.word("origClientOrderId")
        pair = self._pair(number, client_id)
        if pair is None:
            raise NO_PAIR
        return statement.pair_row(pair, self._legs(pair))

    def _pair(self, number: int | None, client_id: str | None) -> Pair | None:
        if number is not None:
            return self._records.pairs.get(number)
        newest_first = reversed(self._records.pairs.values())
        return next((pair for pair in newest_first if pair.client_id == client_id), None)

    def _cancel_pair(self, params: Params) -> Json:
        facts = params.symbol(self._desk.market.facts)
        params.must_either("orderListId", "listClientOrderId")
        number, client_id = params.number("orderListId"), params.word("listClientOrderId")
        cancel_id = params.client_id("newClientOrderId") or ""
        params.check_all_read()
        pair = self._pair(number, client_id)
        if pair is None or pair.done or pair.symbol != facts.id:
            raise UNKNOWN
        waiting = next(leg for leg in self._legs(pair) if leg.open)
        return self._with_reports(pair.id, self._cancelled(facts, waiting, cancel_id))

    def _legs(self, pair: Pair) -> list[Order]:
        return [self._records.orders[leg] for leg in pair.legs]

    def _with_reports(self, pair_id: int, rows: Iterable[Json]) -> Json:
        pair = self._records.pairs[pair_id]
        return {**statement.pair_row(pair, self._legs(pair)), "orderReports": list(rows)}


def _check_all_read(params: Params) -> None:
    params.ignore("selfTradePreventionMode", "strategyId", "strategyType")
    params.check_all_read()
