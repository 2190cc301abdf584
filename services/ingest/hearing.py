"""Takes one input into one symbol's windows; what follows from all of it is settled after."""

from schema.house import TimeGap, Timer, Unanswered
from schema.units import MS_NS
from services.ingest.bars import say_fetched
from services.ingest.depth import forget_book, hear_book, hear_change, is_unanswered
from services.ingest.effects import (
    NONE,
    Connected,
    FetchedBars,
    FetchedDepth,
    FetchedTrades,
    Listed,
    LiveDepth,
    LiveQuote,
    LiveTrades,
    Offline,
    ServerTime,
    Spoiled,
)
from services.ingest.feed import hear_fetched, hear_live
from services.ingest.line import Line, Pass
from services.ingest.listing import hear_listing
from services.ingest.quarantine import sift_bars, take_quote
from services.ingest.state import Feed

OfBook = LiveDepth | FetchedDepth
OfOne = (
    Connected
    | LiveTrades
    | LiveQuote
    | FetchedTrades
    | FetchedBars
    | Timer
    | Unanswered
    | OfBook
    | Spoiled
)
OfAll = Listed | Offline | TimeGap | ServerTime


def line_after(feed: Feed) -> Line:
    """Return the windows that a start begins with: what the books know of the line."""
    known = feed.last_id != NONE
    return Line(
        anchored=known,
        next_id=feed.last_id + 1 if known else NONE,
        join_ns=feed.join_ns,
        rest_ns=feed.covered_ns if feed.covered_ns >= feed.join_ns else 0,
        resync="trades that came while ingest was away" if known else "",
        reconnects=feed.reconnects,
    )


def _resync(line: Line, why: str) -> None:
    # An answer that is under way is too old to count.
    line.resync = why
    line.asked_early = line.asked is not None


def take_in(turn: Pass, message: OfOne | OfAll) -> None:
    """Take one input into the windows, and say at once what follows from it alone."""
    line = turn.line
    match message:
        case LiveTrades():
            hear_live(turn, message.trades, message.recv_ns)
        case LiveQuote() | Spoiled():
            take_quote(turn, message)
        case LiveDepth():
            hear_change(turn, message)
        case FetchedDepth():
            hear_book(turn, message)
        case FetchedTrades():
            hear_fetched(turn, message)
        case FetchedBars():
            line.asked_bars, line.unanswered = "", ""
            bars, through_ns = sift_bars(turn, message)
            say_fetched(turn, bars)
            line.rest_ns = max(line.rest_ns, through_ns)
        case Listed():
            hear_listing(turn, message)
        case Timer():
            line.wake_ns = 0
        case Unanswered():
            _forget(turn, message)
        case _:
            _take_in_session(line, turn.now_ns, message)


def _take_in_session(
    line: Line, now_ns: int, message: Connected | Offline | TimeGap | ServerTime
) -> None:
    match message:
        case Connected():
            line.connected, line.heard_ns, line.lag_ns = True, now_ns, NONE
            line.depth.since_ns = now_ns
            _resync(line, line.resync or "trades that came before the live feed stood")
        case Offline():
            line.reconnects += line.connected
            line.listed = line.connected = False
            line.offline = message.reason
            forget_book(line.depth)
            if line.anchored:
                _resync(line, line.resync or "trades that came while there was no connection")
        case ServerTime():
            line.offset_ns = message.offset_ms * MS_NS
        case TimeGap():
            line.lag_ns = NONE
            _resync(line, line.resync or "trades that came while the machine slept")


def _forget(turn: Pass, message: Unanswered) -> None:
    line = turn.line
    if is_unanswered(turn, message.effect_id):
        return  # Trades and quotes do not wait for a book.
    if line.asked is not None and line.asked.effect_id == message.effect_id:
        line.asked = None
        line.probing = False
    if line.asked_bars == message.effect_id:
        line.asked_bars = ""
    line.unanswered = message.reason
    line.retry_ns = turn.now_ns + turn.pace.grace_ns
