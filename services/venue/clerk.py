"""What an order goes through once it stands in the books: its fills, its end, its pair.

Each step moves the money with the order, so that what is locked is at any time exactly what the
open orders need. A pair locks once for both of its orders; the first that moves ends the other.
"""

from collections.abc import Callable
from hashlib import blake2b

from msgspec.structs import replace

from services.venue import matching
from services.venue.account import Terms, fee, held, money, units
from services.venue.book import Book
from services.venue.columns import Facts
from services.venue.market import Market
from services.venue.orders import NO_LIST, PRICED, STOPPED, Fill, Kind, Order, Pair, Report
from services.venue.records import Records


class Clerk:
    """Changes the records at the market time that they have reached."""

    def __init__(self, market: Market, terms: Terms, records: Records) -> None:
        self.reports: list[Report] = []
        self.limit: Callable[[Order], int] = _whole
        self._market = market
        self._terms = terms
        self._records = records

    def put(self, order: Order) -> Order:
        """Keep an order's new state, and lock what it needs now."""
        facts = self.facts(order)
        freed = held(facts, self._records.orders.get(order.id)) - held(facts, order)
        self._records.account.unlock(order.asset, freed)
        self._records.put(order)
        return order

    def report(
        self, kind: Kind, order: Order, fill: Fill | None = None, cancel_id: str = ""
    ) -> None:
        """Say what happened to an order."""
        self._records.numbers += 1
        self.reports.append(
            Report(
                number=self._records.numbers,
                kind=kind,
                order=order,
                at_ms=self._records.at_ms,
                fill=fill,
                cancel_id=cancel_id,
            )
        )

    def meet(self, order: Order) -> None:
        """Let an order that has become active take from the book, and wait for what is left."""
        taken = matching.takes(order, self.book(order))
        if order.buys and order.type in STOPPED - PRICED:
            budget = self._records.account.free(order.asset)
            taken = matching.within(self.facts(order), taken, budget)
        spare = self.limit(order) if taken else 0
        for px, qty in taken:
            if part := min(qty, spare):
                order = self.fill(order, px, part, maker=False)
            spare -= part
        if order.open and (order.type not in PRICED or order.tif != "GTC"):
            self.end(order, "EXPIRED")
        elif order.open:
            self.put(self.queued(order))

    def queued(self, order: Order) -> Order:
        """Return an order behind those that the book displays at its price."""
        return replace(order, ahead=matching.ahead(order, self.book(order)))

    def trigger(self, order: Order) -> None:
        """Make a stop active."""
        if order.tied:
            order = self._untie(order)
        now_ms = self._records.at_ms
        order = self.put(replace(order, working_ms=now_ms, updated_ms=now_ms))
        self.report("NEW", order)
        self.meet(order)

    def fill(self, order: Order, px: int, qty: int, *, maker: bool) -> Order:
        """Trade a part of an order."""
        if order.tied:
            order = self._untie(order)
        paid = money(self.facts(order), px, qty)
        filled = order.filled + qty
        after = self.put(
            replace(
                order,
                filled=filled,
                money=order.money + paid,
                status="FILLED" if filled == order.qty else "PARTIALLY_FILLED",
                updated_ms=self._records.at_ms,
            )
        )
        fill = self._filled(after, (px, qty, paid), maker=maker)
        self._records.put_fill(fill)
        self.report("TRADE", after, fill)
        self._close_pair(after)
        return after

    def _filled(self, order: Order, part: tuple[int, int, int], *, maker: bool) -> Fill:
        px, qty, paid = part
        facts = self.facts(order)
        lots = units(facts, qty)
        given, received = (paid, lots) if order.buys else (lots, paid)
        asset = facts.base if order.buys else facts.quote
        charge = fee(received, self._terms.maker_bps if maker else self._terms.taker_bps)
        self._records.account.receive(order.asset, -given)
        self._records.account.receive(asset, received - charge)
        return Fill(
            id=self._records.next_fill,
            symbol=order.symbol,
            order_id=order.id,
            list_id=order.list_id,
            px=px,
            qty=qty,
            money=paid,
            fee=charge,
            fee_asset=asset,
            at_ms=self._records.at_ms,
            buyer=order.buys,
            maker=maker,
        )

    def cancel(self, order: Order, cancel_id: str) -> list[Order]:
        """Cancel an open order, and with it the other one of its pair."""
        if not order.tied:
            return [self.end(order, "CANCELED", cancel_id)]
        pair = self._loosen(order)
        legs = [self._records.orders[leg] for leg in pair.legs]
        return [self.end(replace(leg, tied=False), "CANCELED", cancel_id) for leg in legs]

    def end(self, order: Order, kind: Kind, cancel_id: str = "") -> Order:
        """End an order with what it has, and free what it locked."""
        status = "CANCELED" if kind == "CANCELED" else "EXPIRED"
        after = self.put(replace(order, status=status, updated_ms=self._records.at_ms))
        self.report(kind, after, cancel_id=cancel_id)
        self._close_pair(after)
        return after

    def _loosen(self, order: Order) -> Pair:
        pair = self._records.pairs[order.list_id]
        self._records.account.unlock(pair.asset, pair.locked)
        loose = replace(pair, locked=0, updated_ms=self._records.at_ms)
        self._records.put_pair(loose)
        return loose

    def _untie(self, order: Order) -> Order:
        pair = self._loosen(order)
        other = next(leg for leg in pair.legs if leg != order.id)
        free = self.put(replace(order, tied=False))
        self.end(replace(self._records.orders[other], tied=False), "EXPIRED")
        return free

    def _close_pair(self, order: Order) -> None:
        if order.list_id == NO_LIST:
            return
        pair = self._records.pairs[order.list_id]
        if not any(self._records.orders[leg].open for leg in pair.legs):
            self._records.put_pair(replace(pair, done=True, updated_ms=self._records.at_ms))

    def facts(self, order: Order) -> Facts:
        """Return the facts of an order's symbol."""
        return self._market.facts[order.symbol]

    def book(self, order: Order) -> Book:
        """Return the book that is displayed now."""
        return self._market.book(order.symbol, self._records.at_ms)


def _whole(order: Order) -> int:
    """Return how much of an order may trade at once: all of it."""
    return order.left


def made_id(kind: str, number: int) -> str:
    """Return the id that the exchange gives where the client gave none."""
    return blake2b(f"{kind}/{number}".encode(), digest_size=11).hexdigest()
