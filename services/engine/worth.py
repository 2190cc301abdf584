"""What a strategy has, and what its budget has become."""

from schema.identity import strategy_tag
from schema.ledger import ACCOUNT, Holding, Ledger
from schema.market import Instrument
from schema.strategy import Offer
from schema.units import ceil_scale, floor_scale
from services.engine.hearing import mark_of
from services.engine.line import Pass
from services.engine.sizing import as_float, lots_held
from services.engine.state import Slot


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
    known = turn.books.orders
    ends = [one in known and known[one].place.terminal for one in slot.entries or (slot.entry,)]
    is_coming = slot.grows and not all(ends)
    return max(held, as_float(abs(slot.qty), slot.qty_exp)) if is_coming else held


def held_of(turn: Pass, slot: Slot, instrument: Instrument, least: int) -> int:
    """Return what a slot can close: not what others have sold of it, nor more than the account has.

    Where others are on the other side, with what is too little to trade, say, the account holds
    less, and an order for all of it would open a position. `least` is the smallest order.
    """
    own = lots_held(turn.books.ledger.holding(slot.symbol, strategy_tag(slot.strategy)), instrument)
    if abs(own) < least:
        return 0
    whole = turn.books.ledger.holding(slot.symbol, ACCOUNT)
    if whole is None:
        return own
    sign, (rest, exp) = (1 if own > 0 else -1), unexplained(turn, slot.symbol)
    missing = ceil_scale(max(0, -rest * sign), exp, instrument.qty_exp)
    most = floor_scale(max(0, whole.qty * sign), whole.qty_exp, instrument.qty_exp)
    left = min(own * sign - missing, most)
    return left * sign if left >= least else 0


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
