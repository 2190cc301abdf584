"""The fault script: which faults are active, what each strikes, and how often it did.

It is asked at three places: before a request reaches the desk, when its answer is made, and before
something is pushed. It lives in memory alone: a restart of the venue clears it.
"""

from collections.abc import Callable, Mapping

import msgspec

from services.venue.faults_kinds import GROUPS, KINDS, Params

LAST_S = 10
"""How long a condition lasts for which nobody says it."""

BAN = "ban_418"
RATE = "rate_429"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is about, as far as a fault may be bound to it."""

    call: str
    signed: bool = False
    symbol: str = ""
    side: str = ""
    client_id: str = ""
    agent: str = ""


class Fault(msgspec.Struct, kw_only=True):
    """One fault that is active."""

    name: str
    left: int = 0  # cases that are still to come; 0: until its time is over
    until_ms: int = 0  # monotonic; 0: until its cases have come
    symbol: str = ""
    side: str = ""
    call: str = ""
    params: dict[str, int | str] = {}

    def ms(self, name: str = "ms") -> int:
        """Return a parameter that is a number."""
        found = self.params[name]
        assert isinstance(found, int)
        return found

    def strikes(self, asked: Asked) -> bool:
        """Say whether a request is of those that it is bound to."""
        fits = self.call in {"", "any", asked.call} or asked.call in GROUPS.get(self.call, ())
        return fits and self.concerns(asked.symbol, asked.side)

    def concerns(self, symbol: str, side: str = "") -> bool:
        """Say whether it is bound to no other symbol and side."""
        return self.symbol in {"", symbol} and self.side in {"", side}


class Faults:
    """The active faults of a venue; `now_ms` is monotonic."""

    def __init__(self, now_ms: Callable[[], int] = lambda: 0) -> None:
        self.now_ms = now_ms
        self.hits: dict[str, int] = {}
        self.banned_ms: dict[str, int] = {}  # until when, by the fault
        self.during_ban = 0
        self._active: dict[str, Fault] = {}

    def set(self, fault: Fault) -> None:
        """Begin a fault, in the place of one of its name."""
        self._active[fault.name] = fault

    def clear(self, name: str = "") -> list[str]:
        """End one fault or all, and return which those were."""
        ended = [one for one in [*self._active, *self.banned_ms] if name in {"", one}]
        for one in ended:
            self._active.pop(one, None)
            self.banned_ms.pop(one, None)
        return sorted(set(ended))

    def active(self) -> list[Fault]:
        """Return the faults that are active now."""
        now_ms = self.now_ms()
        over = [one.name for one in self._active.values() if 0 < one.until_ms <= now_ms]
        for name in over:
            del self._active[name]
        return list(self._active.values())

    def look(self, name: str) -> Fault | None:
        """Return a fault that is active."""
        fault = self._active.get(name)
        if fault is not None and 0 < fault.until_ms <= self.now_ms():
            del self._active[name]
            return None
        return fault

    def strike(self, name: str, asked: Asked, when: str = "") -> Fault | None:
        """Return a fault that strikes a request, and count it."""
        fault = self.look(name)
        if fault is None or not fault.strikes(asked) or fault.params.get("when", when) != when:
            return None
        return self.count(fault)

    def touch(self, name: str, symbol: str, side: str = "") -> Fault | None:
        """Return a fault that concerns what happens in a symbol, and count it."""
        fault = self.look(name)
        if fault is None or not fault.concerns(symbol, side):
            return None
        return self.count(fault)

    def of_symbol(self, name: str) -> Callable[[str], bool]:
        """Return what says whether a fault concerns a symbol, and counts it."""
        return lambda symbol: self.touch(name, symbol) is not None

    def count(self, fault: Fault) -> Fault:
        """Count one case of a fault; after its last one it is over."""
        self.hits[fault.name] = self.hits.get(fault.name, 0) + 1
        if fault.left:
            fault.left -= 1
            if not fault.left:
                self._active.pop(fault.name, None)
        return fault

    def skew_ms(self) -> int:
        """Return how far the exchange's clock is off."""
        fault = self.look("clock_skew")
        if fault is None:
            return 0
        self.hits.setdefault("clock_skew", 1)
        return fault.ms()


def new_fault(
    name: str, scope: Mapping[str, str], params: Params, bounds: tuple[int, int], now_ms: int
) -> Fault:
    """Return a fault with what its kind says where nobody did; bounds are cases and seconds."""
    kind = KINDS[name]
    count, last_s = bounds
    if not count and not last_s:
        count, last_s = (0, LAST_S) if kind.lasts else (1, 0)
    return Fault(
        name=name,
        left=count,
        until_ms=now_ms + last_s * 1_000 if last_s else 0,
        symbol=scope.get("symbol", ""),
        side=scope.get("side", ""),
        call=scope.get("call", "") or kind.call,
        params={**kind.params, **params},
    )
