"""The account of the venue as a state machine: orders and market time in, reports out; no I/O.

Market time moves by `advance`, in stretches of any length: the state after them depends on where
they end, never on where they were parted, so a venue that was dead catches up with what it missed.
An order is placed and cancelled at the time that was reached. What happened is taken by `drain`.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from schema.units import fits, to_text
from services.venue import matching
from services.venue.account import EXP, Terms
from services.venue.admission import Admission
from services.venue.clerk import Clerk, made_id
from services.venue.columns import MINUTE_MS
from services.venue.market import Market
from services.venue.orders import Order, Pair, PairTicket, Report, Ticket
from services.venue.records import Batch, Records

STRETCH_MS = 60 * MINUTE_MS


class Changes(msgspec.Struct, frozen=True):
    """What happened since the last drain: for the log, and for who listens."""

    batch: Batch
    reports: list[Report]
    legs: dict[int, list[Order]]  # of each pair in the batch


class Desk:
    """One account that trades on one market; without records it is a new one."""

    def __init__(
        self, market: Market, terms: Terms, at_ms: int = 0, records: Records | None = None
    ) -> None:
        self.market = market
        self.terms = terms
        self.records = Records() if records is None else records
        self._moved = False  # money, since the last drain
        self._clerk = Clerk(market, terms, self.records)
        self._admission = Admission(market, self.records)
        if records is None:
            self.records.at_ms = at_ms
            for asset, amount in terms.opening.items():
                self.records.account.receive(asset, amount)

    @property
    def at_ms(self) -> int:
        """The market time that was reached."""
        return self.records.at_ms

    def drain(self) -> Changes | None:
        """Return what happened since the last time, None when nobody needs to know."""
        reports = self._clerk.reports
        if not reports and not self._moved:
            return None
        self._moved = False
        self._clerk.reports = []
        batch, orders = self.records.drain(), self.records.orders
        legs = {pair.id: [orders[leg] for leg in pair.legs] for pair in batch.pairs}
        return Changes(batch, reports, legs)

    def test(self, ticket: Ticket) -> None:
        """Refuse an order as `place` would, and do nothing else."""
        self._admission.single(ticket)

    def place(self, ticket: Ticket) -> Order:
        """Take an order, or refuse it; return it as it stands after what it took at once."""
        order = self._clerk.put(self._admission.single(ticket))
        self._clerk.report("NEW", order)
        if order.working:
            self._clerk.meet(order)
        return self.records.orders[order.id]

    def place_pair(self, ticket: PairTicket) -> Pair:
        """Take two orders of which one alone will be done, or refuse them."""
        above, below, locked = self._admission.pair(ticket)
        number = self.records.next_pair
        pair = Pair(
            id=number,
            symbol=above.symbol,
            client_id=ticket.client_id or made_id("pair", number),
            legs=(above.id, below.id),
            asset=above.asset,
            locked=locked,
            created_ms=self.at_ms,
            updated_ms=self.at_ms,
        )
        self.records.put_pair(pair)
        self.records.account.unlock(pair.asset, -locked)
        for leg in (above, below):
            tied = replace(self._clerk.queued(leg), list_id=number, tied=True)
            self._clerk.report("NEW", self._clerk.put(tied))
        return pair

    def check_filters(self, ticket: Ticket) -> None:
        """Refuse an order in another's place before anything is done: both count as open."""
        self._admission.filtered(ticket)

    def cancel(self, order: Order, cancel_id: str = "") -> tuple[list[Order], str]:
        """Cancel an open order and its pair; return what was cancelled, and the cancel's own id."""
        assert order.open
        name = cancel_id or made_id("cancel", self.records.numbers)
        return self._clerk.cancel(order, name), name

    def move(self, asset: str, amount: int) -> None:
        """Let money come, or, below zero, go; ValueError for more than is free."""
        free = self.records.account.free(asset)
        if free + amount < 0:
            raise ValueError(f"{to_text(free, EXP)} {asset} is free")
        fits(free + amount)
        self.records.move(asset, amount)
        self._moved = True

    def limit_by(self, limit: Callable[[Order], int]) -> None:
        """Ask from now on how much of an order may trade at once."""
        self._clerk.limit = limit

    def force(self, order: Order, qty: int) -> None:
        """Trade a part of an open order at its own price, whatever the market does."""
        assert order.open
        self._clerk.fill(order, order.px or order.stop_px, qty, maker=True)

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return the order of that id, or else the newest one with that client id."""
        if order_id is None:
            return self.records.named(symbol, client_id or "")
        order = self.records.orders.get(order_id)
        if order is None or order.symbol != symbol or client_id not in {None, order.client_id}:
            return None
        return order

    def advance(self, until_ms: int) -> None:
        """Let market time pass, and with it the tape."""
        while self.at_ms < until_ms and self._listed():
            self._pass(min(until_ms, self.at_ms + STRETCH_MS))
        self.records.at_ms = max(self.at_ms, until_ms)

    def rest(self, until_ms: int) -> None:
        """Let market time pass in which no trade means something to an order."""
        self.records.at_ms = max(self.at_ms, until_ms)

    def _listed(self) -> list[str]:
        # A symbol that is not listed any more rests, with its orders and what they lock.
        return [name for name in self.market.facts if self.records.open.get(name)]

    def _pass(self, until_ms: int) -> None:
        after_ms = self.at_ms
        lanes = {name: self._lane(name, after_ms, until_ms) for name in self._listed()}
        while nearest := min((lane.next for lane in lanes.values() if lane.next), default=None):
            lane = lanes[nearest[1]]
            self._hear(lane.facts.id, *lane.pop())
            lane.seek(self.records.waiting(lane.facts.id))
        self.records.at_ms = until_ms

    def _lane(self, symbol: str, after_ms: int, until_ms: int) -> matching.Lane:
        tape = self.market.tape(symbol, after_ms + 1, until_ms + 1)
        lane = matching.Lane(self.market.facts[symbol], tape)
        lane.seek(self.records.waiting(symbol))
        return lane

    def _hear(self, symbol: str, at_ms: int, px: int, qty: int) -> None:
        self.records.at_ms = at_ms
        for buys in (True, False):
            spare = qty
            for order in matching.in_turn(self._present(symbol), buys=buys):
                got, ahead = matching.share(order, px, qty, spare)
                spare -= got
                if ahead != order.ahead:
                    self._clerk.put(replace(order, ahead=ahead))
                if got:
                    moved = self.records.orders[order.id]
                    part = min(got, self._clerk.limit(moved))
                    self._clerk.fill(moved, order.px, part, maker=True)
        for order in self._present(symbol):
            if not order.working and order.reached(px) and self.records.orders[order.id].open:
                self._clerk.trigger(order)

    def _present(self, symbol: str) -> list[Order]:
        """Return the orders that a trade may meet; the tape of a desk never lags behind them."""
        return self.records.waiting(symbol)
