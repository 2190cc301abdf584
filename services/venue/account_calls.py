"""Signed calls that list what the account has, did and waits for; none of them changes anything."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TypeVar

from services.venue import statement
from services.venue.account import Balance
from services.venue.desk import Desk
from services.venue.orders import Fill, Order, Pair
from services.venue.params import Params
from services.venue.payload import Json

Call = Callable[[Params], object]
Row = TypeVar("Row")


class AccountCalls:
    """Calls about many orders or fills, or about the account as a whole."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._records = desk.records
        self.calls: Mapping[str, Call] = {
            "GET openOrders": self._open_orders,
            "GET allOrders": self._all_orders,
            "GET myTrades": self._my_trades,
            "GET openOrderList": self._open_pairs,
            "GET allOrderList": self._all_pairs,
            "GET account": self._account,
            "GET account/apiRestrictions": lambda params: statement.restrictions_row(params.key),
        }

    def _open_orders(self, params: Params) -> list[Json]:
        listed, alone = params.symbols(self._desk.market.facts)
        params.weight = 6 if alone else 80
        facts = {found.id: found for found in listed}
        return [
            statement.order_row(facts[order.symbol], order)
            for order in self._records.all_open()
            if order.symbol in facts
        ]

    def _all_orders(self, params: Params) -> list[Json]:
        params.weight = 20
        facts = params.symbol(self._desk.market.facts)
        first_id, span_ms = params.number("orderId"), _span_ms(params)

        def wanted(order: Order) -> bool:
            return span_ms[0] <= order.created_ms <= span_ms[1]

        falling = filter(wanted, self._records.orders_back(facts.id))
        rising = filter(wanted, self._records.orders_from(facts.id, first_id or 0))
        begins = first_id is not None or span_ms[0] > 0
        found = _page(rising, falling, params.limit(500, 1000), begins=begins)
        return [statement.order_row(facts, order) for order in found]

    def _my_trades(self, params: Params) -> list[Json]:
        facts = params.symbol(self._desk.market.facts)
        order_id, first_id = params.number("orderId"), params.number("fromId")
        params.weight = 20 if order_id is None else 5
        span_ms = _span_ms(params)

        def wanted(fill: Fill) -> bool:
            in_time = span_ms[0] <= fill.at_ms <= span_ms[1]
            return in_time and fill.id >= (first_id or 0) and fill.symbol == facts.id

        falling = filter(wanted, self._records.fills_back(facts.id))
        rising = filter(wanted, self._fills_from(facts.id, order_id, first_id or 0))
        begins = order_id is not None or first_id is not None or span_ms[0] > 0
        found = _page(rising, falling, params.limit(500, 1000), begins=begins)
        return [statement.fill_row(facts, fill) for fill in found]

    def _fills_from(self, symbol: str, order_id: int | None, first_id: int) -> Iterable[Fill]:
        if order_id is not None:
            return self._records.fills_of(order_id)
        return self._records.fills_from(symbol, first_id)

    def _open_pairs(self, params: Params) -> list[Json]:
        params.weight = 6
        return self._pair_rows([pair for pair in self._records.pairs.values() if not pair.done])

    def _all_pairs(self, params: Params) -> list[Json]:
        params.weight = 20
        first_id, span_ms = params.number("fromId"), _span_ms(params)
        limit = params.limit(500, 1000)
        wanted = (
            pair
            for pair in self._records.pairs.values()
            if pair.id >= (first_id or 0) and span_ms[0] <= pair.created_ms <= span_ms[1]
        )
        return self._pair_rows(islice(wanted, limit))

    def _pair_rows(self, pairs: Iterable[Pair]) -> list[Json]:
        orders = self._records.orders
        return [statement.pair_row(pair, [orders[leg] for leg in pair.legs]) for pair in pairs]

    def _account(self, params: Params) -> Json:
        params.weight = 20
        listed = self._desk.market.facts.values()
        balances = {
            **{asset: Balance() for facts in listed for asset in (facts.base, facts.quote)},
            **self._records.account.balances,
        }
        if params.word("omitZeroBalances") == "true":
            balances = {name: has for name, has in balances.items() if has != Balance()}
        return statement.account_row(self._desk.terms, balances, self._desk.at_ms)


def _span_ms(params: Params) -> tuple[int, float]:
    start_ms, end_ms = params.time("startTime"), params.time("endTime")
    return start_ms or 0, float("inf") if end_ms is None else end_ms


def _page(rising: Iterable[Row], falling: Iterable[Row], limit: int, *, begins: bool) -> list[Row]:
    """Return the first rows from a beginning that was named, else the newest, the oldest first."""
    return list(islice(rising, limit)) if begins else list(islice(falling, limit))[::-1]
