"""Which two orders may stand in a pair (OCO), one above the market and one below it."""

from services.venue.orders import PROFITS, STOPPED, Order, PairTicket, Ticket
from services.venue.params import Refusal

LEGS = (STOPPED | {"LIMIT_MAKER"}) - {"MARKET", "LIMIT"}
LOSSES = STOPPED - PROFITS


def check_types(ticket: PairTicket) -> None:
    """Refuse types that do not go together: one stops a loss, the other takes a gain."""
    above, below = ticket.above, ticket.below
    if above.type not in LEGS or below.type not in LEGS:
        raise Refusal(-1158, "Order type not supported in OCO.")
    if above.side == "SELL":
        _check_sell(above, below)
    else:
        _check_buy(above, below)


def _check_sell(above: Ticket, below: Ticket) -> None:
    if below.type == "LIMIT_MAKER":
        raise Refusal(-1166, "A limit order in a sell OCO must be above.")
    if above.type in LOSSES:
        raise Refusal(-1197, "A stop loss order in a sell OCO must be below.")
    if below.type in PROFITS:
        raise Refusal(-1199, "A take profit order in a sell OCO must be above.")


def _check_buy(above: Ticket, below: Ticket) -> None:
    if above.type == "LIMIT_MAKER":
        raise Refusal(-1165, "A limit order in a buy OCO must be below.")
    if below.type in LOSSES:
        raise Refusal(-1196, "A stop loss order in a buy OCO must be above.")
    if above.type in PROFITS:
        raise Refusal(-1198, "A take profit order in a buy OCO must be below.")


def check_prices(above: Order, below: Order, last: int) -> None:
    """Refuse a pair that does not have the last price between its two orders."""
    upper, lower = above.stop_px or above.px, below.stop_px or below.px
    if last and not lower < last < upper:
        msg = "The relationship of the prices for the orders is not correct."
        raise Refusal(-2010, msg)
