"""One symbol's windows on the exchange, and one input's decisions about them.

Windows die with the process: the next start finds out again what they held.
"""

import msgspec

from bus.service import Said
from schema.head import Message
from services.ingest.effects import NONE, FetchTrades, LiveQuote, RawTrade
from services.ingest.state import Feed, apply, draft_of


class Pace(msgspec.Struct, frozen=True):
    """The settings of [ingest] in nanoseconds of market time."""

    grace_ns: int
    stale_ns: int
    history_ns: int
    quote_ns: int = 0


class Line(msgspec.Struct):
    """What is under way between ingest and the exchange for one symbol."""

    listed: bool = False  # a session stands and lists the symbol
    connected: bool = False  # the live feed stands
    offline: str = ""  # why the two are not so
    reconnects: int = 0
    defect: str = ""  # why this feed cannot be trusted until a person has looked
    unanswered: str = ""  # why the last request had no answer
    retry_ns: int = 0
    asked: FetchTrades | None = None  # at most one request for trades is under way
    asked_ns: int = 0
    asked_early: bool = False  # the request is older than the wish to know what was missed
    asked_bars: str = ""  # and one for bars: its effect id
    effects: int = 0
    next_id: int = NONE  # the trade that comes next; NONE: nothing has traded yet
    anchored: bool = False  # next_id has been found out
    join_ns: int = 0  # trades before this are not said
    head_id: int = NONE
    resync: str = ""  # why the exchange must be asked what was missed
    gap: tuple[int, int, str] | None = None  # first and last trade being fetched, and why
    lost: tuple[int, str] | None = None  # first trade given up, and why
    held: dict[int, RawTrade] = {}
    rest_ns: int = 0  # every 1m bar that opens before this has been asked for by REST
    complete_ns: int = 0  # the exchange was asked: no trade before this is missing
    heard_ns: int = 0  # when the live feed last brought a trade
    lag_ns: int = NONE  # the least by which its trades are older than our clock says
    probed_ns: int = 0  # when a silent feed was last checked
    wake_ns: int = 0
    quote: LiveQuote | None = None  # the newest top of the book, while it is not said
    quoted_ns: int = 0  # when one was last said


class Pass:
    """One input's decisions on one symbol; what is said changes a draft of the books at once."""

    def __init__(self, feed: Feed, line: Line, pace: Pace, now_ns: int) -> None:
        self.feed = draft_of(feed)
        self.line = line
        self.pace = pace
        self.now_ns = now_ns
        self.said: list[Said] = []

    @property
    def wait_ns(self) -> int:
        """How long after a moment of ours the exchange has told all of it; its clock may lag."""
        return self.pace.grace_ns + max(0, self.line.lag_ns)

    def say(self, message: Message) -> None:
        """Say a message on its stream, and decide from here on as if it were applied."""
        apply(self.feed, message)
        self.said.append(message)

    def effect_id(self, kind: str) -> str:
        """Return a new id for an effect."""
        self.line.effects += 1
        return f"{self.feed.symbol} {kind} {self.line.effects}"
