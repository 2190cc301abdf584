"""Three clocks, and the only file that reads one.

market  what cores call now: origin + (wall - anchor) x scale
wall    record headers, logs, backups, signatures
mono    timeouts, heartbeats, deadlines; never set, never sleeps backwards
"""

import time
from abc import ABC, abstractmethod
from pathlib import Path

import msgspec

from bus.errors import SettingsError

NS_PER_MS = 1_000_000
JUMP_NS = 500 * NS_PER_MS


class MarketTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The three numbers of data/run/clock.json that make wall time into market time."""

    origin_ns: int
    anchor_ns: int
    scale: float
    world: str

    def market_ns(self, wall_ns: int) -> int:
        """Return the market time of a wall time; exact at scale 1."""
        elapsed_ns = wall_ns - self.anchor_ns
        if self.scale.is_integer():
            return self.origin_ns + elapsed_ns * int(self.scale)
        return self.origin_ns + int(elapsed_ns * self.scale)


class Clock(ABC):
    """The contract of a clock; all times are integers of nanoseconds."""

    scale: float = 1.0

    @abstractmethod
    def market_ns(self) -> int: ...

    @abstractmethod
    def wall_ns(self) -> int: ...

    @abstractmethod
    def mono_ns(self) -> int: ...

    @abstractmethod
    def pause_ms(self, ms: int) -> None:
        """Let a stretch of monotonic time pass; for starts and the command line, never a loop."""

    def real_ns(self, market_ns: int) -> int:
        """Return how long a stretch of market time lasts for a person."""
        return int(market_ns / self.scale)


class SystemClock(Clock):
    """The machine's clocks; before `market` is known, market time is wall time."""

    def __init__(self, market: MarketTime | None = None) -> None:
        self.market: MarketTime | None = None
        if market is not None:
            self.start(market)

    def start(self, market: MarketTime) -> None:
        """Begin to tell market time."""
        self.market = market
        self.scale = market.scale

    def market_ns(self) -> int:
        wall = time.time_ns()
        return self.market.market_ns(wall) if self.market else wall

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def pause_ms(self, ms: int) -> None:
        time.sleep(ms / 1000)


class ManualClock(Clock):
    """A clock that stands still until it is told otherwise: simulation, backtest and tests."""

    def __init__(self, now_ns: int = 0, scale: float = 1.0) -> None:
        self.now_ns = now_ns
        self.scale = scale

    def market_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns

    def mono_ns(self) -> int:
        return self.now_ns

    def pause_ms(self, ms: int) -> None:
        self.advance(ms * 1_000_000)

    def advance(self, ns: int) -> None:
        """Let time pass."""
        assert ns >= 0
        self.now_ns += ns


class Skew:
    """Notices when wall and monotonic time part: the machine slept, or the clock was set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = clock.wall_ns() - clock.mono_ns()

    def jump_ms(self) -> int:
        """Return by how much they parted since the last call; 0 for less than half a second."""
        offset_ns = self._clock.wall_ns() - self._clock.mono_ns()
        jump_ns = offset_ns - self._offset_ns
        self._offset_ns = offset_ns
        return jump_ns // NS_PER_MS if abs(jump_ns) > JUMP_NS else 0


def cpu_ns() -> int:
    """Return the processor time that the calling thread has used."""
    return time.thread_time_ns()


def read_market_time(path: Path, world: str, scale: float) -> MarketTime | None:
    """Return what clock.json says, None while there is none; SettingsError when it is another's."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=MarketTime)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise SettingsError(
            f"{path} is damaged: {error}", "Run `rrr down`, which removes it, then `rrr up`"
        ) from error
    if (found.world, found.scale) != (world, scale):
        raise SettingsError(
            f"the market clock runs for world {found.world} at scale {found.scale:g}, "
            f"the settings say world {world} at scale {scale:g} ({path})",
            "Run `rrr down` before changing world or scale, then `rrr up`",
        )
    return found


def write_market_time(path: Path, market: MarketTime) -> None:
    """Write clock.json whole or not at all."""
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.encode(market))
    draft.replace(path)
