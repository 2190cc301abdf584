"""The rules of size: of one order, its symbol, all symbols together, and of what it is paid with.

Spot has no margin and nothing that is liquidated: a free margin and a distance to liquidation have
no rule here, since all that is bought is paid for, by `funds_suffice`.
"""

from schema.instruments import Denial
from schema.units import floor_scale, to_text
from services.risk.case import Case
from services.risk.exposure import selling
from services.risk.money import MONEY_EXP, OFF, plain


def order_is_small(case: Case) -> Denial | None:
    """Refuse an order that is worth too much, or is of too many units."""
    own, intent = case.own, case.intent
    if case.notional > own.order_notional:
        return Denial("NOTIONAL_EXCEEDS_MAX_PER_ORDER", case.figures())
    if own.order_qty < OFF and intent.qty * 10**MONEY_EXP > own.order_qty * 10**intent.qty_exp:
        qty = to_text(intent.qty, intent.qty_exp)
        return Denial("QUANTITY_EXCEEDS_MAXIMUM", f"qty={qty} max_order_qty={own.qty_text}")
    return None


def position_is_small(case: Case) -> Denial | None:
    """Refuse an order with which its symbol could come to be worth too much."""
    if case.position <= case.own.position_notional:
        return None
    return Denial("MAX_POSITION_EXCEEDED", case.figures())


def exposure_is_small(case: Case) -> Denial | None:
    """Refuse an order with which all symbols together could come to be worth too much."""
    limits = case.limits
    if case.gross > limits.gross_exposure:
        return Denial("MAX_GROSS_EXPOSURE_EXCEEDED", case.figures())
    if case.net > limits.net_exposure:
        return Denial("MAX_NET_EXPOSURE_EXCEEDED", case.figures())
    if limits.leverage < OFF and case.gross * 100 > limits.leverage * case.windows.equity:
        return Denial("MAX_LEVERAGE_EXCEEDED", case.figures())
    return None


def book_is_short(case: Case) -> Denial | None:
    """Refuse an order more than may be open, or a position more than may be held."""
    limits = case.limits
    if case.orders > limits.open_orders:
        numbers = f"open_orders={case.orders} max_open_orders={limits.open_orders}"
        return Denial("MAX_OPEN_ORDERS_EXCEEDED", numbers)
    if case.positions > limits.open_positions:
        numbers = f"open_positions={case.positions} max_open_positions={limits.open_positions}"
        return Denial("MAX_OPEN_POSITIONS_EXCEEDED", numbers)
    return None


def loss_is_bounded(case: Case) -> Denial | None:
    """Refuse an entry that names no price at which it is given up, where one is asked for."""
    intent = case.intent
    if not case.limits.settings.protective_stop_required or intent.protect_px:
        return None
    if intent.leg != "entry":
        return None
    return Denial("PROTECTIVE_STOP_REQUIRED", "protect_px=0 protective_stop_required=true")


def funds_suffice(case: Case) -> Denial | None:
    """Refuse an order that what is neither spent nor held for others does not pay for."""
    intent, books = case.intent, case.books
    if intent.side == "buy":
        purse = books.ledger.balances.get(case.limits.quote)
        cash = floor_scale(purse.amount, purse.exp, MONEY_EXP) if purse is not None else 0
        free = cash - books.held + case.freed_cost
        if case.cost <= free:
            return None
        return Denial(
            "CUM_NOTIONAL_EXCEEDS_FREE_BALANCE", f"cost={plain(case.cost)} free={plain(free)}"
        )
    exp = intent.qty_exp
    money = books.ledger.balance(case.instrument.base)
    sold = selling(books, intent.symbol, exp) - case.freed
    free = floor_scale(money.amount, money.exp, exp) - sold
    if intent.qty <= free:
        return None
    numbers = f"qty={to_text(intent.qty, exp)} free={to_text(free, exp)}"
    return Denial("CUM_NOTIONAL_EXCEEDS_FREE_BALANCE", numbers)
