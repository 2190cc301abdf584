"""What the exchange asks of an order before it looks at the market: its filters.

The numbers have eight decimals, as on the wire; what is announced in exchangeInfo is made of the
same limits.
"""

from collections.abc import Iterable

from services.venue.account import EXP
from services.venue.columns import Facts
from services.venue.limits import MULTIPLIER, Limits
from services.venue.orders import PRICED, STOPPED, Order, Ticket
from services.venue.params import Refusal

UNIT = 10**EXP


def check(facts: Facts, ticket: Ticket, average: int) -> None:
    """Refuse an order that does not pass the filters; `average` is 0 before the first trade."""
    limits = facts.limits
    if facts.status != "TRADING":
        raise Refusal(-1013, "Market is closed.")
    if ticket.type in PRICED:
        _check_price(limits, ticket.px)
    if ticket.type in STOPPED:
        _check_price(limits, ticket.stop_px)
    if ticket.type in PRICED:
        _check_band(limits, ticket, average)
    if ticket.quote_qty:
        _check_worth(limits, ticket.quote_qty, market=False)
        return
    _check_lot(limits, ticket.qty)
    if ticket.type == "MARKET":
        _check_market_lot(limits, ticket.qty)
    px = ticket.px or ticket.stop_px or average
    if px:
        _check_worth(limits, px * ticket.qty // UNIT, market=ticket.type == "MARKET")


def check_count(facts: Facts, waiting: Iterable[Order], fresh: Iterable[Order]) -> None:
    """Refuse orders of a symbol when too many would be open; what was triggered is no algo order.

    A pair is two orders and one list.
    """
    everything, fresh = [*waiting, *fresh], list(fresh)
    if len(everything) > facts.limits.orders:
        raise _failure("MAX_NUM_ORDERS")
    if any(order.type in STOPPED for order in fresh):
        algo = sum(order.type in STOPPED and not order.working for order in everything)
        if algo > facts.limits.algo_orders:
            raise _failure("MAX_NUM_ALGO_ORDERS")


def check_lists(facts: Facts, lists: int) -> None:
    """Refuse a pair when so many would be open."""
    if lists > facts.limits.lists:
        raise _failure("MAX_NUM_ORDER_LISTS")


def check_position(facts: Facts, position: int) -> None:
    """Refuse an order with which the account could hold too much; eight decimals."""
    if position > facts.limits.position:
        raise _failure("MAX_POSITION")


def _check_price(limits: Limits, px: int) -> None:
    least = limits.least_px or limits.tick
    if not least <= px <= limits.most_px or px % limits.tick:
        raise _failure("PRICE_FILTER")


def _check_band(limits: Limits, ticket: Ticket, average: int) -> None:
    low, high = limits.bid if ticket.side == "BUY" else limits.ask
    if average and not average * low <= ticket.px * MULTIPLIER <= average * high:
        raise _failure("PERCENT_PRICE_BY_SIDE")


def _check_lot(limits: Limits, qty: int) -> None:
    if qty <= 0:
        raise Refusal(-1013, "Invalid quantity.")
    least = limits.least_qty or limits.lot
    if not least <= qty <= limits.most_qty or qty % limits.lot:
        raise _failure("LOT_SIZE")


def _check_market_lot(limits: Limits, qty: int) -> None:
    is_off = limits.market_lot and qty % limits.market_lot
    if is_off or not limits.market_least <= qty <= limits.market_most:
        raise _failure("MARKET_LOT_SIZE")


def _check_worth(limits: Limits, worth: int, *, market: bool) -> None:
    too_little = worth < limits.least and (limits.least_of_market or not market)
    too_much = worth > limits.most and (limits.most_of_market or not market)
    if too_little or too_much:
        raise _failure("NOTIONAL")


def _failure(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")
