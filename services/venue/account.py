"""The money of the account: what is free, what orders lock, and what a trade costs.

Every asset has eight decimals and every number is an integer. What is locked is rounded up, what is
paid and what is charged is rounded down, so a fill never needs more than its order has locked.
"""

from collections.abc import Mapping

import msgspec

from schema.units import ceil_scale, floor_scale, to_int
from services.venue.columns import Facts
from services.venue.orders import PRICED, STOPPED, Order

EXP = 8
BPS = 10_000


class Balance(msgspec.Struct, frozen=True, array_like=True):
    """What the account has of one asset."""

    free: int = 0
    locked: int = 0


class Moved(msgspec.Struct, frozen=True, array_like=True):
    """Money that came, or, below zero, went by other ways than trading."""

    asset: str
    amount: int
    at_ms: int  # rising: it names the event


class Terms(msgspec.Struct, frozen=True):
    """What the exchange charges, and what an account begins with."""

    maker_bps: int = 10
    taker_bps: int = 10
    opening: Mapping[str, int] = {}


def opening_of(balances: tuple[str, ...]) -> dict[str, int]:
    """Return the amounts that settings such as "USDT 100000" name; ValueError when it cannot."""
    found: dict[str, int] = {}
    for text in balances:
        asset, _, amount = text.partition(" ")
        if asset in found:
            raise ValueError(f"{asset} is named twice")
        found[asset] = to_int(amount, EXP)
    return found


def units(facts: Facts, qty: int) -> int:
    """Return a quantity with eight decimals."""
    return floor_scale(qty, facts.qty_exp, EXP)


def money(facts: Facts, px: int, qty: int) -> int:
    """Return what a quantity costs at a price, rounded down."""
    return floor_scale(px * qty, facts.px_exp + facts.qty_exp, EXP)


def affordable(facts: Facts, px: int, budget: int) -> int:
    """Return the largest quantity whose cost at a price is within a budget."""
    exp = facts.px_exp + facts.qty_exp
    if exp <= EXP:
        return budget // (px * int(10 ** (EXP - exp)))
    return ((budget + 1) * int(10 ** (exp - EXP)) - 1) // px


def fee(amount: int, bps: int) -> int:
    """Return the charge on what is received, rounded down."""
    return amount * bps // BPS


def need(facts: Facts, order: Order) -> int:
    """Return what the rest of an order may cost; a market order pays at once and locks nothing."""
    if order.type not in PRICED and (order.working or order.type not in STOPPED):
        return 0
    if not order.buys:
        return units(facts, order.left)
    px = order.px or order.stop_px
    return ceil_scale(px * order.left, facts.px_exp + facts.qty_exp, EXP)


def held(facts: Facts, order: Order | None) -> int:
    """Return what an order locks by itself."""
    if order is None or not order.open or order.tied:
        return 0
    return need(facts, order)


class Account:
    """Free and locked amounts by asset; neither is ever below zero."""

    def __init__(self) -> None:
        self.balances: dict[str, Balance] = {}
        self.changed: dict[str, None] = {}

    def free(self, asset: str) -> int:
        """Return what can be spent."""
        return self.balances.get(asset, Balance()).free

    def receive(self, asset: str, amount: int) -> None:
        """Add to what is free; a negative amount is a payment."""
        self._change(asset, amount, 0)

    def unlock(self, asset: str, amount: int) -> None:
        """Move from locked to free; a negative amount locks."""
        self._change(asset, amount, -amount)

    def _change(self, asset: str, free: int, locked: int) -> None:
        if not free and not locked:
            return
        now = self.balances.get(asset, Balance())
        after = Balance(now.free + free, now.locked + locked)
        assert after.free >= 0, f"{asset}: {after} free after {free}"
        assert after.locked >= 0, f"{asset}: {after} locked after {locked}"
        self.balances[asset] = after
        self.changed[asset] = None
