"""What an exchange does to orders of its own accord, or by another's hand, between all requests.

A fault of this kind needs an order that it can befall: it is counted when it has befallen one.
"""

from collections.abc import Callable

from msgspec.structs import replace

from schema.exchange import ReportPushed
from services.venue.orders import Order
from tests.sim.exchange import is_triggered
from tests.sim.stand import Stand

ENDS = ("EXPIRED", "CANCELED", "REJECTED")
"""Words for an end that an exchange says too early."""


class Caprice:
    """Befalls an order now and then."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._acts: dict[str, tuple[Callable[[Order], bool], Callable[[Order], None]]] = {
            "vanish": (lambda _order: True, self._vanish),
            "late_reject": (lambda order: not (order.filled or order.tied), self._reject_late),
            "venue_expires": (lambda order: not order.tied, self._expire),
            "cancel_by_hand": (lambda _order: True, self._cancel_by_hand),
            "rest_ends": (_has_moved, self._end_rest),
            "hasty_end": (_halves, self._end_hastily),
            "partial_fill": (lambda order: order.working and order.left > 1, self._trade_in_part),
        }

    def act(self) -> None:
        """Let happen what the dice want in this pass."""
        dice = self._stand.dice
        if not self._stand.truth.open_orders():
            return
        for name, (may, act) in self._acts.items():
            orders = [order for order in self._stand.truth.open_orders() if may(order)]
            if orders and dice.hits(name):
                act(dice.of(f"who {name}").choice(_rare(orders)))

    def _vanish(self, order: Order) -> None:
        """Let an order be missing from what is told, for some seconds."""
        exchange = self._stand.exchange
        ms = self._stand.dice.of("vanished").choice((800, 4_000))
        exchange.hidden[order.client_id] = exchange.wall_ms() + ms
        exchange.lied.setdefault(order.client_id, "")

    def _reject_late(self, order: Order) -> None:
        exchange = self._stand.exchange
        if order.filled:
            exchange.expire(order)
        else:
            exchange.reject(order)

    def _expire(self, order: Order) -> None:
        self._stand.exchange.expire(order)

    def _cancel_by_hand(self, order: Order) -> None:
        """Let a person cancel an order on the exchange's own page."""
        self._stand.exchange.desk.cancel(order)

    def _end_rest(self, order: Order) -> None:
        ends = (self._reject_late, self._expire, self._cancel_by_hand)
        self._stand.dice.of("rest ends").choice(ends)(order)

    def _end_hastily(self, order: Order) -> None:
        """Let an order end of which the exchange then tells less than it traded."""
        stand, exchange = self._stand, self._stand.exchange
        word = stand.dice.of("hasty words").choice(ENDS)
        after = exchange.trade_some(order, order.left // 2)
        exchange.drain()  # Nobody is told of the trade, and of the end this:
        exchange.lied[order.client_id] = "it ended with less than it had traded"
        if word == "REJECTED":
            exchange.rejected.add(order.id)
        ended = exchange.end(after, "EXPIRED" if word == "EXPIRED" else "CANCELED")
        exchange.drain()
        shown = exchange.report(replace(ended, filled=order.filled, money=order.money))
        edge = stand.gateway_edge()
        if edge is not None:
            edge.hear(ReportPushed(report=shown, execution=word))

    def _trade_in_part(self, order: Order) -> None:
        chance = self._stand.dice.of("in part")
        self._stand.exchange.trade_some(order, max(1, order.left // chance.choice((2, 3, 5))))


def _has_moved(order: Order) -> bool:
    return is_triggered(order) or (order.working and not order.tied and order.filled > 0)


def _halves(order: Order) -> bool:
    return order.working and not order.tied and order.left > 1


def _rare(orders: list[Order]) -> list[Order]:
    """Return the stops that were triggered and rest, else what traded in part, else all."""
    return (
        list(filter(is_triggered, orders)) or [order for order in orders if order.filled] or orders
    )
