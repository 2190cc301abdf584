"""The gateway's own fold of fills: positions, balances, and whether an order reduces risk.

It shares no code with the ledger of engine and risk: two folds that agree prove more than one.
"""

from schema.orders import Deposit, Fill
from schema.trading import OrderIntent
from services.gateway.amounts import add, scaled
from services.gateway.state import Amount, Books, Order


def fold_fill(books: Books, fill: Fill) -> None:
    """Move position and balances by one fill."""
    base, _, quote = fill.symbol.partition("/")
    sign = 1 if fill.side == "buy" else -1
    position = _of(books.positions, fill.symbol)
    add(position, sign * fill.qty, fill.qty_exp)
    if fill.fee_asset == base:
        add(position, -fill.fee, fill.fee_exp)
    for asset, n, exp in (
        (base, sign * fill.qty, fill.qty_exp),
        (quote, -sign * fill.quote_qty, fill.quote_exp),
        (fill.fee_asset, -fill.fee, fill.fee_exp),
    ):
        add(_of(books.assets, asset), n, exp)


def _of(amounts: dict[str, Amount], name: str) -> Amount:
    return amounts.get(name) or amounts.setdefault(name, Amount())


def fold_deposit(books: Books, deposit: Deposit) -> None:
    """Move a balance by money that came or went by other ways, of ours or of others."""
    add(_of(books.assets, deposit.asset), deposit.amount, deposit.exp)
    if deposit.book != "trading":
        add(_of(books.external, deposit.asset), deposit.amount, deposit.exp)


def closable(books: Books, symbol: str, side: str, exp: int, *, instead_of: str = "") -> int:
    """Return how much an order of this side may trade and still only shrink the position.

    What rests or is on its way to the same side counts as traded: in the worst case all of it is.
    Of the two orders of a pair, and of an order and the one that is to take its place, the larger
    rest counts: one alone is done. The order `instead_of` which it is to be sent does not count.
    The answer has `exp` decimals, rounded down.
    """
    position = books.positions.get(symbol, Amount())
    fine = max(position.exp, exp)
    held = scaled(position.n, position.exp, fine) * (1 if side == "sell" else -1)
    for order in books.open.values():
        alike = order.symbol == symbol and order.intent.side == side and order.id != instead_of
        if alike and not is_covered(books, order):
            fine_order = max(fine, order.exp)
            held = scaled(held, fine, fine_order) - scaled(order.left, order.exp, fine_order)
            fine = fine_order
    return max(0, held // int(10 ** (fine - exp)))


def is_covered(books: Books, order: Order) -> bool:
    """Return whether another order, still open, of which one alone is done may trade as much."""
    other = _other(books, order)
    if other is None:
        return False
    exp = max(order.exp, other.exp)
    mine, its = scaled(order.left, order.exp, exp), scaled(other.left, other.exp, exp)
    return its > mine or (its == mine and other.id < order.id)


def _other(books: Books, order: Order) -> Order | None:
    """Return the other of a pair, or the order that this one replaces or is replaced by."""
    paired = books.open.get(order.intent.oco)
    if paired is not None and paired.intent.oco == order.id:
        return paired
    return books.open.get(order.intent.replaces) or books.open.get(order.successor)


def reduces(books: Books, intent: OrderIntent) -> bool:
    """Return whether an order can only shrink the position, whatever the other orders do."""
    most = closable(books, intent.symbol, intent.side, intent.qty_exp, instead_of=intent.replaces)
    return 0 < intent.qty <= most


def held_against(books: Books, intent: OrderIntent) -> int:
    """Return the position that an order would close, rounded down; 0 when there is none."""
    position = books.positions.get(intent.symbol, Amount())
    fine = max(position.exp, intent.qty_exp)
    held = scaled(position.n, position.exp, fine) * (1 if intent.side == "sell" else -1)
    return max(0, held // int(10 ** (fine - intent.qty_exp)))


def worth_of(intent: OrderIntent) -> int:
    """Return what an order may come to in whole units of the quote asset, rounded up; 0: unknown.

    It is counted at the dearest of the prices that it names.
    """
    px = max(intent.limit_px, intent.stop_px, intent.ref_px)
    return -(-px * intent.qty // int(10 ** (intent.px_exp + intent.qty_exp)))
