"""What the rules of one input share: the engine's terms, the moment, and what is said so far."""

import re
from hashlib import blake2b

import msgspec

from bus.service import Said
from schema.house import Wake
from schema.trading import Decision
from services.engine.books import after, slot_of
from services.engine.state import Books, Slot, State, Told, Windows, slot_key

REPEATS = 15
"""A reason for not trading that stays the same is said at every such occasion alone."""


class Terms(msgspec.Struct, frozen=True):
    """What the settings say, converted once; times are market time."""

    world: str
    names: tuple[str, ...]  # of the strategies
    symbols: tuple[str, ...]
    ttl_ns: int
    stale_ns: int
    snapshot_ns: int
    step_ns: int  # of the bars that strategies trade on

    @property
    def quote(self) -> str:
        return self.symbols[0].partition("/")[2]


class Pass:
    """One input's way through the rules; nothing in the books has changed by it yet."""

    def __init__(self, state: State, terms: Terms, now_ns: int, trace: int = 0) -> None:
        self.books: Books = state.books
        self.windows: Windows = state.windows
        self.terms = terms
        self.now_ns = now_ns
        self.trace = trace  # of the message heard
        self.said: list[Said] = []
        self.failed: set[str] = set()
        self._drafts: dict[str, Slot] = {}

    def slot(self, strategy: str, symbol: str) -> Slot:
        """Return a slot as it is with all that was decided in this pass."""
        key = slot_key(strategy, symbol)
        return self._drafts.get(key) or slot_of(self.books, strategy, symbol)

    def decide(self, decision: Decision) -> None:
        """Say a decision that trades."""
        key = slot_key(decision.strategy, decision.symbol)
        self._drafts[key] = after(self.slot(decision.strategy, decision.symbol), decision)
        self.windows.told.pop(key, None)
        self.said.append(decision)

    def tell(self, decision: Decision, *, always: bool = False) -> None:
        """Say why there is no trade, unless the same was said a short while ago."""
        key = slot_key(decision.strategy, decision.symbol)
        sort = f"{decision.action} {re.sub('[0-9.]+', '#', decision.reason)}"
        told = self.windows.told.get(key, Told())
        again = told.sort != sort or told.times + 1 >= REPEATS
        if again or always:
            self.said.append(decision)
        self.windows.told[key] = Told(sort, 0 if again else told.times + 1)

    def wake(self, name: str, at_ns: int) -> None:
        """Ask to be woken, unless that is asked for already."""
        if self.windows.wakes.get(name) != at_ns:
            self.windows.wakes[name] = at_ns
            self.said.append(Wake(name=name, at_ns=at_ns))


def trace_of(strategy: str, moment: str) -> int:
    """Return the trace of a decision that no message led to: 63 bits of its name."""
    digest = blake2b(f"{strategy}\0{moment}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
