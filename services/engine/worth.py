"""What a strategy has, and what its budget has become."""

from schema.identity import strategy_tag
from schema.ledger import ACCOUNT, Holding, Ledger
from schema.strategy import Offer
from services.engine.hearing import mark_of
from services.engine.line import Pass
from services.engine.sizing import as_float


def ledger_of(turn: Pass, offer: Offer) -> Ledger:
    """Return the books that a strategy's positions stand in."""
    return turn.books.shadow if offer.role == "shadow" else turn.books.ledger


def holding_of(turn: Pass, offer: Offer, symbol: str) -> Holding | None:
    """Return a strategy's position in a symbol."""
    return ledger_of(turn, offer).holding(symbol, strategy_tag(offer.name))


def worth_of(turn: Pass, offer: Offer) -> float | None:
    """Return a strategy's budget with all that it earned and lost; None without a price."""
    worth, ledger, tag = offer.budget, ledger_of(turn, offer), strategy_tag(offer.name)
    for symbol in offer.symbols:
        holding = ledger.holding(symbol, tag)
        if holding is None:
            continue
        worth += as_float(holding.realized - holding.fees - holding.cost, holding.quote_exp)
        if holding.qty:
            mark = mark_of(turn.windows, symbol)
            if mark is None:
                return None
            worth += holding.qty * mark[0] / 10.0 ** (holding.qty_exp + mark[1])
    return worth


def tied_up(turn: Pass, offer: Offer, but: str) -> float:
    """Return what a strategy has, or is about to have, in all of its symbols but one."""
    found = 0.0
    for symbol in offer.symbols:
        mark = mark_of(turn.windows, symbol) if symbol != but else None
        if mark is not None:
            found += _units(turn, offer, symbol) * as_float(*mark)
    return found


def _units(turn: Pass, offer: Offer, symbol: str) -> float:
    holding, slot = holding_of(turn, offer, symbol), turn.slot(offer.name, symbol)
    held = as_float(abs(holding.qty), holding.qty_exp) if holding is not None else 0.0
    entry = turn.books.orders.get(slot.entry)
    is_coming = slot.grows and (entry is None or not entry.place.terminal)
    return max(held, as_float(abs(slot.qty), slot.qty_exp)) if is_coming else held


def unexplained(turn: Pass, symbol: str) -> tuple[int, int]:
    """Return what the account holds of a symbol beside all strategies' books, and its decimals.

    Below 0, somebody sold what a strategy believes that it holds.
    """
    ledger = turn.books.ledger
    account = ledger.holding(symbol, ACCOUNT)
    if account is None:
        return 0, 0
    exp = account.qty_exp
    rest = account.qty
    for tag in turn.tags:
        holding = ledger.holding(symbol, tag)
        if holding is not None:
            exp, rest = _minus(rest, exp, holding)
    return rest, exp


def _minus(rest: int, exp: int, holding: Holding) -> tuple[int, int]:
    most = max(exp, holding.qty_exp)
    return most, rest * 10 ** (most - exp) - holding.qty * 10 ** (most - holding.qty_exp)
