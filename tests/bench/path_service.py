"""Services as they ship, with a stamp at both ends of an order's way.

`python -m tests.bench.path_service ingest|gateway FILE [unsynced]`: FILE takes a line for each
trade that ingest's edge receives, or for each order that the gateway's edge is handed. `unsynced`
leaves out what brings the journal to the disk, so that the way itself is measured. And
`engine BELOW`, with a strategy that trades at every bar, or rests so far below the market.
"""

import os
import sys

from bus.clock import Clock, SystemClock
from bus.edge import EdgeThread
from bus.house import House
from bus.process import main
from bus.service import Bridge, Parts
from schema.exchange import SendOrder
from schema.head import Effect, Local
from schema.strategy import Offer, StrategiesOffered
from services.engine import core as engine
from services.engine import edge as engine_edge
from services.engine.bundle import digest_of

SOURCE = '''
from services.engine.strategy import Bar, Params, State, Strategy, Target, View


class Flip(Strategy):
    """Buys at a bar and sells at the next one; or waits far below the market."""

    warmup = 1

    class Params(Params):
        below: float = 0.0

    class State(State):
        limit: float = 0.0

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        if self.params.below:
            self.state.limit = self.state.limit or view.price * (1 - self.params.below)
            return Target.notional(100.0, limit=self.state.limit)
        return Target.flat() if view.position else Target.notional(200.0)
'''

clock = SystemClock()


class Stamps:
    """A file of lines: what it was about, and the monotonic time."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def put(self, about: int, at_ns: int) -> None:
        """Write a line at once; the house may be killed at any moment."""
        os.write(self._fd, b"%d %d\n" % (about, at_ns))


class Ear:
    """The bridge of ingest's edge, with a look at the clock before each message."""

    def __init__(self, bridge: Bridge, stamps: Stamps) -> None:
        self.clock = bridge.clock
        self.ready, self.note = bridge.ready, bridge.note
        self._hear, self._stamps = bridge.hear, stamps

    async def hear(self, message: Local) -> None:
        """Pass a message on, and write down the newest trade in it."""
        at_ns = clock.mono_ns()
        await self._hear(message)
        trades = getattr(message, "trades", ())
        if trades:
            self._stamps.put(max(trade[3] for trade in trades), at_ns)


def offer(symbols: tuple[str, ...], below: float) -> Offer:
    """Return the strategy of the measurement; it trades at every bar, or rests `below`."""
    files = (("strategies.flip", SOURCE),)
    return Offer(
        name="flip",
        file="strategies/flip.py",
        digest=digest_of(files),
        files=files,
        symbols=symbols,
        budget=10_000.0,
        params={"below": below},
    )


def _ingest(stamps: Stamps) -> None:
    from services.ingest import core, edge  # noqa: PLC0415 - ccxt is for those who need it

    class Stamped(edge.Binance):
        async def run(self, bridge: Bridge) -> None:
            await super().run(Ear(bridge, stamps))

    def build(house: House, _clock: Clock) -> Parts:
        return Parts(core=core.Ingest(house.settings), edge=Stamped(house.settings))

    main("ingest", build)


def _gateway(stamps: Stamps) -> None:
    from services.gateway.__main__ import build  # noqa: PLC0415 - likewise

    hand_over = EdgeThread.perform

    def perform(thread: EdgeThread, effect: Effect) -> None:
        if isinstance(effect, SendOrder):
            stamps.put(effect.intent.ts_event, clock.mono_ns())
        hand_over(thread, effect)

    EdgeThread.perform = perform  # type: ignore[method-assign,assignment] # what it is of
    main("gateway", build)


def _engine(below: float) -> None:
    def build(house: House, clock: Clock) -> Parts:
        own = house.settings.engine
        guard = engine_edge.Watched(house.run, clock, own.call_ms, own.memory_mib)
        core = engine.Engine(house.settings, house.world, guard)
        symbols = tuple(house.settings.venue.symbol)
        first = StrategiesOffered(offers=(offer(symbols, below),))
        return Parts(core, first=(first,), fold=guard.fold)

    main("engine", build)


def _leave_out_syncs() -> None:
    os.fdatasync = id  # type: ignore[assignment] # it does nothing, at once


if __name__ == "__main__":
    name, detail, *rest = sys.argv[1:]
    if rest:
        _leave_out_syncs()
    match name:
        case "ingest":
            _ingest(Stamps(detail))
        case "gateway":
            _gateway(Stamps(detail))
        case _:
            _engine(float(detail))
