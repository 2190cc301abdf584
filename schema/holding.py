"""A position in one symbol and what it has earned: how trades, fees and funding change it."""

import msgspec

from schema.units import floor_scale, rescale


class Holding(msgspec.Struct, array_like=True):
    """A position in one symbol, and what it has earned so far; money is in the quote asset."""

    px_exp: int
    qty_exp: int
    quote_exp: int
    qty: int = 0
    cost: int = 0
    realized: int = 0  # before fees
    fees: int = 0
    funding: int = 0  # what holding it has earned; negative is cost

    @property
    def flat(self) -> bool:
        return self.qty == 0

    @property
    def realized_net(self) -> int:
        """What was earned, all in all."""
        return self.realized - self.fees + self.funding

    @property
    def paid(self) -> int:
        """What went out for it in cash: all that came of trades, fees and funding."""
        return self.cost - self.realized + self.fees - self.funding

    def worth(self, px: int) -> int:
        """Return what the position is worth at a price, rounded against us."""
        return floor_scale(px * self.qty, self.px_exp + self.qty_exp, self.quote_exp)

    def unrealized(self, px: int) -> int:
        """Return what closing at a price would add, before fees."""
        return self.worth(px) - self.cost


class Move(msgspec.Struct, frozen=True):
    """What a fill does to a position, whosever it is."""

    qty_exp: int
    quote_exp: int
    sign: int
    qty: int
    money: int
    fee: int  # in the quote asset
    fee_in_base: int


def hold(holding: Holding, move: Move) -> None:
    """Change a position by a fill, and prove that nothing of it was lost or made."""
    qty, in_base = move.qty, move.fee_in_base
    if holding.qty_exp != move.qty_exp:
        qty, in_base = _finer(holding, move)
    sign, money, fee = move.sign, move.money, move.fee
    if holding.quote_exp != move.quote_exp:
        widen(holding, 0, move.quote_exp)
        money = rescale(money, move.quote_exp, holding.quote_exp)
        fee = rescale(fee, move.quote_exp, holding.quote_exp)
    held = holding.qty + sign * qty - in_base
    paid = holding.cost - holding.realized + holding.fees - holding.funding + sign * money + fee
    trade(holding, sign, qty, money)
    if fee:
        holding.fees += fee
    if in_base:
        _pay_in_base(holding, in_base)
    assert holding.qty == held, f"{holding}, expected {held} after {sign * qty} for {money}"
    now = holding.cost - holding.realized + holding.fees - holding.funding
    assert now == paid, f"{holding}: {now} was paid, expected {paid}"
    assert held or not holding.cost, f"a flat position has a cost: {holding}"


def _finer(holding: Holding, move: Move) -> tuple[int, int]:
    """Return what is traded and what is paid of it with the position's decimals."""
    exp = move.qty_exp
    if exp > holding.qty_exp:
        widen(holding, exp, 0)
    in_base = rescale(move.fee_in_base, exp, holding.qty_exp) if move.fee_in_base else 0
    return rescale(move.qty, exp, holding.qty_exp), in_base


def earn(holding: Holding, amount: int, exp: int) -> None:
    """Add what holding a position earned; nothing of the position itself changes."""
    widen(holding, holding.qty_exp, exp)
    holding.funding += rescale(amount, exp, holding.quote_exp)


def rebate(holding: Holding, amount: int, exp: int) -> None:
    """Take from the fees what was given back of them."""
    widen(holding, holding.qty_exp, exp)
    holding.fees -= rescale(amount, exp, holding.quote_exp)


def widen(holding: Holding, qty_exp: int, quote_exp: int) -> None:
    """Give a position the decimals that it lacks."""
    qty_exp, quote_exp = max(holding.qty_exp, qty_exp), max(holding.quote_exp, quote_exp)
    if (qty_exp, quote_exp) == (holding.qty_exp, holding.quote_exp):
        return
    holding.qty = rescale(holding.qty, holding.qty_exp, qty_exp)
    for name in ("cost", "realized", "fees", "funding"):
        setattr(holding, name, rescale(getattr(holding, name), holding.quote_exp, quote_exp))
    holding.qty_exp, holding.quote_exp = qty_exp, quote_exp


def trade(holding: Holding, sign: int, qty: int, money: int) -> None:
    """Buy or sell: open or add to a position, reduce it, or go through zero."""
    held = holding.qty
    if held * sign >= 0:
        holding.qty = held + sign * qty
        holding.cost += sign * money
        return
    closed = min(qty, abs(held))
    part = money * closed // qty
    holding.realized += -sign * part - take_out(holding, closed)
    if qty > closed:  # Through zero: the rest opens the other way.
        holding.qty = sign * (qty - closed)
        holding.cost = sign * (money - part)


def take_out(holding: Holding, qty: int) -> int:
    """Take some of a position out, and return what it had cost."""
    cost, whole = holding.cost, abs(holding.qty)
    if qty == whole:
        holding.qty = holding.cost = 0
        return cost
    removed = abs(cost) * qty // whole
    removed = removed if cost >= 0 else -removed
    holding.cost -= removed
    holding.qty -= qty if holding.qty > 0 else -qty
    return removed


def _pay_in_base(holding: Holding, fee: int) -> None:
    if fee < 0 or holding.qty <= 0:  # A rebate, or from a short: it has no price that is known.
        trade(holding, -1 if fee > 0 else 1, abs(fee), 0)
        return
    paid = min(fee, holding.qty)
    holding.fees += take_out(holding, paid)
    holding.qty -= fee - paid
