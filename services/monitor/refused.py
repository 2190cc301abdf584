"""Which feeds bring rows that cannot be true, and keep doing so: by the counters of ingest."""

from collections.abc import Iterable

from schema.house import Heartbeat

REFUSED = "quarantined."


class Refused:
    """When each symbol's count of refused rows last grew."""

    def __init__(self, lately_ns: int) -> None:
        self._lately_ns = lately_ns
        self._seen: dict[str, tuple[int, int]] = {}  # the count, and when it grew

    def grew(self, heartbeats: Iterable[Heartbeat], now_ns: int) -> dict[str, int]:
        """Return the symbols whose count grew lately, and what it is."""
        for heartbeat in heartbeats:
            for name, count in heartbeat.counters:
                if name.startswith(REFUSED):
                    self._take(name.removeprefix(REFUSED), count, now_ns)
        return {
            symbol: count
            for symbol, (count, at_ns) in self._seen.items()
            if now_ns - at_ns < self._lately_ns
        }

    def _take(self, symbol: str, count: int, now_ns: int) -> None:
        before, _ = self._seen.get(symbol, (0, 0))
        if count != before:  # One that fell began anew.
            self._seen[symbol] = (count, now_ns)
