"""What ingest remembers of each symbol: books that its own messages change, and nothing else.

Streams may come back from a crash with tails of different length, so `apply` accepts messages in
any order between streams: a bar closes its minute for ever, and a trade behind it folds nowhere.
"""

import msgspec

from schema.head import Message
from schema.market import Bar, FeedStatus, Instrument, Quote, Trade
from schema.settings import TIMEFRAMES_NS
from schema.units import MINUTE_NS, bar_open_ns, quote_exp
from services.ingest.effects import NONE

LONGER = tuple(name for name in TIMEFRAMES_NS if name != "1m")
"""The timeframes that are made of 1m bars, shortest first."""


class Bucket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A bar in the making."""

    open_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int  # of a minute: px_exp + qty_exp decimals, exact; of a longer bar: quote_exp
    trades: int
    trace: int
    source: str


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
    top: tuple[int, int, int, int] = (0, 0, 0, 0)
    status: str = ""
    reason: str = ""
    reconnects: int = 0
    instrument: Instrument | None = None


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
        feed.minutes[minute] = _rescaled(bucket, px_up, qty_up, px_up + qty_up)
    for name, bucket in feed.frames.items():
        feed.frames[name] = _rescaled(bucket, px_up, qty_up, quote_up)
    bid_px, bid_qty, ask_px, ask_qty = feed.top
    px, qty = 10**px_up, 10**qty_up
    feed.top = (bid_px * px, bid_qty * qty, ask_px * px, ask_qty * qty)


def _rescaled(bucket: Bucket, px_up: int, qty_up: int, turnover_up: int) -> Bucket:
    return msgspec.structs.replace(
        bucket,
        open=bucket.open * 10**px_up,
        high=bucket.high * 10**px_up,
        low=bucket.low * 10**px_up,
        close=bucket.close * 10**px_up,
        volume=bucket.volume * 10**qty_up,
        turnover=bucket.turnover * 10**turnover_up,
    )


def _apply_trade(feed: Feed, trade: Trade) -> None:
    if trade.trade_id <= feed.last_id:
        return
    grow(feed, trade.px_exp, trade.qty_exp)
    if feed.last_id == NONE or trade.trade_id != feed.last_id + 1:
        feed.join_ns = bar_open_ns(
            trade.ts_event, "1m"
        )  # Trades go on after a hole at a whole minute.
        feed.minutes.clear()
    feed.last_id = trade.trade_id
    # A time that steps back stays in the newest minute: no bar is ever said twice.
    feed.last_ns = max(feed.last_ns, trade.ts_event)
    minute = bar_open_ns(feed.last_ns, "1m")
    if minute >= feed.covered_ns:
        px = trade.px * 10 ** (feed.px_exp - trade.px_exp)
        qty = trade.qty * 10 ** (feed.qty_exp - trade.qty_exp)
        feed.minutes[minute] = _with_trade(feed.minutes.get(minute), minute, px, qty, trade.trace)


def _with_trade(bucket: Bucket | None, minute: int, px: int, qty: int, trace: int) -> Bucket:
    if bucket is None:
        return Bucket(minute, px, px, px, px, qty, px * qty, 1, trace, "trades")
    return Bucket(
        minute,
        bucket.open,
        max(bucket.high, px),
        min(bucket.low, px),
        px,
        bucket.volume + qty,
        bucket.turnover + px * qty,
        bucket.trades + 1,
        trace,
        "trades",
    )


def _apply_minute(feed: Feed, bar: Bar) -> None:
    if bar.open_ns < feed.covered_ns:
        return
    grow(feed, bar.px_exp, bar.qty_exp)
    feed.start_ns = feed.start_ns or bar.open_ns
    feed.covered_ns = bar.open_ns + MINUTE_NS
    for minute in [minute for minute in feed.minutes if minute <= bar.open_ns]:
        del feed.minutes[minute]
    part = _rescaled(
        Bucket(
            bar.open_ns,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            bar.quote_volume,
            bar.trades,
            bar.trace,
            bar.source,
        ),
        feed.px_exp - bar.px_exp,
        feed.qty_exp - bar.qty_exp,
        quote_exp(feed.px_exp, feed.qty_exp) - bar.quote_exp,
    )
    for name in LONGER:
        open_ns = bar_open_ns(bar.open_ns, name)
        if open_ns >= feed.start_ns:
            feed.frames[name] = _with_part(feed.frames.get(name), open_ns, part)


def _with_part(bucket: Bucket | None, open_ns: int, part: Bucket) -> Bucket:
    if bucket is None or bucket.open_ns != open_ns:
        return msgspec.structs.replace(part, open_ns=open_ns)
    return Bucket(
        open_ns,
        bucket.open,
        max(bucket.high, part.high),
        min(bucket.low, part.low),
        part.close,
        bucket.volume + part.volume,
        bucket.turnover + part.turnover,
        bucket.trades + part.trades,
        part.trace,
        "trades" if bucket.source == part.source == "trades" else "rest",
    )


def _apply_frame(feed: Feed, bar: Bar) -> None:
    bucket = feed.frames.get(bar.timeframe)
    if bucket is not None and bucket.open_ns <= bar.open_ns:
        del feed.frames[bar.timeframe]
