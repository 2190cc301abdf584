"""The matrix: who dies, at which step of an order, under which fault of the venue."""

import random
from collections.abc import Callable, Iterable, Mapping
from itertools import cycle, product
from typing import NamedTuple

from schema.head import Message
from schema.orders import (
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderPendingCancel,
    OrderSubmitted,
)
from schema.trading import OrderIntent, Verdict
from services.venue.faults_kinds import KINDS, MARKET
from tests.chaos.orders_house import TRADERS

NO_FAULT = "none"
FAULTS = (NO_FAULT, *(name for name in KINDS if name not in MARKET))
SENT = "sent"

Known = dict[str, int]
"""What is left of each order, in its own lots."""


def _filled(message: Message, known: Known) -> bool:
    return isinstance(message, Fill) and known.get(message.client_order_id, 1) <= 0


def _partly(message: Message, known: Known) -> bool:
    return isinstance(message, Fill) and known.get(message.client_order_id, 0) > 0


STEPS: Mapping[str, Callable[[Message, Known], bool]] = {
    "intent": lambda message, _: isinstance(message, OrderIntent),
    "verdict": lambda message, _: isinstance(message, Verdict) and message.approved,
    "submitted": lambda message, _: isinstance(message, OrderSubmitted),
    SENT: lambda _message, _known: False,  # The venue's own list of requests tells.
    "accepted": lambda message, _: isinstance(message, OrderAccepted),
    "partly": _partly,
    "cancelling": lambda message, _: isinstance(message, OrderPendingCancel),
    "canceled": lambda message, _: isinstance(message, OrderCanceled),
    "filled": _filled,
}
"""Each step, and how it is known by what is said."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "ban_418": ("wait_s=2",),
    "rate_429": ("wait_s=2",),
    "late_fill": ("ms=1000", "count=2"),
    "late_push": ("ms=1000", "for_s=4"),
    "lagging_reads": ("ms=1000", "for_s=4"),
    "vanish": ("ms=1500", "count=2"),
    "clock_skew": ("ms=1500", "for_s=4"),
    "dead_stream": ("for_s=2",),
    "mute_stream": ("for_s=4",),
    "maintenance": ("for_s=3",),
    "stale_quotes": ("for_s=4",),
    "slow": ("ms=300", "for_s=4"),
    "html_body": ("status=502",),
    "cancel_ack_without_final_fill": ("ms=1000",),
}
"""What is said of a fault beside its name."""


class Cell(NamedTuple):
    """One death."""

    service: str
    step: str
    fault: str

    def __str__(self) -> str:
        return "/".join(self)


def matrix(
    services: Iterable[str] = TRADERS,
    steps: Iterable[str] = STEPS,
    faults: Iterable[str] = FAULTS,
) -> list[Cell]:
    """Return every cell."""
    return [Cell(*parts) for parts in product(services, steps, faults)]


def sample(seed: int, count: int) -> list[Cell]:
    """Return some cells in which every service, step and fault comes as evenly as it can."""
    chance = random.Random(seed)
    lists = [list(TRADERS), list(STEPS), list(FAULTS)]
    for one in lists:
        chance.shuffle(one)
    rounds = zip(*map(cycle, lists), strict=True)
    return [Cell(*parts) for parts, _ in zip(rounds, range(count), strict=False)]


class Steps:
    """Follows what is said, and knows which steps it makes."""

    def __init__(self) -> None:
        self._left: Known = {}

    def take(self, message: Message) -> list[str]:
        """Take a message in, and return the steps that it is."""
        if isinstance(message, OrderIntent):
            self._left[message.client_order_id] = message.qty
        if isinstance(message, Fill) and message.client_order_id in self._left:
            self._left[message.client_order_id] -= message.qty
        return [name for name, is_step in STEPS.items() if is_step(message, self._left)]
