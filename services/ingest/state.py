"""What ingest remembers of each symbol: books that its own messages change, and nothing else.

Streams may come back from a crash with tails of different length, so `apply` accepts messages in
any order between streams: a bar closes its minute for ever, and a trade behind it folds nowhere.
"""

import msgspec

from schema.head import Message
from schema.market import (
    Bar,
    DepthSnapshot,
    DepthUpdate,
    FeedGap,
    FeedStatus,
    Instrument,
    Quote,
    Trade,
)
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MINUTE_NS, bar_open_ns, quote_exp
from services.ingest.buckets import Bucket, of_bar, of_parts, rescaled, with_part, with_trade
from services.ingest.effects import NONE
from services.ingest.kept import LONGER, bar_at, grown, parts, with_bar
from services.ingest.ladder import Shown, shown_after


class Feed(msgspec.Struct):
    """The books of one symbol."""

    symbol: str
    px_exp: int = 0
    qty_exp: int = 0
    last_id: int = NONE
    last_ns: int = 0  # time of the newest trade said
    join_ns: int = 0  # minutes from here on are made of trades, earlier ones come by REST
    start_ns: int = 0  # open of the first bar ever said
    covered_ns: int = 0  # every 1m bar that opens before this is said
    minutes: dict[int, Bucket] = {}
    frames: dict[str, Bucket] = {}
    kept: dict[str, tuple[Bucket, ...]] = {}  # the newest bars said, each replaced as a whole
    kept_ns: int = 0  # they are kept from here on
    top: tuple[int, int, int, int] = (0, 0, 0, 0)
    status: str = ""
    reason: str = ""
    reconnects: int = 0
    instrument: Instrument | None = None
    refused: tuple[int, int] = (NONE, NONE)  # the newest trades that were told and cannot be true
    lacks_ns: int = 0  # the minute that would begin with them
    depth: Shown | None = None  # the book as it was said


class Spent(msgspec.Struct):
    """The books of the request budget: what was said of it last."""

    limit: int = 0
    retry_after_ns: int = 0  # wall time
    orders_10s: int = 0
    orders_1d: int = 0


class State(msgspec.Struct):
    """The books of all symbols, and of the request budget."""

    feeds: dict[str, Feed] = {}
    spent: Spent = msgspec.field(default_factory=Spent)


def draft_of(feed: Feed) -> Feed:
    """Return a copy to decide on; buckets are frozen, so two shallow copies are deep enough."""
    return msgspec.structs.replace(feed, minutes=dict(feed.minutes), frames=dict(feed.frames))


def apply(feed: Feed, message: Message) -> None:
    """Change the books of one symbol by one message that ingest said."""
    match message:
        case Trade():
            _apply_trade(feed, message)
        case Bar(timeframe="1m"):
            _apply_minute(feed, message)
        case Bar():
            _apply_frame(feed, message)
        case Quote():
            grow(feed, message.px_exp, message.qty_exp)
            feed.top = (message.bid_px, message.bid_qty, message.ask_px, message.ask_qty)
        case DepthUpdate() | DepthSnapshot():
            feed.depth = shown_after(feed.depth, message)
        case FeedGap(refused=True):
            goes_on = message.first_trade_id == feed.refused[1] + 1
            first = feed.refused[0] if goes_on else message.first_trade_id
            feed.refused = (first, message.last_trade_id)
        case Instrument():
            grow(feed, message.px_exp, message.qty_exp)
            feed.instrument = message
        case FeedStatus():
            feed.status, feed.reason = message.state, message.reason
            feed.reconnects = message.reconnects


def grow(feed: Feed, px_exp: int, qty_exp: int) -> None:
    """Give the books more decimals; they never lose one, so that every bar in them stays exact."""
    px_up, qty_up = max(0, px_exp - feed.px_exp), max(0, qty_exp - feed.qty_exp)
    if px_up == qty_up == 0:
        return
    before = quote_exp(feed.px_exp, feed.qty_exp)
    feed.px_exp += px_up
    feed.qty_exp += qty_up
    quote_up = quote_exp(feed.px_exp, feed.qty_exp) - before
    for minute, bucket in feed.minutes.items():
        feed.minutes[minute] = rescaled(bucket, px_up, qty_up, px_up + qty_up)
    for name, bucket in feed.frames.items():
        feed.frames[name] = rescaled(bucket, px_up, qty_up, quote_up)
    feed.kept = grown(feed.kept, px_up, qty_up, quote_up)
    bid_px, bid_qty, ask_px, ask_qty = feed.top
    px, qty = 10**px_up, 10**qty_up
    feed.top = (bid_px * px, bid_qty * qty, ask_px * px, ask_qty * qty)


def _apply_trade(feed: Feed, trade: Trade) -> None:
    # For each trade there is: what is looked up twice, or called without need, costs a tenth of it.
    last_id, trade_id, px, qty = feed.last_id, trade.trade_id, trade.px, trade.qty
    if trade_id <= last_id:
        return
    if trade.px_exp != feed.px_exp or trade.qty_exp != feed.qty_exp:
        grow(feed, trade.px_exp, trade.qty_exp)
        px *= 10 ** (feed.px_exp - trade.px_exp)
        qty *= 10 ** (feed.qty_exp - trade.qty_exp)
    if trade_id != last_id + 1 or last_id == NONE:
        _skip(feed, trade)
    feed.last_id = trade_id
    # A time that steps back stays in the newest minute: no bar is ever said twice.
    at_ns = trade.ts_event
    if at_ns < feed.last_ns:
        at_ns = feed.last_ns
    else:
        feed.last_ns = at_ns
    minute = at_ns - at_ns % MINUTE_NS
    if minute >= feed.covered_ns:
        minutes = feed.minutes
        minutes[minute] = with_trade(minutes.get(minute), minute, px, qty, trade_id, trade.trace)


def _skip(feed: Feed, trade: Trade) -> None:
    """Go on behind ids that nobody has: within a minute it lacks them, else it begins anew."""
    minute = bar_open_ns(trade.ts_event, "1m")
    making = feed.minutes.get(minute)
    if feed.last_id != NONE and making is not None:
        feed.minutes[minute] = msgspec.structs.replace(making, whole=False)
        return
    if feed.refused == (feed.last_id + 1, trade.trade_id - 1):
        feed.lacks_ns = minute
        return
    feed.join_ns = minute
    feed.minutes.clear()


def _apply_minute(feed: Feed, bar: Bar) -> None:
    if bar.open_ns < feed.covered_ns:
        if bar.revision:
            _revise(feed, bar)
        return
    grow(feed, bar.px_exp, bar.qty_exp)
    feed.start_ns = feed.start_ns or bar.open_ns
    feed.kept_ns = feed.kept_ns or bar.open_ns
    feed.covered_ns = bar.open_ns + MINUTE_NS
    for minute in [minute for minute in feed.minutes if minute <= bar.open_ns]:
        del feed.minutes[minute]
    part = of_bar(bar, feed.px_exp, feed.qty_exp)
    feed.kept = with_bar(feed.kept, "1m", part, feed.covered_ns)
    for name in LONGER:
        open_ns = bar_open_ns(bar.open_ns, name)
        if open_ns >= feed.start_ns:
            feed.frames[name] = with_part(feed.frames.get(name), open_ns, part)


def _apply_frame(feed: Feed, bar: Bar) -> None:
    bucket = feed.frames.get(bar.timeframe)
    if bucket is not None and bucket.open_ns <= bar.open_ns:
        del feed.frames[bar.timeframe]
    if bar.revision and bar_at(feed.kept, bar.timeframe, bar.open_ns) is not None:
        _revise(feed, bar)
    else:
        grow(feed, bar.px_exp, bar.qty_exp)
        part = of_bar(bar, feed.px_exp, feed.qty_exp)
        feed.kept = with_bar(feed.kept, bar.timeframe, part, feed.covered_ns)


def _revise(feed: Feed, bar: Bar) -> None:
    """Put a corrected bar in its place, and make the longer ones around it anew."""
    before = bar_at(feed.kept, bar.timeframe, bar.open_ns)
    if before is not None and before.revision >= bar.revision:
        return
    grow(feed, bar.px_exp, bar.qty_exp)
    part = of_bar(bar, feed.px_exp, feed.qty_exp)
    feed.kept = with_bar(feed.kept, bar.timeframe, part, feed.covered_ns)
    for name in LONGER:
        if TIMEFRAMES_NS[name] > TIMEFRAMES_NS[bar.timeframe]:
            _remake(feed, name, bar_open_ns(bar.open_ns, name))


def _remake(feed: Feed, name: str, open_ns: int) -> None:
    making = feed.frames.get(name)
    if open_ns < max(feed.start_ns, feed.kept_ns):
        return  # Not all of its parts are known any more.
    made = of_parts(open_ns, parts(feed.kept, feed.frames, name, open_ns))
    if making is not None and making.open_ns == open_ns:
        assert made is not None, "what is in the making has a part"
        feed.frames[name] = made
    elif made is not None and making is None and bar_at(feed.kept, name, open_ns) is None:
        # Its first minute was not known of; it may be over, and others may have been said since.
        feed.frames[name] = msgspec.structs.replace(made, revision=1)
