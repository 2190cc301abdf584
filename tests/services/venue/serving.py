"""A venue that runs in this process, on a free port, over a market and a clock of the test's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bus.clock import MarketTime, SystemClock
from bus.edge import EdgeThread
from services.venue.account import Terms
from services.venue.edge import Exchange
from services.venue.market import Market
from tests.ports import free_port

DEADLINE_NS = 10_000_000_000
TERMS = Terms(maker_bps=10, taker_bps=10, opening={"USDT": 100_000 * 10**8})


@dataclass
class Serving:
    port: int
    clock: SystemClock
    thread: EdgeThread
    ledger: Path

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def now_ms(self) -> int:
        return self.clock.market_ns() // 1_000_000


@contextmanager
def serving(
    market: Market,
    origin_ms: int,
    scale: float,
    folder: Path,
    port: int = 0,
    terms: Terms = TERMS,
) -> Iterator[Serving]:
    clock = SystemClock()
    clock.start(MarketTime(origin_ms * 1_000_000, clock.wall_ns(), scale, "test"))
    ledger = folder / "a venue" / "ledger.json"
    port = port or free_port()
    exchange = Exchange(market, port, ledger, origin_ms * 1_000_000, terms)
    thread = EdgeThread(exchange, clock)
    thread.start()
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    while thread.why_not and thread.failure is None and clock.mono_ns() < deadline_ns:
        clock.pause_ms(5)
    try:
        if thread.failure is not None:
            raise thread.failure
        assert thread.why_not is None
        yield Serving(port, clock, thread, ledger)
    finally:
        thread.stop()
