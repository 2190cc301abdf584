"""What the rules of one input share: the engine's terms, the moment, and what is said so far."""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType

import msgspec

from bus.service import Said
from schema.house import Wake
from schema.identity import strategy_tag
from schema.trading import Decision, OrderIntent
from services.engine.slots import after
from services.engine.state import Books, Slot, State, Told, Windows, slot_key

_NUMBERS = re.compile("[0-9.]+")
REPEATS = 15
"""A reason for not trading that stays the same is said at every such occasion alone."""


class Terms(msgspec.Struct, frozen=True):
    """What the settings say, converted once; times are market time."""

    world: str
    symbols: tuple[str, ...]
    ttl_ns: int
    stale_ns: int
    snapshot_ns: int
    resize_pct: int
    reserve_bps: int  # of the money for an entry: the price may rise a little, and there is a fee
    fee_bps: int  # that a shadow is charged
    trail_step_bps: int = 0  # a trailing stop moves by no less than this share of the price …
    trail_pause_ns: int = 0  # … and waits so long between two moves

    @property
    def quote(self) -> str:
        return self.symbols[0].partition("/")[2]


class Pass:
    """One input's way through the rules; nothing in the books has changed by it yet."""

    failed: frozenset[str] = frozenset()  # strategies
    moved: frozenset[str] = frozenset()  # slots that an order was said for: what follows waits
    ordered: frozenset[str] = frozenset()  # client order ids
    _drafts: Mapping[str, Slot] = MappingProxyType({})  # slots as they will be

    def __init__(self, state: State, terms: Terms, now_ns: int, trace: int = 0) -> None:
        self.books: Books = state.books
        self.windows: Windows = state.windows
        self.terms = terms
        self.now_ns = now_ns
        self.trace = trace  # of the message heard
        self.said: list[Said] = []

    def slot(self, strategy: str, symbol: str, key: str = "") -> Slot:
        """Return a slot as it is with all that was decided in this pass; `key`: where known."""
        key = key or slot_key(strategy, symbol)
        return self._drafts.get(key) or self.books.slots.get(key) or Slot(strategy, symbol)

    @property
    def names(self) -> list[str]:
        """All strategies that run, or that have left something here."""
        left = [slot.strategy for slot in self.books.slots.values()]
        return list(dict.fromkeys([*self.books.loaded, *left]))

    @property
    def tags(self) -> list[str]:
        """The tags of all strategies that run, or that have left something here."""
        return [strategy_tag(name) for name in self.names]

    def shadows(self, strategy: str) -> bool:
        """Return whether a strategy decides and orders nothing."""
        offer = self.books.loaded.get(strategy)
        return offer is not None and offer.role == "shadow"

    def decide(self, decision: Decision) -> None:
        """Say a decision that trades."""
        key = slot_key(decision.strategy, decision.symbol)
        draft = after(self.slot(decision.strategy, decision.symbol, key), decision)
        self._drafts = {**self._drafts, key: draft}
        self.windows.told.pop(key, None)
        self.said.append(decision)

    def order(self, intent: OrderIntent) -> None:
        """Say an order; nothing else is done in its slot until it was heard of."""
        self.moved |= {slot_key(intent.strategy, intent.symbol)}
        self.ordered |= {intent.client_order_id}
        self.said.append(intent)

    def is_news(self, key: str, action: str, reason: str) -> bool:
        """Return whether a reason for not trading was not said of a slot a short while ago."""
        sort = _sort_of(action, reason)
        told = self.windows.told.get(key)
        again = told is None or told.sort != sort or told.times + 1 >= REPEATS
        times = 0 if again or told is None else told.times + 1
        self.windows.told[key] = Told(sort, times)
        return again

    def wake(self, name: str, at_ns: int) -> None:
        """Ask to be woken, unless that is asked for already."""
        if self.windows.wakes.get(name) != at_ns:
            self.windows.wakes[name] = at_ns
            self.said.append(Wake(name=name, at_ns=at_ns))


@lru_cache(1024)  # Most reasons are the one of the bar before.
def _sort_of(action: str, reason: str) -> str:
    return f"{action} {_NUMBERS.sub('#', reason)}"


def trace_of(strategy: str, moment: str) -> int:
    """Return the trace of a decision that no message led to: 63 bits of its name."""
    digest = blake2b(f"{strategy}\0{moment}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
