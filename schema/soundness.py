"""What must hold of whole books, whatever came before: each event proves only what it touched.

`rrr audit` asks whoever keeps books of strategies for it. The sums are in the smallest unit of all,
so that nothing is rounded.
"""

from collections import defaultdict
from collections.abc import Iterator

from schema.holding import Holding
from schema.ledger import Ledger, book_of, halves

UNIT = 18
"""Decimals that nothing in the books has more of."""


def flaws(ledger: Ledger) -> list[str]:
    """Return where balances, positions and what was put in are not one account; nothing if sound.

    Of each asset what is there is what was put in, with all that its positions cost and earned;
    a symbol's books of strategies come to the account's.
    """
    expected: dict[str, int] = defaultdict(int)
    found: list[str] = []
    for key, holding in ledger.holdings.items():
        if " " not in key:
            base, quote = halves(key)
            expected[base] += _wide(holding.qty, holding.qty_exp)
            expected[quote] -= _wide(holding.paid, holding.quote_exp)
            found += _shared_badly(ledger, key, holding)
    for asset, purse in ledger.balances.items():
        if not purse.proven:
            found.append(f"{asset}: {purse} does not add up")
        stray = _wide(purse.put - purse.aside + purse.alone, purse.exp)
        there, wanted = _wide(purse.amount, purse.exp), expected.pop(asset, 0) + stray
        if there != wanted:
            found.append(f"{asset}: there is {there}, its positions say {wanted}")
    return [*found, *(f"{asset}: positions, and no balance" for asset, n in expected.items() if n)]


def assert_sound(ledger: Ledger) -> None:
    """Prove that balances, positions and what was put in are one account."""
    found = flaws(ledger)
    assert not found, "; ".join(found)


def _shared_badly(ledger: Ledger, symbol: str, whole: Holding) -> Iterator[str]:
    if whole.cost and not whole.qty:
        yield f"{symbol}: a flat position has a cost"
    keys = [book_of(symbol, tag) for tag in ledger.tags.get(symbol, ())]
    parts = [ledger.holdings[key] for key in keys if key in ledger.holdings]
    if not parts:
        return
    qty = sum(_wide(part.qty, part.qty_exp) for part in parts)
    paid = sum(_wide(part.paid, part.quote_exp) for part in parts)
    if (qty, paid) != (_wide(whole.qty, whole.qty_exp), _wide(whole.paid, whole.quote_exp)):
        yield f"{symbol}: the strategies' books are not the account's"


def _wide(amount: int, exp: int) -> int:
    return int(amount * 10 ** (UNIT - exp))
