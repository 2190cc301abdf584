"""Balances: the opening ones become deposits, later differences are said; a person explains them.

A difference counts only when it was seen at two comparisons in a row with nothing under way, for
an execution that is on its way to us is no difference. What a ring fence leaves outside is booked
there instead.
"""

from schema.exchange import AccountSeen
from services.gateway.adopt import halt_for, say_balance
from services.gateway.amounts import minus, parse, plus, same
from services.gateway.fence import divide_anew, open_books, take_difference
from services.gateway.state import Amount, Cycle
from services.gateway.steps import awaited
from services.gateway.turn import Turn


def take_account(turn: Turn, seen: AccountSeen) -> None:
    """Take in balances, and what the key may do."""
    windows = turn.windows
    if turn.answered(seen.effect_id) is None:
        return
    windows.balances, windows.balances_ns = seen.balances, turn.now_ns
    windows.can_trade, windows.can_withdraw = seen.can_trade, seen.can_withdraw
    windows.ip_bound = seen.ip_bound
    if windows.cycle is not None:
        windows.cycle.account_ns = turn.now_ns
    if not turn.books.opened_ns:
        open_books(turn)


def compare(turn: Turn, cycle: Cycle) -> int:
    """Say differences that are new and certain; return how many assets differ."""
    windows, books = turn.windows, turn.books
    if not _is_quiet(turn, cycle):
        return _differing(turn)
    divide_anew(turn)
    found = {asset: (parse(free), parse(locked)) for asset, free, locked in windows.balances}
    sights: dict[str, Amount] = {}
    for asset in sorted({*found, *books.assets}):
        free, locked = found.get(asset, (Amount(), Amount()))
        difference = minus(plus(free, locked), books.assets.get(asset, Amount()))
        before, said = windows.sights.get(asset), books.differences.get(asset, Amount())
        if before is not None and same(before, difference) and not same(said, difference):
            if take_difference(turn, asset, difference):
                difference = Amount()
            if not same(said, difference):
                say_balance(turn, asset, free, locked, difference)
            halt_for(turn, asset, difference)
        sights[asset] = difference
    windows.sights = sights
    return _differing(turn)


def _is_quiet(turn: Turn, cycle: Cycle) -> bool:
    windows = turn.windows
    waits = any(awaited(order) for order in turn.books.open.values())
    return cycle.moves == windows.moves and not (waits or windows.held or windows.unclaimed)


def _differing(turn: Turn) -> int:
    return sum(1 for difference in turn.books.differences.values() if difference.n)
