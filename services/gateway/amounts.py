"""Exact sums for the last gate, written apart from the house's ledger on purpose."""

from schema.units import exp_of, rescale, to_int
from services.gateway.state import Amount


def add(amount: Amount, n: int, exp: int) -> None:
    """Add a number to an amount, which takes on the decimals that it needs."""
    if exp > amount.exp:
        amount.n, amount.exp = rescale(amount.n, amount.exp, exp), exp
    amount.n += n if exp == amount.exp else rescale(n, exp, amount.exp)


def scaled(n: int, exp: int, to_exp: int) -> int:
    """Return a number with at least as many decimals as it has."""
    return int(n * 10 ** (to_exp - exp))


def minus(left: Amount, right: Amount) -> Amount:
    """Return the difference of two amounts."""
    exp = max(left.exp, right.exp)
    return Amount(scaled(left.n, left.exp, exp) - scaled(right.n, right.exp, exp), exp)


def plus(left: Amount, right: Amount) -> Amount:
    """Return the sum of two amounts."""
    return minus(left, negative(right))


def times(left: Amount, right: Amount) -> Amount:
    """Return the product of two amounts, with the decimals of both."""
    return Amount(left.n * right.n, left.exp + right.exp)


def negative(amount: Amount) -> Amount:
    """Return an amount with the other sign."""
    return Amount(-amount.n, amount.exp)


def least(left: Amount, right: Amount) -> Amount:
    """Return the smaller of two amounts."""
    return left if minus(left, right).n <= 0 else right


def same(left: Amount, right: Amount) -> bool:
    """Return whether two amounts are the same number."""
    return minus(left, right).n == 0


def parse(*texts: str) -> Amount:
    """Return the sum of plain decimals."""
    total = Amount()
    for text in texts:
        add(total, *exact(text))
    return total


def exact(text: str) -> tuple[int, int]:
    """Return a plain decimal as an integer, and its decimals."""
    exp = exp_of(text.lstrip("-"))
    return to_int(text, exp), exp
