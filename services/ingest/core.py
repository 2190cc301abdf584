"""Repeats the exchange on the bus: one feed per symbol, each decided on by itself."""

from bus.service import Said, Service
from schema.head import Message
from schema.house import Command, CommandDone, EdgeFailed, Started, TimeGap, Timer, Unanswered
from schema.settings import Settings
from schema.units import DAY_NS, MS_NS
from services.ingest import HEARS, NAME, SAYS, state
from services.ingest.effects import (
    Connected,
    FetchedBars,
    FetchedTrades,
    Listed,
    LiveQuote,
    LiveTrades,
    Offline,
    Redialed,
)
from services.ingest.hearing import OfAll, OfOne, line_after, take_in
from services.ingest.line import Line, Pace, Pass
from services.ingest.settle import settle
from services.ingest.state import Feed, State


class Ingest(Service):
    """The feed of every symbol that the settings name."""

    name = NAME
    hears = HEARS
    says = SAYS

    def __init__(self, settings: Settings) -> None:
        own = settings.ingest
        self.symbols = own.symbols or settings.venue.symbol
        self.pace = Pace(
            grace_ns=own.bar_grace_ms * MS_NS,
            stale_ns=own.stale_data_ms * MS_NS,
            history_ns=own.history_days * DAY_NS,
            quote_ns=own.quote_ms * MS_NS,
        )
        self.state = State(feeds={symbol: Feed(symbol=symbol) for symbol in self.symbols})
        self.lines: dict[str, Line] = {}

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Started():
                return self._start(now_ns)
            case Listed() | Offline() | TimeGap():
                return self._each(message, now_ns)
            case Timer():
                return self._one(message.name, message, now_ns)
            case Unanswered():
                return self._one(message.effect_id.partition(" ")[0], message, now_ns)
            case Connected() | LiveTrades() | LiveQuote() | FetchedTrades() | FetchedBars():
                return self._one(message.symbol, message, now_ns)
            case Command():
                done = f"ingest knows no command {message.verb!r}"
                return [CommandDone(request_id=message.request_id, ok=False, text=done)]
            case Redialed() | EdgeFailed():  # The runner ends a service whose edge failed.
                return []
            case _:
                raise AssertionError(f"ingest does not listen to {type(message).__name__}")

    def apply(self, message: Message) -> None:
        symbol = getattr(message, "symbol", "")
        if symbol in self.state.feeds:  # A symbol that the settings no longer name is history.
            state.apply(self.state.feeds[symbol], message)

    def trouble(self, now_ns: int) -> str | None:
        for symbol in self.symbols:
            feed, line = self.state.feeds[symbol], self.lines.get(symbol)
            if feed.status in {"", "CONNECTING", "BACKFILLING"} or (line and line.defect):
                return f"{symbol} is {feed.status or 'not connected'}: {feed.reason}"
        return None

    def _start(self, now_ns: int) -> list[Said]:
        for symbol in self.symbols:
            feed = self.state.feeds.setdefault(symbol, Feed(symbol=symbol))
            self.lines[symbol] = line_after(feed)
        return self._each(Offline(reason="no session with the exchange yet"), now_ns)

    def _each(self, message: OfAll, now_ns: int) -> list[Said]:
        return [out for symbol in self.symbols for out in self._one(symbol, message, now_ns)]

    def _one(self, symbol: str, message: OfOne | OfAll, now_ns: int) -> list[Said]:
        turn = Pass(self.state.feeds[symbol], self.lines[symbol], self.pace, now_ns)
        take_in(turn, message)
        settle(turn)
        return turn.said
