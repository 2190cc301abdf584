"""Timers in market time: the core asks by name, the latest request counts."""

from bus.clock import Clock
from schema.house import Timer, Wake


class Timers:
    """What a core asked to be woken for; kept in snapshots as `wakes`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.wakes: dict[str, int] = {}

    def ask(self, wake: Wake) -> None:
        """Take a request, in place of an earlier one of the same name."""
        self.wakes[wake.name] = wake.at_ns

    def due(self) -> list[Timer]:
        """Return the timers whose time has come, earliest first, each once."""
        if not self.wakes:
            return []
        now_ns = self._clock.market_ns()
        due = sorted((at, name) for name, at in self.wakes.items() if at <= now_ns)
        for _, name in due:
            del self.wakes[name]
        return [Timer(name=name, at_ns=at) for at, name in due]

    def next_in_ns(self, most_ns: int) -> int:
        """Return how long until the next timer, for a person, but at most `most_ns`."""
        if not self.wakes:
            return most_ns
        left_ns = min(self.wakes.values()) - self._clock.market_ns()
        return min(most_ns, max(0, self._clock.real_ns(left_ns)))
