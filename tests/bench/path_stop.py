"""How fast everything that may stop an order stops it, at the last byte on its way out."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from services.rrr.kill import leave_file
from tests.bench.bus_house import LOOK_MS, House, clock
from tests.bench.figure import Figure
from tests.bench.path_house import stamps
from tests.ports import free_port

KILLS = 100
SILENCES = 20
AFTER_MS = 700  # of watching that nothing comes any more
KILL_FLOOR_MS, SILENCE_FLOOR_MS = 250.0, 500.0


class Desk(House):
    """A real gateway at the local exchange, between traders who never stop."""

    def __init__(self) -> None:
        super().__init__()
        self.port, proxy = free_port(), free_port()
        self.left, self.handed = self.top / "left", self.top / "handed"
        self.environ |= {
            "RRR_CLOCK__SCALE": "1",
            "RRR_VENUE__SYMBOL": '["BTC/USDT"]',
            "RRR_VENUE__BALANCES": '["USDT 10000000"]',
            "RRR_PORTS__VENUE": str(self.port),
            "RRR_GATEWAY__ORDER_RATE": "1000000",
            "RRR_GATEWAY__MAX_OPEN_ORDERS": "1000000",
        }
        self._proxy = proxy

    def __enter__(self) -> Self:
        self.start("venue", "services.venue")
        self.await_ready("venue")
        ports = (str(self._proxy), str(self.port), str(self.left))
        assert self.start("proxy", "tests.bench.path_trader", "proxy", *ports).line()
        self.start("ingest", "services.ingest")
        self.await_ready("ingest")
        self.environ["RRR_PORTS__VENUE"] = str(self._proxy)
        self.start("gateway", "tests.bench.path_service", "gateway", str(self.handed))
        self.trade()
        self.await_flow()
        return self

    def trade(self) -> None:
        """Start the traders that do not run."""
        for name in ("engine", "risk"):
            if name not in self.tasks:
                self.start(name, "tests.bench.path_trader", name)

    def await_flow(self) -> None:
        """Wait until orders leave."""
        since_ns = clock.mono_ns()
        while self.last_ns() < since_ns:
            assert clock.mono_ns() - since_ns < 60e9, "no order leaves"
            clock.pause_ms(LOOK_MS)

    def last_ns(self) -> int:
        """Return when the last new order left; 0 for never."""
        return max((at_ns for _, at_ns in stamps(self.left)), default=0)

    def after_ms(self, begun_ns: int) -> float:
        """Watch for a while, and return how long after a moment the last new order left."""
        clock.pause_ms(AFTER_MS)
        return max(0.0, (self.last_ns() - begun_ns) / 1e6)


def measure() -> Iterator[Figure]:
    """Stop the orders in every way, a hundred times; then time the way of ccxt itself."""
    with Desk() as desk:
        yield _kills(desk)
        yield _silences(desk)
        yield _ccxt(desk)


def _kills(desk: Desk) -> Figure:
    late = sorted(_kill(desk, n) for n in range(KILLS))
    return Figure("path.kill", late[int(0.99 * (KILLS - 1))], KILL_FLOOR_MS, "ms, beside the floor")


def _kill(desk: Desk, number: int) -> float:
    if number % 2:
        desk.stop("risk")
    begun_ns, file = clock.mono_ns(), None
    if number % 4 < 2:
        desk.ask("gateway", "kill", "HALTED", "measured")
    else:
        file = leave_file(desk.run, "HALTED", "measured")
    late_ms = desk.after_ms(begun_ns)
    desk.trade()
    _resume(desk, file)
    desk.await_flow()
    return late_ms


def _resume(desk: Desk, file: Path | None) -> None:
    if file is not None:
        file.unlink()
    assert desk.ask("gateway", "resume", "measured on").ok


def _silences(desk: Desk) -> Figure:
    late = []
    for _ in range(SILENCES):
        begun_ns = clock.mono_ns()
        desk.tasks["risk"].signal(signal.SIGSTOP)
        late.append(desk.after_ms(begun_ns))
        desk.tasks["risk"].signal(signal.SIGCONT)
        desk.await_flow()
    return Figure("path.fail_closed", max(late), SILENCE_FLOOR_MS, "ms, beside the floor")


def _ccxt(desk: Desk) -> Figure:
    left = [at_ns for _, at_ns in stamps(desk.left)]
    found = []
    for _, handed_ns in stamps(desk.handed):
        after = [at_ns for at_ns in left if at_ns >= handed_ns][:1]
        found += [(at_ns - handed_ns) / 1e3 for at_ns in after if at_ns - handed_ns < 20e6]
        left = left[len(left) - len([at for at in left if at >= handed_ns]) :]
    return Figure("path.ccxt", sorted(found)[len(found) // 2], 0.0, "us to the first byte, p50")
