"""The scripted ones of a simulated house: who tells the market and the forecasts, and always lives.

They say what `ingest` and `predictor` would, with lives and journals like theirs.
"""

from bus.hub import Hub
from bus.journals import Journals
from bus.pulse import Pulse
from bus.record import JournalWriter
from schema.forecast import Forecast
from schema.head import Message
from schema.market import FeedStatus
from schema.streams import STREAMS, home
from schema.units import MS_NS
from services.venue.columns import MINUTE_MS
from tests.sim.exchange import Exchange
from tests.sim.odds import Dice
from tests.sim.walk import listed

SCRIPTED = ("ingest.bar", "ingest.quote", "ingest.feed", "predictor.forecast")
BARS_BEFORE = 300
QUOTE_EVERY = 2


class Script:
    """Both of them."""

    def __init__(self, hub: Hub, journals: Journals, exchange: Exchange, dice: Dice) -> None:
        self._hub, self._journals, self._exchange = hub, journals, exchange
        self._chance = dice.of("forecasts")
        self._takes = {
            "oco": dice.of("pairs").random() < PAIRS,
            "cancel_replace": dice.of("replacements").random() < REPLACEMENTS,
        }
        self.feeding = True
        self.quiet = False  # no bar is told, so that nobody wants anything new
        self.bar_ms, self._n = 0, 0
        self.symbols = tuple(facts.symbol for facts in exchange.walk.facts.values())
        self._clock = exchange.clock
        self.open()

    def open(self) -> None:
        """Begin a life, and tell the market so far."""
        self.place = self._hub.join(())
        self.pulses = [Pulse(name, self.place, self._clock) for name in ("ingest", "predictor")]
        epochs = {pulse.service: self._journals.open_epoch(pulse.service) for pulse in self.pulses}
        self._writers: dict[str, JournalWriter] = {}
        for name in SCRIPTED:
            epoch = epochs[name.partition(".")[0]]
            self._writers[name] = self._journals.writer(STREAMS[name], epoch, "")
        for pulse in self.pulses:
            pulse.become("READY")
        now_ns = self._clock.market_ns()
        for symbol in self.symbols:
            self.say(listed(symbol, now_ns, **self._takes))
            self.say(FeedStatus(ts_event=now_ns, symbol=symbol, state="OK", reason=""))
        before_ms = now_ns // MS_NS // MINUTE_MS * MINUTE_MS - BARS_BEFORE * MINUTE_MS
        self.bar_ms = self.bar_ms or before_ms

    def step(self) -> None:
        """Tell what has happened."""
        if not self.feeding:
            return
        now_ns = self._clock.market_ns()
        while not self.quiet and self.bar_ms + MINUTE_MS <= now_ns // MS_NS:
            for symbol in self.symbols:
                self._tell_bar(symbol)
            self.bar_ms += MINUTE_MS
        self._n += 1
        for symbol in self.symbols if self._n % QUOTE_EVERY == 0 else ():
            self.say(self._exchange.walk.quote(symbol, now_ns))
        for pulse in self.pulses:
            pulse.beat()

    def say(self, message: Message) -> None:
        """Have one of them say something."""
        stream = home(type(message))
        assert stream is not None
        for frame in self._writers[stream.name].append([message]):
            self.place.send(frame)

    def _tell_bar(self, symbol: str) -> None:
        bar = self._exchange.walk.bar(symbol, self.bar_ms)
        self.say(bar)
        self.say(
            Forecast(
                ts_event=bar.ts_event, trace=self.bar_ms + MINUTE_MS, symbol=symbol,
                timeframe="1m", bar_open_ns=bar.open_ns, horizon_ns=15 * 60 * 10**9,
                probability_up=self._chance.choice((0.4, 0.5, 0.6, 0.6)), confidence=0.5,
            )
        )  # fmt: skip


PAIRS, REPLACEMENTS = 0.4, 0.7
"""How many seeds have an exchange that takes pairs, and orders in another's place."""
