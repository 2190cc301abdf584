"""What the account has of one asset, and by which ways it came: the two must always agree."""

import msgspec

from schema.units import rescale


class Money(msgspec.Struct, array_like=True):
    """An amount of one asset; it gains decimals when one is needed, and never loses one."""

    amount: int = 0
    exp: int = 0

    def add(self, amount: int, exp: int) -> None:
        """Add an amount exactly."""
        if exp > self.exp:
            self.amount, self.exp = rescale(self.amount, self.exp, exp), exp
        self.amount += amount if exp == self.exp else rescale(amount, exp, self.exp)


class Purse(Money):
    """A balance, and beside it the sum of each way that money came or went by.

    `aside` is what no position knows of: fees in a third asset, and what was earned without one.
    """

    put: int = 0  # opening balances, deposits less withdrawals, adjustments
    traded: int = 0  # bought less sold
    fees: int = 0  # positive is cost
    earned: int = 0  # funding and dividends
    aside: int = 0  # the part of `fees` that stands in no position …
    alone: int = 0  # … and the part of `earned`

    def widen(self, exp: int) -> None:
        """Take on the decimals that an entry needs."""
        if exp > self.exp:
            for name in ("amount", "put", "traded", "fees", "earned", "aside", "alone"):
                setattr(self, name, rescale(getattr(self, name), self.exp, exp))
            self.exp = exp

    def fitted(self, amount: int, exp: int) -> int:
        """Return an entry's amount with this purse's decimals, of which it gains what it lacks."""
        if exp > self.exp:
            self.widen(exp)
        return amount if exp == self.exp else rescale(amount, exp, self.exp)

    @property
    def proven(self) -> bool:
        """Whether what was there at first and all entries come to what is there now."""
        return self.amount == self.put + self.traded - self.fees + self.earned


def purse_of(purses: dict[str, Purse], asset: str) -> Purse:
    """Return an asset's purse, which is made when there is none."""
    found = purses.get(asset)
    if found is None:
        found = purses[asset] = Purse()
    return found
