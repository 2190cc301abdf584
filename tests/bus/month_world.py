"""A world with history behind it, and what is true of its bars; and a clock that is in a hurry."""

from pathlib import Path

from bus.clock import ManualClock
from schema.units import SECOND_NS
from tests.bus.month_rig import FINER, Place, Row, Tick, at, bars

BTC, ETH = "BTC/USDT", "ETH/USDT"


class World:
    """A world with history behind it, and the truth of its bars: exponents and numbers by key."""

    def __init__(self, top: Path) -> None:
        self.own, self.history = Place(top / "own"), Place(top / "history")
        self.truth: dict[tuple[str, str, int], tuple[int, Row]] = {}
        self._keep(self.history.archive, bars(BTC, "1m", "2025-12-31T20:00:00", 240))
        overlap = bars(BTC, "1m", "2026-01-01T00:00:00", 700, close=1_000_000)
        self._keep(self.history.live, overlap + bars(ETH, "1m", "2026-01-05T00:00:00", 30))
        january = bars(BTC, "1m", "2026-01-01T08:00:00", 1300, hole=97)
        self._keep(self.own.archive, january + bars(BTC, "1h", "2026-01-01T00:00:00", 48))
        self._keep(self.own.archive, bars(BTC, "1m", "2026-02-01T00:00:00", 600, close=7_000_000))
        late = bars(BTC, "1m", "2026-02-01T09:00:00", 90, close=8_000_000)
        self._keep(self.own.live, late)
        march = bars(BTC, "1m", "2026-03-01T00:00:00", 400, close=640_000_000)
        self._keep(self.own.live, march + bars(ETH, "1m", "2026-03-01T00:00:00", 10), FINER)

    def _keep(self, keep: object, rows: list[Row], exps: tuple[int, int, int] = (2, 8, 8)) -> None:
        assert callable(keep)
        keep(rows, exps=exps)
        self.truth |= {row[:3]: (exps[0], row) for row in rows}

    def rows(self, symbol: str, timeframe: str) -> list[tuple[int, Row]]:
        return sorted(
            (found for key, found in self.truth.items() if key[:2] == (symbol, timeframe)),
            key=lambda found: found[1].open_ns,
        )


class HastyClock(ManualClock):
    """A clock on which every look costs a second."""

    def mono_ns(self) -> int:
        self.advance(SECOND_NS)
        return super().mono_ns()


def ticks_of(count: int, first: str, first_id: int) -> list[Tick]:
    # Ids rise, and two neighbours may have their times the wrong way round.
    return [
        Tick(
            BTC, first_id + n, at(first) + (n ^ n % 2) * 7 * SECOND_NS, 6_400_000 + n, n + 1, n % 2
        )
        for n in range(count)
    ]
