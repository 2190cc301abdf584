"""Which symbols nothing may enter for now: a fold of what a person and the protections have said.

Engine and risk fold it apart, from two streams that reach them in another order each. So a person's
words count in their own order, and what a protection said before a person cleared its symbol stays
cleared, whichever of the two is heard first. A lock never holds an exit or a stop.
"""

from typing import Literal

import msgspec

from schema.trading import PairLocked, Protection

ANY = "*"
"""Every symbol, or both sides of one."""

FOREVER_NS = 9_000_000_000_000_000_000
"""A lock until then is one until a person clears it: the year 2255."""

LockSide = Literal["*", "long", "short"]
SIDES: tuple[LockSide, ...] = ("*", "long", "short")


class Lock(msgspec.Struct, frozen=True, array_like=True):
    """No entries in a symbol until a time."""

    symbol: str
    side: str
    since_ns: int
    until_ns: int
    by: str
    why: str
    name: str = ""  # of the protection; empty: by hand

    def holds(self, side: str, now_ns: int) -> bool:
        """Return whether it stops an entry on a side at a time."""
        return now_ns < self.until_ns and (self.side == ANY or side in {ANY, self.side})


class Locks(msgspec.Struct):
    """All locks by symbol, then by side and protection; and when a person cleared which."""

    held: dict[str, dict[str, Lock]] = {}
    cleared: dict[str, dict[str, int]] = {}  # by symbol, then by side

    def against(self, symbol: str, side: str, now_ns: int) -> Lock | None:
        """Return a lock that stops an entry; side "*": on either side."""
        for scope in (symbol, ANY):
            for lock in self.held.get(scope, {}).values():
                if lock.holds(side, now_ns):
                    return lock
        return None

    def now(self, now_ns: int) -> list[Lock]:
        """Return all locks that hold at a time, by symbol."""
        found = [
            lock
            for _, locks in sorted(self.held.items())
            for _, lock in sorted(locks.items())
            if now_ns < lock.until_ns
        ]
        return sorted(found, key=lambda lock: (lock.symbol, -lock.until_ns))

    def by_hand(self, symbol: str, side: str, now_ns: int) -> Lock | None:
        """Return a person's lock of a symbol and a side."""
        lock = self.held.get(symbol, {}).get(_key(side, ""))
        return lock if lock is not None and now_ns < lock.until_ns else None

    def protected_until(self, symbol: str, side: str, name: str) -> int:
        """Return until when a protection has locked a symbol; 0: it has not."""
        lock = self.held.get(symbol, {}).get(_key(side, name))
        return lock.until_ns if lock is not None else 0

    def protected_ns(self, symbol: str, side: str, name: str) -> int:
        """Return when a protection has locked a symbol last; 0: it has not, or was cleared."""
        lock = self.held.get(symbol, {}).get(_key(side, name))
        return lock.since_ns if lock is not None else 0

    def cleared_ns(self, symbol: str, side: str) -> int:
        """Return when a person last cleared a symbol: what was before counts no more."""
        cleared = self.cleared.get(symbol, {})
        return max(cleared.get(ANY, 0), cleared.get(side, 0))


def side_of(order_side: str) -> LockSide:
    """Return the side of a position that an entry opens."""
    return "long" if order_side == "buy" else "short"


def fold_lock(locks: Locks, message: PairLocked | Protection) -> None:
    """Book a lock, or that a person has cleared one."""
    if isinstance(message, Protection):
        _protect(locks, message)
    elif message.until_ns > message.ts_event:
        by = message.by or "engine"
        _hold(locks, _lock(message, by, message.reason))
    else:
        _clear(locks, message)


def _protect(locks: Locks, message: Protection) -> None:
    lock = _lock(message, "risk", f"{message.name}: {message.reason}", message.name)
    since_ns = message.since_ns or message.ts_event
    if since_ns > locks.cleared_ns(message.symbol, message.side):
        _hold(locks, msgspec.structs.replace(lock, since_ns=since_ns))


def _lock(message: PairLocked | Protection, by: str, why: str, name: str = "") -> Lock:
    return Lock(message.symbol, message.side, message.ts_event, message.until_ns, by, why, name)


def _hold(locks: Locks, lock: Lock) -> None:
    locks.held.setdefault(lock.symbol, {})[_key(lock.side, lock.name)] = lock


def _clear(locks: Locks, message: PairLocked) -> None:
    symbol, side, at_ns = message.symbol, message.side, message.ts_event
    cleared = locks.cleared.setdefault(symbol, {})
    cleared[side] = max(cleared.get(side, 0), at_ns)
    held = locks.held.get(symbol, {})
    over = [
        key
        for key, lock in held.items()
        if side in {ANY, lock.side} and (not lock.name or lock.since_ns <= at_ns)
    ]
    for key in over:
        del held[key]
    if not held:
        locks.held.pop(symbol, None)


def _key(side: str, name: str) -> str:
    return f"{side} {name}"
