"""What the exchange asks of an order before it looks at the market: its filters, with their limits.

The numbers have eight decimals, as on the wire; what is announced in exchangeInfo is made of the
same limits.
"""

import msgspec

from schema.units import rescale
from services.venue.account import EXP
from services.venue.columns import Facts
from services.venue.orders import PRICED, STOPPED, Ticket
from services.venue.params import Refusal

DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR"})
UNIT = 10**EXP
ORDERS_MAX = 200


class Limits(msgspec.Struct, frozen=True):
    """The limits of one symbol."""

    tick: int
    lot: int
    least: int  # worth of an order
    most: int = 9 * 10**9 * UNIT  # quantity, and worth
    most_px: int = 9 * 10**10 * UNIT


def limits_of(facts: Facts) -> Limits:
    """Return the limits of a symbol."""
    least = 5 * UNIT if facts.quote in DOLLARS else UNIT // 10_000
    return Limits(rescale(1, facts.px_exp, EXP), rescale(1, facts.qty_exp, EXP), least)


def check(facts: Facts, ticket: Ticket, last: int) -> None:
    """Refuse an order that does not pass the filters; `last` is the last price, 0 without one."""
    limits = limits_of(facts)
    if ticket.type in PRICED:
        _check_price(limits, ticket.px)
    if ticket.type in STOPPED:
        _check_price(limits, ticket.stop_px)
    if ticket.quote_qty:
        _check_worth(limits, ticket.quote_qty)
        return
    _check_lot(limits, ticket.qty)
    px = ticket.px or ticket.stop_px or last
    if px:
        _check_worth(limits, px * ticket.qty // UNIT, bounded=ticket.type != "MARKET")


def check_count(waiting: int, more: int = 1) -> None:
    """Refuse an order too many."""
    if waiting + more > ORDERS_MAX:
        raise _failure("MAX_NUM_ORDERS")


def _check_price(limits: Limits, px: int) -> None:
    if not limits.tick <= px <= limits.most_px or px % limits.tick:
        raise _failure("PRICE_FILTER")


def _check_lot(limits: Limits, qty: int) -> None:
    if qty <= 0:
        raise Refusal(-1013, "Invalid quantity.")
    if not limits.lot <= qty <= limits.most or qty % limits.lot:
        raise _failure("LOT_SIZE")


def _check_worth(limits: Limits, worth: int, *, bounded: bool = True) -> None:
    if worth < limits.least or (bounded and worth > limits.most):
        raise _failure("NOTIONAL")


def _failure(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")
