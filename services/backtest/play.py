"""Market time of a run: bars at their close, timers, and orders on their way there and back.

What happens first is heard first; at the same moment a bar comes before what else is due, and
that in the order in which it was asked for. An order reaches the exchange after its way there, and
its answer, like every word of the user stream, takes as long; an ideal exchange answers at once.
"""

from heapq import heappop, heappush

import msgspec

from bus.service import Service
from schema.exchange import (
    ClockSeen,
    LevelSet,
    OrderNotSent,
    ReportPushed,
    SendOrder,
    SetLevel,
    StreamUp,
)
from schema.head import Effect, Local, Message
from schema.house import Command, PeerSeen, Started, Timer
from schema.market import Bar, FeedStatus, Instrument
from schema.strategy import StrategiesOffered
from schema.units import MS_NS, SECOND_NS
from services.backtest.exchange import Exchange, Look
from services.backtest.stage import Stage
from services.engine.core import Engine
from services.gateway.core import Gateway

QUOTE_NS = SECOND_NS
"""A timer of the engine's, and a fill, are heard with a quote that is no older."""

CLOSING_NS = 10 * SECOND_NS
"""At the end so much time is left to become flat."""

BY = "backtest"


class Scene(msgspec.Struct, frozen=True):
    """The outside world of a run."""

    exchange: Exchange
    instruments: tuple[Instrument, ...]
    traded: frozenset[str]  # symbols that quotes are said of
    stale_ns: int  # without a trade for so long, a feed is stale


class Cast(msgspec.Struct, frozen=True):
    """The cores of a run; those that are spoken to by themselves have a name."""

    all: tuple[Service, ...]
    engine: Engine
    gateway: Gateway


class Play:
    """One run under way."""

    def __init__(self, scene: Scene, cast: Cast, stage: Stage, start_ns: int) -> None:
        self.now_ns = start_ns
        self._scene = scene
        self._exchange = scene.exchange
        self._way_ns = scene.exchange.way_ns
        self._traded = scene.traded
        self._stale_ns = scene.stale_ns
        self._others = {
            symbol: [one for one in sorted(scene.traded) if one != symbol]
            for symbol in scene.traded
        }
        self._cast = cast
        self._engine, self._gateway = cast.engine, cast.gateway
        self._stage = stage
        self._due: list[tuple[int, int, Local]] = []
        self._asked = 0
        self._quoted_ns = dict.fromkeys(sorted(scene.traded), 0)  # A set has no order to keep.
        self._feeds: dict[str, str] = {}
        self._gate = ("ACTIVE", frozenset[str]())

    def begin(self, offered: StrategiesOffered) -> None:
        """Start the house: everybody is well, and the feeds stand."""
        now_ns = self.now_ns
        for core in self._cast.all:
            self._tell(core, Started(epoch=1, grade="fresh"))
            if core is self._engine:
                self._tell(core, offered)
            for name in core.needs:
                self._tell(core, PeerSeen(service=name, state="READY"))
        for instrument in self._scene.instruments:
            self._do(self._stage.say(instrument, now_ns))
        clock = ClockSeen(wall_ms=now_ns // MS_NS, market_ns=now_ns, scale=1.0, offset_ms=0)
        self._tell(self._gateway, clock)
        self._tell(self._gateway, StreamUp())
        self._pass(now_ns)

    def teach(self, bar: Bar) -> None:
        """Let a bar be known that closed before the run."""
        for core in self._cast.all:
            core.refill(bar)

    def close(self, bar: Bar) -> None:
        """Go on to a bar's close, and let it be heard, with all that it leads to at once."""
        at_ns = bar.ts_event
        if self._due or self._stage.next_ns <= at_ns or not self._exchange.idle:
            self._pass(at_ns)
        elif at_ns != self.now_ns:
            self._exchange.pass_time(at_ns)
            self.now_ns = at_ns
        symbol = bar.symbol
        for other in self._others.get(symbol, ()):  # Risk wants to know what all of it is worth.
            self._quote(other, 1)
        if self._quoted_ns.get(symbol, at_ns) != at_ns:
            self._show(symbol, self._exchange.look_at(bar))
        if effects := self._stage.say(bar, at_ns):
            self._do(effects)
            self._settle()

    def hear(self, message: Message) -> None:
        """Go on to when something was said that no core of the run says, and let it be heard."""
        self.wait(message.ts_event)
        if isinstance(message, Instrument):
            self._exchange.follow(message)
        if effects := self._stage.say(message, self.now_ns):
            self._do(effects)
            self._settle()

    def wait(self, until_ns: int) -> None:
        """Go on to a time, with all that is due before it."""
        self._pass(until_ns)

    def end(self, strategy: str) -> None:
        """Have the strategy sell out, and go on until it is flat."""
        why = "the run is over"
        asked = Command(request_id=why, verb="close", args=(strategy, why), by=BY)
        self._tell(self._engine, asked)
        self._settle()
        self._exchange.ring_again()
        until_ns = self.now_ns + CLOSING_NS
        self._pass(until_ns)

    def _settle(self) -> None:
        # What takes no time has happened when the bar is over.
        while self._due and self._due[0][0] <= self.now_ns:
            self._happen()
            if not self._way_ns:
                self._told_at_once()

    def _told_at_once(self) -> None:
        for report in self._exchange.pass_time(self.now_ns):
            self._later(self.now_ns, report)

    def _pass(self, until_ns: int) -> None:
        while True:
            due_ns = self._due[0][0] if self._due else until_ns
            at_ns = max(self.now_ns, min(due_ns, self._stage.next_ns, until_ns))
            if reports := self._exchange.pass_time(at_ns):
                back_ns = self._exchange.at_ns + self._way_ns
                for report in reports:
                    self._later(back_ns, report)
                continue
            self.now_ns = at_ns
            if at_ns == until_ns and not self._is_due(at_ns):
                return
            self._happen()

    def _is_due(self, at_ns: int) -> bool:
        # With a way that takes time, what is due now waits for the bar that closes now.
        return self._way_ns == 0 and bool(self._due) and self._due[0][0] <= at_ns

    def _happen(self) -> None:
        while self._due and self._due[0][0] <= self.now_ns:
            _, _, message = heappop(self._due)
            if isinstance(message, Effect):
                self._later(self.now_ns + self._way_ns, self._exchange.answer(message))
                continue
            if type(message) is ReportPushed and message.trades:
                self._quote(message.report.symbol, 0)
            self._tell(self._gateway, message)
        for core, timer in self._stage.due(self.now_ns):
            self._wake(core, timer)

    def _wake(self, core: Service, timer: Timer) -> None:
        if core is self._engine:
            for symbol in self._quoted_ns:
                self._quote(symbol, QUOTE_NS)
        self._tell(core, timer)

    def _quote(self, symbol: str, fresh_ns: int) -> None:
        """Say how a symbol stands, unless that was said a short while ago."""
        if symbol in self._traded and self.now_ns - self._quoted_ns[symbol] >= fresh_ns:
            self._show(symbol, self._exchange.look(symbol, self.now_ns))

    def _show(self, symbol: str, look: Look) -> None:
        quote, silent_ns = look
        state = "STALE" if silent_ns > self._stale_ns else "OK"
        if state != self._feeds.get(symbol):
            self._tell_feed(symbol, state)
        if quote is not None:
            self._quoted_ns[symbol] = self.now_ns
            if effects := self._stage.say(quote, self.now_ns):
                self._do(effects)

    def _tell_feed(self, symbol: str, state: str) -> None:
        self._feeds[symbol] = state
        reason = "no trade for a while" if state == "STALE" else ""
        now_ns = self.now_ns
        feed = FeedStatus(ts_event=now_ns, symbol=symbol, state=state, reason=reason)
        self._do(self._stage.say(feed, now_ns))

    def _tell(self, core: Service, message: Local) -> None:
        if effects := self._stage.tell(core, message, self.now_ns):
            self._do(effects)

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SetLevel):
                self._gate = (effect.level, frozenset(effect.halted))
                self._later(self.now_ns, LevelSet(effect_id=effect.effect_id))
            elif isinstance(effect, SendOrder) and (why := self._why_not(effect)):
                self._later(self.now_ns, _not_sent(effect, why))
            else:
                self._later(self.now_ns + self._way_ns, effect)

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
