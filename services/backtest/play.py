"""Market time of a run: bars at their close, timers, and orders on their way there and back.

What happens first is heard first; at the same moment a bar comes before what else is due, and
that in the order in which it was asked for. An order reaches the exchange after half of the
latency, and its answer, like every word of the user stream, takes the other half.
"""

from heapq import heappop, heappush

import msgspec

from bus.service import Service
from schema.exchange import ClockSeen, LevelSet, OrderNotSent, SendOrder, SetLevel, StreamUp
from schema.head import Effect, Local
from schema.house import PeerSeen, Started, Timer
from schema.market import Bar, FeedStatus
from schema.units import MS_NS, SECOND_NS
from services.backtest.exchange import Exchange
from services.backtest.history import History
from services.backtest.stage import Stage
from services.engine.core import Engine
from services.gateway.core import Gateway
from services.predictor.core import Predictor

ONE_WAY_NS = 25 * MS_NS
"""Half of the 50 ms between sending and the answer."""

QUOTE_NS = SECOND_NS
"""A timer of the engine's is heard with a quote that is no older."""


class Scene(msgspec.Struct, frozen=True):
    """The outside world of a run."""

    history: History
    exchange: Exchange
    stale_ns: int  # without a trade for so long, a feed is stale


Cores = tuple[Predictor, Engine, Service, Gateway]


class Play:
    """One run under way."""

    def __init__(self, scene: Scene, cores: Cores, stage: Stage, start_ns: int) -> None:
        self.now_ns = start_ns
        self._history = scene.history
        self._exchange = scene.exchange
        self._stale_ns = scene.stale_ns
        self._feed = ""
        self._cores = cores
        self._predictor, self._engine, _, self._gateway = cores
        self._stage = stage
        self._due: list[tuple[int, int, Local]] = []
        self._asked = 0
        self._quoted_ns = 0
        self._gate = ("ACTIVE", frozenset[str]())

    def teach(self, bar: Bar) -> None:
        """Let a bar be known that closed before the run."""
        self._predictor.refill(bar)
        self._engine.refill(bar)

    def begin(self) -> None:
        """Start the house: everybody is well, and the feed stands."""
        now_ns = self.now_ns
        for core in self._cores:
            self._tell(core, Started(epoch=1, grade="fresh"))
            for name in core.needs:
                self._tell(core, PeerSeen(service=name, state="READY"))
        self._do(self._stage.say(self._history.instrument(now_ns), now_ns))
        clock = ClockSeen(wall_ms=now_ns // MS_NS, market_ns=now_ns, scale=1.0, offset_ms=0)
        self._tell(self._gateway, clock)
        self._tell(self._gateway, StreamUp())

    def close(self, bar: Bar) -> None:
        """Go on to a bar's close, and let it be heard."""
        self._pass(bar.ts_event)
        self._quote()
        self._do(self._stage.say(bar, self.now_ns))

    def _pass(self, until_ns: int) -> None:
        while True:
            due_ns = self._due[0][0] if self._due else until_ns
            at_ns = max(self.now_ns, min(due_ns, self._stage.next_ns, until_ns))
            if reports := self._exchange.pass_time(at_ns // MS_NS):
                back_ns = self._exchange.desk.at_ms * MS_NS + ONE_WAY_NS
                for report in reports:
                    self._later(back_ns, report)
                continue
            self.now_ns = at_ns
            if at_ns == until_ns:
                return
            self._happen()

    def _happen(self) -> None:
        while self._due and self._due[0][0] <= self.now_ns:
            _, _, message = heappop(self._due)
            if isinstance(message, Effect):
                self._later(self.now_ns + ONE_WAY_NS, self._exchange.answer(message))
            else:
                self._tell(self._gateway, message)
        for core, timer in self._stage.due(self.now_ns):
            self._wake(core, timer)

    def _wake(self, core: Service, timer: Timer) -> None:
        if core is self._engine and self.now_ns - self._quoted_ns > QUOTE_NS:
            self._quote()
        self._tell(core, timer)

    def _quote(self) -> None:
        quote, silent_ns = self._history.look(self.now_ns)
        self._judge_feed(stale=silent_ns > self._stale_ns)
        if quote is not None:
            self._quoted_ns = self.now_ns
            self._do(self._stage.say(quote, self.now_ns))

    def _judge_feed(self, *, stale: bool) -> None:
        state = "STALE" if stale else "OK"
        if state != self._feed:
            self._feed = state
            reason = "no trade for a while" if stale else ""
            symbol, now_ns = self._history.symbol, self.now_ns
            feed = FeedStatus(ts_event=now_ns, symbol=symbol, state=state, reason=reason)
            self._do(self._stage.say(feed, now_ns))

    def _tell(self, core: Service, message: Local) -> None:
        self._do(self._stage.tell(core, message, self.now_ns))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SetLevel):
                self._gate = (effect.level, frozenset(effect.halted))
                self._later(self.now_ns, LevelSet(effect_id=effect.effect_id))
            elif isinstance(effect, SendOrder) and (why := self._why_not(effect)):
                self._later(self.now_ns, _not_sent(effect, why))
            else:
                self._later(self.now_ns + ONE_WAY_NS, effect)

    def _why_not(self, effect: SendOrder) -> str:
        # The line before the call, as the gateway's edge has it; here no deadline ever passes.
        level, halted = self._gate
        if effect.intent.reduce_only:
            return ""
        if level != "ACTIVE":
            return f"the level is {level}"
        return "it is halted" if effect.intent.symbol in halted else ""

    def _later(self, at_ns: int, message: Local) -> None:
        self._asked += 1
        heappush(self._due, (at_ns, self._asked, message))


def _not_sent(effect: SendOrder, reason: str) -> OrderNotSent:
    return OrderNotSent(
        effect_id=effect.effect_id,
        client_order_id=effect.intent.client_order_id,
        symbol=effect.intent.symbol,
        reason=reason,
    )
