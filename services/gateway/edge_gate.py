"""The line before the call: what may still stop an order when everybody else has said yes.

It asks the world itself: the clock, the kill file, and whether this process still holds its place.
"""

import os
from pathlib import Path

from bus.clock import NS_PER_MS, Clock
from schema.exchange import KillFileSeen, SendOrder, SetLevel
from schema.joined import SendPair, SendReplace

Sending = SendOrder | SendPair | SendReplace

ACTIVE = "ACTIVE"
UNTOLD = "untold"
"""Before the core has told a level nothing leaves that adds risk."""

TEXT_MAX = 1_000


class KillFile:
    """The file whose presence alone stops new risk; what it says is why."""

    def __init__(self, run: Path) -> None:
        self.path = run / "KILL"
        self._seen: tuple[int, int] | None = None
        self._looked = False

    def lies_there(self) -> bool:
        """Return whether the file is there; what cannot be looked at counts as there."""
        return self._mark() is not None

    def news(self) -> KillFileSeen | None:
        """Say how it is at first, then each time that the file appears, is written, or goes."""
        mark = self._mark()
        known = self._looked and mark == self._seen
        self._seen, self._looked = mark, True
        if known:
            return None
        return KillFileSeen(text="" if mark is None else self._text(), there=mark is not None)

    def _mark(self) -> tuple[int, int] | None:
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                return file.read(TEXT_MAX).decode(errors="replace").strip()
        except OSError as error:
            return f"it cannot be read: {error.strerror}"


class Gate:
    """Judges each order at the last moment at which not a byte has left."""

    def __init__(self, run: Path, clock: Clock) -> None:
        self.kill = KillFile(run)
        self._lease = run / "gateway.lease"
        self._clock = clock
        self._level = UNTOLD
        self._halted: frozenset[str] = frozenset()
        self._risk_until_ms = 0
        self._risk_until_mono_ns = 0

    def set(self, effect: SetLevel) -> None:
        """Obey another level from now on."""
        self._level, self._halted = effect.level, frozenset(effect.halted)
        self._risk_until_ms = effect.risk_until_wall_ms
        left_ns = effect.risk_until_wall_ms * NS_PER_MS - self._clock.wall_ns()
        self._risk_until_mono_ns = self._clock.mono_ns() + left_ns

    def deadline_mono_ns(self, effect: Sending) -> int:
        """Return the monotonic time of an order's deadline: a clock set back gains it nothing."""
        left_ns = effect.deadline_wall_ms * NS_PER_MS - self._clock.wall_ns()
        return self._clock.mono_ns() + left_ns

    def why_not(self, effect: Sending, deadline_mono_ns: int) -> str | None:
        """Return why an order must not leave, or None."""
        late = self._clock.wall_ns() > effect.deadline_wall_ms * NS_PER_MS
        if late or self._clock.mono_ns() > deadline_mono_ns:
            return "its deadline has passed"
        if not self._in_place():
            return f"this process does not hold {self._lease}"
        intents = (effect.stop, effect.target) if isinstance(effect, SendPair) else (effect.intent,)
        if all(intent.reduce_only for intent in intents):
            return None
        return self._why_no_risk(intents[0].symbol)

    def _why_no_risk(self, symbol: str) -> str | None:
        if self._level != ACTIVE:
            return f"the level is {self._level}"
        if symbol in self._halted:
            return f"{symbol} is halted"
        if self._is_unarmed():
            return "live trading is not armed"
        if self.kill.lies_there():
            return f"the kill file {self.kill.path} is there"
        return None

    def _is_unarmed(self) -> bool:
        # A wall clock set back gains no time, nor does a monotonic one that slept.
        if not self._risk_until_ms:
            return False
        over = self._clock.wall_ns() >= self._risk_until_ms * NS_PER_MS
        return over or self._clock.mono_ns() >= self._risk_until_mono_ns

    def _in_place(self) -> bool:
        try:
            return self._lease.read_text().strip() == str(os.getpid())
        except (OSError, ValueError):
            return False
