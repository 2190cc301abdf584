"""The account's desk where the market plays elsewhere: the tape comes to it, trade by trade.

Its clock is the machine's, and what it hears was said a moment before. So a trade meets the orders
alone that stood before it was said; those that came since then were not there for it.
"""

from collections.abc import Iterable

from services.venue.desk import Desk
from services.venue.ear import Print
from services.venue.orders import Order


class Bystander(Desk):
    """One account beside a market that it hears and never moves."""

    _said_ms = 0

    def advance(self, until_ms: int) -> None:
        self.rest(until_ms)

    def hear(self, prints: Iterable[Print]) -> None:
        """Match what the exchange printed, in its order."""
        for one in prints:
            self.records.marks[one.symbol] = one.trade_id
            if one.symbol in self._listed():
                self._said_ms = one.said_ms
                self._hear(one.symbol, max(self.at_ms, one.said_ms), one.px, one.qty)

    def _present(self, symbol: str) -> list[Order]:
        return [order for order in super()._present(symbol) if _since(order) < self._said_ms]


def _since(order: Order) -> int:
    return order.working_ms if order.working else order.created_ms
