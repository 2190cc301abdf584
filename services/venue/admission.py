"""Which orders the exchange takes: from a ticket to an order, or to the refusal that it earns."""

from msgspec.structs import replace

from schema.units import floor_scale
from services.venue import filters, matching, pairs
from services.venue.account import EXP, Balance, need, units
from services.venue.book import Book
from services.venue.clerk import made_id
from services.venue.columns import MINUTE_MS, Facts
from services.venue.limits import UNIT
from services.venue.market import Market
from services.venue.orders import NO_LIST, NOT_WORKING, STOPPED, Order, PairTicket, Ticket
from services.venue.params import Refusal
from services.venue.records import Records

DUPLICATE = "Duplicate order sent."
TAKES = "Order would immediately match and take."
TRIGGERS = "Stop price would trigger immediately."
TOO_POOR = "Account has insufficient balance for requested action."
NO_BOOK = "Order book liquidity is less than symbol minimum quantity."


class Admission:
    """Looks at the market and the records, and changes neither."""

    def __init__(self, market: Market, records: Records) -> None:
        self._market = market
        self._records = records

    def single(self, ticket: Ticket) -> Order:
        """Return the order that a ticket asks for, or refuse it."""
        order = self._draft(ticket, self._records.next_order)
        self._check(order)
        self._check_standing(order)
        self._check_funds(order.asset, self._cost_of(order))
        return order

    def filtered(self, ticket: Ticket) -> None:
        """Refuse an order that does not pass the filters, beside all that is open now."""
        self._check_standing(self._draft(ticket, self._records.next_order))

    def pair(self, ticket: PairTicket) -> tuple[Order, Order, int]:
        """Return the two orders that a ticket asks for and what they lock, or refuse them."""
        pairs.check_types(ticket)
        above = self._draft(ticket.above, self._records.next_order)
        below = self._draft(ticket.below, above.id + 1)
        pairs.check_prices(above, below, self._last(above.symbol))
        for leg in (above, below):
            self._check(leg)
        if above.client_id == below.client_id or ticket.client_id in self._standing():
            raise Refusal(-2010, DUPLICATE)
        facts = self._market.facts[above.symbol]
        self._check_standing(above, below)
        standing = {order.list_id for order in self._records.waiting(facts.id)} - {NO_LIST}
        filters.check_lists(facts, len(standing) + 1)
        locked = max(need(facts, above), need(facts, below))
        self._check_funds(above.asset, locked)
        return above, below, locked

    def _draft(self, ticket: Ticket, number: int) -> Order:
        facts = self._market.facts[ticket.symbol]
        filters.check(facts, ticket, self._average(facts))
        now_ms = self._records.at_ms
        order = Order(
            id=number,
            symbol=facts.id,
            client_id=ticket.client_id or made_id("order", number),
            side=ticket.side,
            type=ticket.type,
            tif=ticket.tif,
            asset=facts.quote if ticket.side == "BUY" else facts.base,
            qty=floor_scale(ticket.qty, EXP, facts.qty_exp),
            px=floor_scale(ticket.px, EXP, facts.px_exp),
            stop_px=floor_scale(ticket.stop_px, EXP, facts.px_exp),
            quote_qty=ticket.quote_qty,
            created_ms=now_ms,
            updated_ms=now_ms,
            working_ms=NOT_WORKING if ticket.type in STOPPED else now_ms,
        )
        return self._sized(facts, order) if ticket.quote_qty else order

    def _sized(self, facts: Facts, order: Order) -> Order:
        # An order over an amount of money is as large as the book makes it.
        shown = list(matching.facing(order, self._book(order)))
        qty = sum(part for _, part in matching.within(facts, shown, order.quote_qty))
        if not qty:
            raise Refusal(-2010, NO_BOOK)
        return replace(order, qty=qty)

    def _check(self, order: Order) -> None:
        if any(self._records.open_named(name, order.client_id) for name in self._records.open):
            raise Refusal(-2010, DUPLICATE)
        if order.type == "LIMIT_MAKER":
            levels = matching.facing(order, self._book(order))
            if levels and matching.crosses(order, levels[0][0]):
                raise Refusal(-2010, TAKES)
        last = self._last(order.symbol)
        if last and not order.working and order.reached(last):
            raise Refusal(-2010, TRIGGERS)

    def _check_standing(self, *fresh: Order) -> None:
        facts = self._market.facts[fresh[0].symbol]
        waiting = self._records.waiting(facts.id)
        filters.check_count(facts, waiting, fresh)
        if fresh[0].buys:
            balance = self._records.account.balances.get(facts.base, Balance())
            # Of a pair one alone is done.
            bids = {
                order.list_id if order.tied else -order.id: order.left
                for order in waiting
                if order.buys
            }
            wanted = units(facts, sum(bids.values()) + fresh[0].qty)
            filters.check_position(facts, balance.free + balance.locked + wanted)

    def _average(self, facts: Facts) -> int:
        """Return the price of the last minutes weighted by quantity, with eight decimals."""
        after_ms = self._records.at_ms - facts.limits.average_mins * MINUTE_MS
        tape = self._market.tape(facts.id, after_ms, self._records.at_ms + 1)
        if not len(tape) or not facts.limits.average_mins:
            return floor_scale(self._last(facts.id), facts.px_exp, EXP)
        # Not numpy's own: its products may leave 64 bits.
        px, qty = tape.px.tolist(), tape.qty.tolist()
        turnover = sum(one * part for one, part in zip(px, qty, strict=True))
        return int(turnover * UNIT // (10**facts.px_exp * sum(qty)))

    def _standing(self) -> set[str]:
        standing = (o.list_id for o in self._records.all_open() if o.list_id != NO_LIST)
        return {self._records.pairs[list_id].client_id for list_id in standing}

    def _cost_of(self, order: Order) -> int:
        facts = self._market.facts[order.symbol]
        if order.type != "MARKET":
            return need(facts, order)
        if not order.buys:
            return units(facts, order.qty)
        taken = matching.takes(order, self._book(order))
        return max(matching.cost(facts, taken), order.quote_qty)

    def _check_funds(self, asset: str, wanted: int) -> None:
        if wanted > self._records.account.free(asset):
            raise Refusal(-2010, TOO_POOR)

    def _book(self, order: Order) -> Book:
        return self._market.book(order.symbol, self._records.at_ms)

    def _last(self, symbol: str) -> int:
        last = self._market.tape_until(symbol, 1, self._records.at_ms + 1)
        return int(last.px[-1]) if len(last) else 0
