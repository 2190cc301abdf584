"""A whole house at a synthetic market, whose orders are timed from both ends of their way."""

from itertools import pairwise
from pathlib import Path
from typing import Self

from schema.units import MINUTE_NS, MS_NS
from tests.bench.bus_house import LOOK_MS, SETTLE_MS, House, Task, clock
from tests.ports import free_port

SCALE = 60
PATIENCE_MS = 120_000
OTHERS = (
    ("predictor", "services.predictor"),
    ("risk", "services.risk"),
    ("writer_market", "services.writer", "market"),
    ("writer_trading", "services.writer", "trading"),
    ("writer_analytics", "services.writer", "analytics"),
    ("monitor", "services.monitor"),
)
HOPS = ("engine", "risk", "gateway")
"""Who hears on the way from the trade to the order."""


class PathHouse(House):
    """All services of a house, as processes of their own; ingest, engine and gateway are timed."""

    def __init__(
        self,
        symbols: tuple[str, ...] = ("BTC/USDT",),
        *,
        scale: int = SCALE,
        below: float = 0.0,
        synced: bool = True,
    ) -> None:
        super().__init__()
        names = ", ".join(f'"{symbol}"' for symbol in symbols)
        self.environ |= {
            "RRR_CLOCK__SCALE": str(scale),
            "RRR_VENUE__SYMBOL": f"[{names}]",
            "RRR_PORTS__VENUE": str(free_port()),
            "RRR_PORTS__METRICS": str(free_port()),
            "RRR_PREDICTOR__TRAIN": "false",
        }
        self._below, self._rest = below, () if synced else ("unsynced",)
        self.received, self.sent = self.top / "received", self.top / "sent"

    def __enter__(self) -> Self:
        self.start("venue", "services.venue")
        self.await_ready("venue")
        self.start_timed("ingest")
        for name, *words in OTHERS:
            self.start(name, *words)
        self.start_timed("engine")
        self.start_timed("gateway")
        for name in self.tasks:
            self.await_ready(name)
        return self

    def start_timed(self, name: str) -> Task:
        """Start one of the services that is timed."""
        about = {"ingest": str(self.received), "gateway": str(self.sent)}
        detail = about.get(name, str(self._below))
        return self.start(name, "tests.bench.path_service", name, detail, *self._rest)

    def late_us(self) -> list[float]:
        """Return the ways of all orders so far: from the trade that closed a bar to the edge."""
        closes: dict[int, int] = {}
        for about, at_ns in stamps(self.received):
            closes.setdefault(about // (MINUTE_NS // MS_NS), at_ns)
        found = []
        for about, at_ns in stamps(self.sent):
            closed_ns = closes.get(about // MINUTE_NS)
            if closed_ns is not None:
                found.append((at_ns - closed_ns) / 1e3)
        return found


class Relay:
    """The bare way, beside a house."""

    def __init__(self, house: House) -> None:
        paths = [str(house.run / f"bare{n}.pub") for n in range(len(HOPS))]
        kinds: list[tuple[str, ...]] = [("end", paths[-1])]
        kinds += [("relay", *pair) for pair in pairwise(paths)]
        kinds += [("origin", paths[0])]
        tasks = [house.start(f"bare {kind}", "tests.bench.path_relay", *kind) for kind in kinds]
        assert all(task.line() for task in tasks)
        self._end, self._origin = tasks[0], tasks[-1]
        clock.pause_ms(SETTLE_MS)

    def time_us(self) -> float:
        """Send one on its way, and return how long it took."""
        self._origin.tell("")
        return int(self._end.line()) / 1e3


def wait_for_orders(house: PathHouse, count: int, relay: Relay) -> list[float]:
    """Let the house trade until so many orders were timed; meanwhile time the bare way."""
    bare: list[float] = []
    for _ in range(PATIENCE_MS * count // LOOK_MS):
        bare.append(relay.time_us())
        if len(bare) % 10 == 0 and len(house.late_us()) >= count:
            return bare
        clock.pause_ms(10 * LOOK_MS)
    raise AssertionError(f"{len(house.late_us())} of {count} orders left")


def stamps(path: Path) -> list[tuple[int, int]]:
    """Return what a stamped service has written: what it was about, and when."""
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(int(about), int(at)) for about, at in lines]
