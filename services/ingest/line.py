"""One symbol's windows on the exchange, and one input's decisions about them.

Windows die with the process: the next start finds out again what they held.
"""

import msgspec

from bus.service import Said
from schema.head import Message
from services.ingest.effects import NONE, FetchTrades, LiveDepth, LiveQuote, RawBar, RawTrade
from services.ingest.ladder import Ladder
from services.ingest.pulse import Pulse
from services.ingest.refusals import Refusals, Suspects
from services.ingest.state import Feed, apply, draft_of


class Pace(msgspec.Struct, frozen=True):
    """The settings of [ingest] in nanoseconds of market time."""

    grace_ns: int
    stale_ns: int
    history_ns: int
    quote_ns: int = 0
    sofar_ns: int = 0  # 0: a minute is not said before it is over
    check_ns: int = 0  # 0: bars are not compared with the exchange's
    mute_ns: int = 0
    future_ns: int = 0
    jump_bps: int = 0
    word_ns: int = 0  # the least time between two words on rows that were refused
    depth: int = 0  # levels; 0: no book is followed
    depth_ns: int = 0


class Flow(msgspec.Struct):
    """What is under way between ingest and the exchange for the book of one symbol."""

    ladder: Ladder | None = None  # the book; None while it is out of step
    held: list[LiveDepth] = []  # changes since it is
    asked: str = ""  # at most one request for it is under way: its effect id
    retry_ns: int = 0  # it is asked for no earlier
    since_ns: int = 0  # when the live feed stood
    anew: bool = False  # the next word about it tells it whole
    told_id: int = 0  # the update id that was last looked at for a word
    said_ns: int = 0  # when that was
    at_ns: int = 0  # the exchange's time of the newest change
    recv_ns: int = 0  # wall time of its receipt
    fetches: int = 0
    gaps: int = 0
    crossed: int = 0


class Check(msgspec.Struct):
    """How far the bars of one symbol were compared with the exchange's own."""

    asked: str = ""  # at most one request is under way: its effect id
    start_ns: int = 0  # of what is asked for
    until_ns: int = 0
    done_ns: int = 0  # what opens before was compared
    due_ns: int = 0  # nothing is asked before
    sought: list[RawBar] = []  # the exchange's bars of minutes in doubt
    compared: int = 0
    corrected: int = 0


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
    check: Check = msgspec.field(default_factory=Check)
    sofar_ns: int = 0  # when a minute was last said that was not over
    sofar_id: int = NONE  # the newest trade in it
    depth: Flow = msgspec.field(default_factory=Flow)
    refused: Refusals = msgspec.field(default_factory=Refusals)
    suspects: Suspects = msgspec.field(default_factory=Suspects)
    pulse: Pulse = msgspec.field(default_factory=Pulse)
    probing: bool = False  # it is asked whether a silent feed left trades out
    probes: int = 0  # such questions since the last trade
    redials: int = 0
    filled: int = 0  # gaps of trades that were fetched
    given_up: int = 0  # gaps that stay
    crossed: int = 0  # tops whose bid was above the ask
    locked: int = 0  # tops whose bid was the ask
    offset_ns: int = 0  # of the exchange's clock to ours


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

    @property
    def silence_ns(self) -> int:
        """Return how long no trade is no news in this symbol."""
        return self.line.pulse.silence_ns(self.pace.mute_ns, self.pace.stale_ns)

    def say(self, message: Message) -> None:
        """Say a message on its stream, and decide from here on as if it were applied."""
        apply(self.feed, message)
        self.said.append(message)

    def effect_id(self, kind: str) -> str:
        """Return a new id for an effect."""
        self.line.effects += 1
        return f"{self.feed.symbol} {kind} {self.line.effects}"
