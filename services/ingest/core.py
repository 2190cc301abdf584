"""Repeats the exchange on the bus: one feed per symbol, each decided on by itself."""

from bus.service import Said, Service
from schema.head import Message
from schema.house import (
    Command,
    CommandDone,
    EdgeFailed,
    SnapshotDue,
    Started,
    TimeGap,
    Timer,
    Unanswered,
)
from schema.market import FeedBudget
from schema.orders import AccountSnapshot, RequestWeight
from schema.settings import Settings
from schema.streams import home
from schema.units import DAY_NS, MINUTE_NS, MS_NS
from services.ingest import HEARS, NAME, SAYS, budget, health, state
from services.ingest.checking import hear_check, pause_ns
from services.ingest.depth_words import counted, snapshot
from services.ingest.effects import (
    BudgetMet,
    Connected,
    FetchedBars,
    FetchedDepth,
    FetchedTrades,
    Listed,
    LiveDepth,
    LiveQuote,
    LiveTrades,
    Obeyed,
    Offline,
    Redialed,
    ServerTime,
    Spoiled,
    TimeAsked,
)
from services.ingest.hearing import OfAll, OfOne, line_after, take_in
from services.ingest.line import Line, Pace, Pass
from services.ingest.refusals import Refusals
from services.ingest.settle import settle
from services.ingest.state import Feed, State


class Ingest(Service):
    """The feed of every symbol that the settings name."""

    name = NAME
    hears = HEARS
    joins = HEARS  # What the gateway's stream says of a ban is all that counts of it here.
    says = SAYS
    snapshots = ("ingest.depth",)

    def __init__(self, settings: Settings) -> None:
        own = settings.ingest
        self.symbols = own.symbols or settings.venue.symbol
        self.pace = Pace(
            grace_ns=own.bar_grace_ms * MS_NS,
            stale_ns=own.stale_data_ms * MS_NS,
            history_ns=own.history_days * DAY_NS,
            quote_ns=own.quote_ms * MS_NS,
            mute_ns=own.mute_ms * MS_NS,
            future_ns=own.future_ms * MS_NS,
            jump_bps=own.jump_bps,
            word_ns=int(MINUTE_NS * settings.clock.scale),
            depth=own.depth,
            depth_ns=own.depth_ms * MS_NS,
            sofar_ns=own.sofar_ms * MS_NS,
            check_ns=pause_ns(len(self.symbols), settings.clock.scale) * own.check_bars,
        )
        self.state = State(feeds={symbol: Feed(symbol=symbol) for symbol in self.symbols})
        self.lines: dict[str, Line] = {}
        self.nameless = Refusals()  # what was refused, and is of no symbol of ours

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Started():
                return [budget.obeying(self.state.spent), *self._start(now_ns)]
            case BudgetMet():
                return budget.meet(self.state.spent, message, now_ns)
            case RequestWeight() | AccountSnapshot():
                return budget.hear(self.state.spent, message, now_ns)
            case Listed() | Offline() | TimeGap() | ServerTime():
                return self._each(message, now_ns)
            case Timer():
                return self._one(message.name, message, now_ns)
            case Unanswered():
                return self._one(message.effect_id.partition(" ")[0], message, now_ns)
            case Connected() | LiveTrades() | LiveQuote() | FetchedTrades() | FetchedBars():
                return self._one(message.symbol, message, now_ns)
            case LiveDepth() | FetchedDepth() | Spoiled():
                return self._one(message.symbol, message, now_ns)
            case Command() | SnapshotDue():
                return self._tell(message, now_ns)
            case _:
                assert _is_heard(message), f"ingest does not listen to {type(message).__name__}"
                return []

    def apply(self, message: Message) -> None:
        if isinstance(message, FeedBudget):
            budget.apply(self.state.spent, message)
            return
        symbol = getattr(message, "symbol", "")
        if symbol in self.state.feeds:  # A symbol that the settings no longer name is history.
            state.apply(self.state.feeds[symbol], message)

    def trouble(self, now_ns: int) -> str | None:
        for symbol in self.symbols:
            feed, line = self.state.feeds[symbol], self.lines.get(symbol)
            if feed.status in {"", "CONNECTING", "BACKFILLING"} or (line and line.defect):
                return f"{symbol} is {feed.status or 'not connected'}: {feed.reason}"
        return None

    def counters(self) -> tuple[tuple[str, int], ...]:
        lines = self.lines.values()
        return (
            *(counted(lines) if self.pace.depth else ()),
            ("bars_checked", sum(line.check.compared for line in lines)),
            *(
                (f"quarantined.{name}", line.refused.total)
                for name, line in self.lines.items()
                if line.refused.total
            ),
            ("bars_corrected", sum(line.check.corrected for line in lines)),
        )

    def _tell(self, asked: Command | SnapshotDue, now_ns: int) -> list[Said]:
        match asked:
            case SnapshotDue():
                return [*snapshot(map(self.state.feeds.get, self.symbols), now_ns)]
            case Command(verb="budget"):
                return budget.told(self.state.spent, asked, now_ns)
            case Command(verb="feeds"):
                feeds = [self.state.feeds[symbol] for symbol in self.symbols]
                return [*health.told(asked.request_id, feeds, self.lines, now_ns)]
            case Command():
                done = f"ingest knows no command {asked.verb!r}"
                return [CommandDone(request_id=asked.request_id, ok=False, text=done)]

    def _start(self, now_ns: int) -> list[Said]:
        for symbol in self.symbols:
            feed = self.state.feeds.setdefault(symbol, Feed(symbol=symbol))
            self.lines[symbol] = line_after(feed)
        return self._each(Offline(reason="no session with the exchange yet"), now_ns)

    def _each(self, message: OfAll, now_ns: int) -> list[Said]:
        return [out for symbol in self.symbols for out in self._one(symbol, message, now_ns)]

    def _one(self, symbol: str, message: OfOne | OfAll, now_ns: int) -> list[Said]:
        if symbol not in self.lines:
            return self._of_none(message, now_ns)
        turn = Pass(self.state.feeds[symbol], self.lines[symbol], self.pace, now_ns)
        if not hear_check(turn, message):
            take_in(turn, message)
        settle(turn)
        return turn.said

    def _of_none(self, message: OfOne | OfAll, now_ns: int) -> list[Said]:
        if not isinstance(message, Spoiled):
            return []  # A question that was of no symbol's.
        self.nameless.add(message.kind, message.reason, message.row)
        return [*self.nameless.tell("", now_ns, self.pace.word_ns)]


def _is_heard(message: Said) -> bool:
    """Return whether a message may come here, and asks for nothing: orders are for others."""
    if isinstance(message, Redialed | Obeyed | TimeAsked | EdgeFailed):
        return True  # The runner ends a service whose edge failed.
    stream = home(type(message))
    return stream is not None and stream.name in HEARS
