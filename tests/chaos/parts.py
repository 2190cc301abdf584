"""Three small services that say, turn and keep numbered messages as fast as they are told to.

A mint numbers trades and marks, a sieve says what it has seen of the trades so far, a tally counts
all of it into a shard. Numbers follow each other by one whoever dies, so what is lost, doubled or
out of order shows in the rows themselves.
"""

from typing import ClassVar

import msgspec

from bus.clock import SystemClock
from bus.service import Heard, Said, Service
from schema.head import Local, Message
from schema.house import Command, CommandDone, Started, Timer, Wake
from schema.market import FeedStatus, Trade
from schema.streams import BY_NUMBER
from schema.trading import RiskState, Verdict

SYMBOL = "BTC/USDT"
EVERY_NS = 2_000_000
BURST = 4096
"""What one turn of the mint may say at most."""

VERDICT_EVERY = 16
EVENT_EVERY = 16 * 512
MASK = (1 << 61) - 1


class Minted(msgspec.Struct):
    """How many of each the mint has said."""

    trades: int = 0
    marks: int = 0


class Mint(Service):
    """A source: says trades with numbers that follow each other, and a mark with each burst."""

    name: ClassVar[str] = "ingest"
    says: ClassVar[tuple[str, ...]] = ("ingest.trade", "ingest.feed")

    def __init__(self, until: int, rate: int) -> None:
        self.state = Minted()
        self._until = until
        self._rate = rate  # trades a second
        self._before_ns = 0

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Started():
                self._before_ns = now_ns
                return [Wake(name="mint", at_ns=now_ns)]
            case Timer():
                return self._burst(now_ns)
        return []

    def _burst(self, now_ns: int) -> list[Said]:
        due = (now_ns - self._before_ns) * self._rate // 1_000_000_000
        first = self.state.trades + 1
        last = min(self._until, self.state.trades + min(due, BURST))
        self._before_ns = now_ns
        said: list[Said] = [trade(number) for number in range(first, last + 1)]
        if said:
            said.append(mark(self.state.marks + 1, last))
        if last < self._until:
            said.append(Wake(name="mint", at_ns=now_ns + EVERY_NS))
        return said

    def apply(self, message: Message) -> None:
        match message:
            case Trade(trade_id=number):
                assert number == self.state.trades + 1
                self.state.trades = number
            case FeedStatus(reconnects=number):
                assert number == self.state.marks + 1
                self.state.marks = number


class Seen(msgspec.Struct):
    """What a sieve has seen and said; `folded` depends on every trade and on their order."""

    trades: int = 0
    folded: int = 7
    verdicts: int = 0
    events: int = 0


class Sieve(Service):
    """A processor: what it says depends on all that it has heard."""

    name: ClassVar[str] = "risk"
    hears: ClassVar[tuple[str, ...]] = ("ingest.trade",)
    says: ClassVar[tuple[str, ...]] = ("risk.verdict", "risk.event")

    def __init__(self) -> None:
        self.state = Seen()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        return list(self.see(message)) if isinstance(message, Trade) else []

    def see(self, trade: Trade) -> tuple[Message, ...]:
        """Fold one trade; return what there is to say of it, which no clock decides."""
        seen = self.state
        assert trade.trade_id == seen.trades + 1, f"{trade.trade_id} after {seen.trades}"
        seen.trades = trade.trade_id
        seen.folded = (seen.folded * 31 + trade.px) & MASK
        if trade.trade_id % VERDICT_EVERY:
            return ()
        seen.verdicts += 1
        verdict = _verdict(trade.trade_id, seen.verdicts, seen.folded)
        if trade.trade_id % EVENT_EVERY:
            return (verdict,)
        seen.events += 1
        state = RiskState(
            ts_event=trade.trade_id, state="ACTIVE", reason=str(seen.events), by=str(seen.folded)
        )
        return verdict, state


class Row(Local, tag=250, frozen=True, kw_only=True):
    """One message to be counted."""

    stream: str
    number: int


class Tally(Service):
    """A sink: counts every message of every stream."""

    name: ClassVar[str] = "writer_backtest"
    hears: ClassVar[tuple[str, ...]] = (
        "ingest.trade",
        "ingest.feed",
        "risk.verdict",
        "risk.event",
    )

    def hear(self, heard: Heard, now_ns: int) -> list[Said]:
        if isinstance(heard.message, Command):
            SystemClock().pause_ms(int(heard.message.args[0]))  # It naps: its loop stands still.
            return [CommandDone(request_id=heard.message.request_id, ok=True, text="awake")]
        if not isinstance(heard.message, Message) or not heard.stream:
            return []
        return [Row(stream=BY_NUMBER[heard.stream].name, number=number_of(heard.message))]

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        return []


def number_of(message: Message) -> int:
    """Return the number of a message within its stream; they begin at 1."""
    match message:
        case Trade(trade_id=number) | FeedStatus(reconnects=number) | Verdict(epoch=number):
            return number
        case RiskState(reason=reason):
            return int(reason)
    raise AssertionError(f"{message} has no number")


def trade(number: int) -> Trade:
    """Return the trade with a number."""
    return Trade(
        ts_event=number,
        symbol=SYMBOL,
        trade_id=number,
        px=(number * 2_654_435_761) % 1_000_003,
        qty=number % 977 + 1,
        buyer_maker=bool(number & 1),
        px_exp=2,
        qty_exp=8,
    )


def mark(number: int, last: int) -> FeedStatus:
    """Return the mark with a number, behind a trade."""
    return FeedStatus(
        ts_event=number,
        symbol=SYMBOL,
        state="OK",
        reason="",
        last_trade_id=last,
        reconnects=number,
    )


def _verdict(at: int, number: int, folded: int) -> Verdict:
    return Verdict(
        ts_event=at,
        client_order_id=f"{at:032x}",
        order_hash=b"h",
        approved=True,
        code="OK",
        detail=str(folded),
        epoch=number,
        expires_ns=at,
    )
