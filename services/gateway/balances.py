"""Balances: the opening ones become deposits, later differences are said; a person explains them.

A difference counts only when it was seen at two comparisons in a row with nothing under way, for
an execution that is on its way to us is no difference.
"""

from schema.exchange import AccountSeen
from schema.orders import Deposit
from services.gateway.adopt import halt_for, say_balance
from services.gateway.amounts import minus, parse, same
from services.gateway.state import Amount, Cycle
from services.gateway.steps import awaited
from services.gateway.turn import Turn

OPENING = "opening"


def take_account(turn: Turn, seen: AccountSeen) -> None:
    """Take in balances, and what the key may do."""
    windows = turn.windows
    if turn.answered(seen.effect_id) is None:
        return
    windows.balances = seen.balances
    windows.can_trade, windows.can_withdraw = seen.can_trade, seen.can_withdraw
    if windows.cycle is not None:
        windows.cycle.account_ns = turn.now_ns
    if not turn.books.opened_ns:
        _open(turn)


def _open(turn: Turn) -> None:
    for asset, free, locked in turn.windows.balances:
        total = parse(free, locked)
        if total.n:
            turn.say(
                Deposit(
                    ts_event=turn.now_ns,
                    asset=asset,
                    amount=total.n,
                    exp=total.exp,
                    venue_id=OPENING,
                    reason="what the account held when the house first saw it",
                )
            )


def compare(turn: Turn, cycle: Cycle) -> int:
    """Say differences that are new and certain; return how many assets differ."""
    windows, books = turn.windows, turn.books
    if not _is_quiet(turn, cycle):
        return _differing(turn)
    found = {asset: (parse(free), parse(locked)) for asset, free, locked in windows.balances}
    sights: dict[str, Amount] = {}
    for asset in sorted({*found, *books.assets}):
        free, locked = found.get(asset, (Amount(), Amount()))
        difference = minus(minus(free, minus(Amount(), locked)), books.assets.get(asset, Amount()))
        before, said = windows.sights.get(asset), books.differences.get(asset, Amount())
        if before is not None and same(before, difference) and not same(said, difference):
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
