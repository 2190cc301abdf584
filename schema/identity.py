"""Who an order belongs to: its client order id, a pure function of the decision behind it.

32 lower-case hex: 4 of the house, 4 of the strategy, 24 of the decision. The same decision gives
the same id, so what is said twice is one order; a position never enters it.
"""

from functools import lru_cache
from hashlib import blake2b

TAG_CHARS = 4
ID_CHARS = 32
UNATTRIBUTED = "unattributed"
"""The book of fills whose order no strategy of this house made."""

MANUAL = "manual"
"""The book of what a person orders by hand; no strategy has this name."""


@lru_cache(64)
def house_tag(account: str) -> str:
    """Return the tag of a house's orders; `account` is its world."""
    return _digest(TAG_CHARS, "house", account)


@lru_cache(1024)
def strategy_tag(strategy: str) -> str:
    """Return the tag of a strategy's orders."""
    return _digest(TAG_CHARS, "strategy", strategy)


def client_order_id(account: str, strategy: str, symbol: str, moment: str, leg: int) -> str:
    """Return the id of one order of a decision.

    `moment` names the decision: a bar's open, a timer's time, or a request id; `leg` counts the
    orders that it led to.
    """
    decision = _digest(
        ID_CHARS - 2 * TAG_CHARS, "order", account, strategy, symbol, moment, str(leg)
    )
    return house_tag(account) + strategy_tag(strategy) + decision


def is_of_house(order_id: str, account: str) -> bool:
    """Return whether an id was made by this house."""
    return len(order_id) == ID_CHARS and order_id.startswith(house_tag(account))


def tag_of(order_id: str) -> str:
    """Return the strategy's tag in an id."""
    return order_id[TAG_CHARS : 2 * TAG_CHARS]


def _digest(chars: int, *parts: str) -> str:
    text = "\0".join(parts).encode()
    return blake2b(text, digest_size=chars // 2).hexdigest()
