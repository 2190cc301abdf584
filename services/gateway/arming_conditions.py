"""What live trading asks for as long as it is armed; where one of these does not hold, no new risk.

The others are asked for once, when it is armed.
"""

from collections.abc import Iterator

from schema.exchange import Requirement
from services.gateway.turn import Turn

PEERS = ("ingest", "risk", "engine")
"""Whose contract has to be this process's own: the way of an order begins with them."""

RESTART = "rrr restart gateway"


def lasting(turn: Turn) -> list[Requirement]:
    """Return the conditions that must hold for as long as it is armed."""
    place = turn.windows.place
    if place is None:
        return [fails("place", "the gateway has not looked at its place yet", "wait for it")]
    return [*place.conditions, *_of_key(turn), _of_contracts(turn, place.contract)]


def holds(name: str, text: str) -> Requirement:
    """Return a condition that holds."""
    return Requirement(name, "ok", text)


def fails(name: str, text: str, todo: str) -> Requirement:
    """Return a condition that does not hold."""
    return Requirement(name, "fails", text, todo)


def judged(name: str, text: str, failure: str, todo: str) -> Requirement:
    """Return a condition that holds unless there is something that speaks against it."""
    return fails(name, failure, todo) if failure else holds(name, text)


def _of_key(turn: Turn) -> Iterator[Requirement]:
    windows = turn.windows
    unseen = "" if windows.reconciled is not None else "the exchange was not asked yet"
    may_not = "" if windows.can_trade else "the exchange says that it may not trade"
    may = "the exchange says that it may withdraw" if windows.can_withdraw else ""
    todo = f"make a key that may trade and not withdraw; rrr keys set; {RESTART}"
    yield judged("key trades", "it may trade", unseen or may_not, "wait" if unseen else todo)
    yield judged("key withdraws", "it may not withdraw", unseen or may, "wait" if unseen else todo)
    if windows.ip_bound:
        yield holds("key address", "it works from the addresses alone that the exchange was told")
    else:
        todo = "bind the key to this machine's address at the exchange"
        yield Requirement("key address", "advice", "it works from any address", todo)


def _of_contracts(turn: Turn, own: str) -> Requirement:
    known = turn.windows.contracts
    other = [name for name in PEERS if known.get(name, own) != own]
    failure = f"{' '.join(other)}: another schema, bus or mode than gateway's" if other else ""
    todo = f"rrr restart {' '.join(other)}"
    return judged("contracts", "the same in all that an order passes", failure, todo)
