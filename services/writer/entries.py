"""The double-entry ledger of the trading shard: legs that come to nothing in each asset.

What nobody can explain is said as a difference between the venue's figure and ours. Its changes are
entries, too: the difference stands in suspense, and leaves it when a person adopts the money, or
when it is gone again. So all accounts of an asset but the other side's come to what the venue has.
"""

from typing import Any

from bus.shard import Connection
from schema.orders import BalanceSeen, Deposit, Fill
from schema.units import rescale

Statement = tuple[str, tuple[Any, ...]]
Leg = tuple[str, str, str, int, int]
"""Kind, account, asset, amount and its decimals."""

LEG = (
    "INSERT INTO ledger VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entry, leg) "
    "DO UPDATE SET amount = excluded.amount "  # the table's trigger refuses it
    "WHERE (account, asset, amount, exp) IS NOT "
    "(excluded.account, excluded.asset, excluded.amount, excluded.exp)"
)
"""Adds a leg; a repeat changes nothing, another amount is refused."""

IN_SUSPENSE = "SELECT amount, exp FROM ledger WHERE account = 'suspense' AND asset = ?"
OPENING, ADOPTED = "opening", "adopted-"
"""How money was named before it was told by kind."""

KINDS = {
    "opening": ("opening", "outside"),
    "funding": ("funding", "funding"),
    "dividend": ("funding", "funding"),
    "rebate": ("rebate", "fees"),
    "adjustment": ("adjustment", "outside"),
}
"""Kind of an entry, and the account of its other side, by the kind of what came or went."""


def of_fill(m: Fill) -> list[Statement]:
    """Return the legs of an execution and of its fee."""
    base, _, quote = m.symbol.partition("/")
    sign = 1 if m.side == "buy" else -1
    legs: list[Leg] = [
        ("trade", "trading", base, sign * m.qty, m.qty_exp),
        ("trade", "market", base, -sign * m.qty, m.qty_exp),
        ("trade", "trading", quote, -sign * m.quote_qty, m.quote_exp),
        ("trade", "market", quote, sign * m.quote_qty, m.quote_exp),
    ]
    if m.fee:
        kind = "fee" if m.fee > 0 else "rebate"
        legs.append((kind, "trading", m.fee_asset, -m.fee, m.fee_exp))
        legs.append((kind, "fees", m.fee_asset, m.fee, m.fee_exp))
    return _entry(f"fill:{m.symbol}:{m.venue_trade_id}", m.ts_event, legs, m.symbol)


def of_deposit(message: Any) -> list[Statement]:
    """Return the legs of money that came or went by other ways than trading."""
    m: Deposit = message
    kind, other = _kind_of(m)
    legs: list[Leg] = [
        (kind, m.book, m.asset, m.amount, m.exp),
        (kind, other, m.asset, -m.amount, m.exp),
    ]
    return _entry(f"deposit:{m.asset}:{m.venue_id}", m.ts_event, legs, m.symbol)


def of_balance(db: Connection, m: BalanceSeen) -> list[Statement]:
    """Return the legs by which what is in suspense becomes the difference; none when it is that."""
    held: list[Any] = db.execute(IN_SUSPENSE, (m.asset,)).fetchall()
    exp = max([m.exp, *(one for _, one in held)])
    change = rescale(m.difference, m.exp, exp) - sum(rescale(n, one, exp) for n, one in held)
    if not change:
        return []
    legs: list[Leg] = [
        ("suspense", "suspense", m.asset, change, exp),
        ("suspense", "outside", m.asset, -change, exp),
    ]
    return _entry(f"suspense:{m.asset}:{len(held) + 1}", m.ts_event, legs)


def _kind_of(m: Deposit) -> tuple[str, str]:
    kind = m.kind
    if kind == "transfer" and m.venue_id == OPENING:
        kind = "opening"
    elif kind == "transfer" and m.venue_id.startswith(ADOPTED):
        kind = "adjustment"
    return KINDS.get(kind) or ("deposit" if m.amount >= 0 else "withdrawal", "outside")


def _entry(entry: str, ts_ns: int, legs: list[Leg], symbol: str = "") -> list[Statement]:
    sums: dict[str, int] = {}
    for _, _, asset, amount, exp in legs:
        sums[asset] = sums.get(asset, 0) + amount * 10 ** (18 - exp)
    assert not any(sums.values()), f"entry {entry} does not come to nothing: {legs}"
    return [(LEG, (entry, ts_ns, *leg, number, symbol)) for number, leg in enumerate(legs)]
