"""What an answer proves, judged by status and code and never by ccxt's class.

Only what proves that an order was not taken is a refusal: ccxt calls a definitive -1021 a network
error, and a duplicate, which proves that the order is there, an invalid order. Whatever is not
listed here leaves the fate of what was asked open.
"""

import msgspec

TOO_MANY = -1003
STALE = -1021
UNKNOWN_ORDER = -2013
BANS = frozenset({418, 429})
BAD = 400
REFUSING = frozenset({BAD, 401, 403}) | BANS
NOT_TAKEN = frozenset({TOO_MANY, -1013, -1015, STALE, -1022, -2010, -2011, -2014, -2015})
BAD_PARAMETERS = range(-1199, -1099)
"""Requests that were read and not understood [doc: 11xx]; those about pairs end at -1199."""

UNSURE = frozenset({-1000, -1001, -1006, -1007, -1008})
TWICE = "Duplicate order sent."
"""It proves the opposite of a refusal: an order of this id is there."""


class Refusal(msgspec.Struct, frozen=True):
    """A request that the exchange says no to."""

    code: int
    msg: str


def refusal_in(status: int, body: str) -> Refusal | None:
    """Return the exchange's no, None when the answer is none or cannot be read."""
    try:
        return msgspec.json.decode(body, type=Refusal)
    except msgspec.MsgspecError:
        return Refusal(TOO_MANY, f"HTTP {status}") if status in BANS else None


def proves_not_taken(status: int, refusal: Refusal) -> bool:
    """Return whether an answer proves that the exchange did not do what it was asked."""
    if status in BANS:
        return True
    if status not in REFUSING or refusal.code in UNSURE or refusal.msg == TWICE:
        return False
    denied = status in {401, 403}
    return denied or refusal.code in NOT_TAKEN or refusal.code in BAD_PARAMETERS


def is_ban(status: int, refusal: Refusal | None) -> bool:
    """Return whether the exchange wants to hear nothing for a while."""
    return status in BANS or (refusal is not None and refusal.code == TOO_MANY)


def is_unknown(status: int, refusal: Refusal | None) -> bool:
    """Return whether the exchange says that it knows no such order."""
    return status == BAD and refusal is not None and refusal.code == UNKNOWN_ORDER
