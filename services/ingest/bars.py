"""Closes bars: 1m from trades or, behind the join, from the exchange's own; longer ones from 1m.

A minute without a trade has no bar. The exchange prints a flat one of volume 0 there; ingest leaves
it out whether it comes from trades or by REST, so that live bars, bars fetched afterwards and bars
of a replay are the same rows. Longer bars are said when every minute in them is known, and never
when the history begins inside of them.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from schema.units import (
    MINUTE_NS,
    MS_NS,
    bar_open_ns,
    fits,
    floor_scale,
    iso,
    quote_exp,
    quote_volume,
)
from services.ingest.buckets import Bucket
from services.ingest.effects import RawBar
from services.ingest.kept import LONGER
from services.ingest.line import Pass
from services.ingest.numbers import read, trace_of
from services.ingest.state import Feed


def close_bars(turn: Pass) -> None:
    """Say every bar that is complete by now."""
    feed, line = turn.feed, turn.line
    if line.rest_ns < max(feed.join_ns, line.join_ns):
        _close_frames(turn, line.rest_ns)
        return
    frontier_ns = max(bar_open_ns(feed.last_ns, "1m"), line.complete_ns, line.rest_ns)
    for minute in sorted(feed.minutes):
        if minute + MINUTE_NS <= frontier_ns:
            _say_minute(turn, minute, partial(minute_bar, feed, feed.minutes[minute]))
    _close_frames(turn, frontier_ns)


def say_fetched(turn: Pass, rows: tuple[RawBar, ...]) -> None:
    """Say the exchange's own bars of minutes whose trades ingest does not have."""
    for row in rows:
        open_ns = row[0] * MS_NS
        if open_ns >= turn.feed.covered_ns and row[5].strip("0."):
            _say_minute(turn, open_ns, partial(fetched_bar, turn.feed, row))


def next_close_ns(feed: Feed) -> int:
    """Return when the first bar in the making closes; 0 when none is."""
    closes = [minute + MINUTE_NS for minute in feed.minutes]
    closes += [bucket.open_ns + TIMEFRAMES_NS[name] for name, bucket in feed.frames.items()]
    return min(closes, default=0)


def _say_minute(turn: Pass, open_ns: int, make: Callable[[], Bar]) -> None:
    _close_frames(turn, open_ns)
    say_bar(turn, "1m", open_ns, make)
    _close_frames(turn, open_ns + MINUTE_NS)


def say_bar(turn: Pass, timeframe: str, open_ns: int, make: Callable[[], Bar]) -> None:
    """Say a bar that is made now; where it cannot be made, the feed has a defect."""
    # A sum beyond 64 bits would come again at every start: the feed halts, and ingest lives.
    try:
        bar = make()
    except ValueError as error:
        turn.line.defect = f"the {timeframe} bar of {iso(open_ns)} cannot be said: {error}"
    else:
        turn.say(bar)


def _close_frames(turn: Pass, frontier_ns: int) -> None:
    for name in LONGER:
        bucket = turn.feed.frames.get(name)
        if bucket is not None and bucket.open_ns + TIMEFRAMES_NS[name] <= frontier_ns:
            make = partial(bar_of, turn.feed, name, bucket, bucket.turnover)
            say_bar(turn, name, bucket.open_ns, make)


def minute_bar(feed: Feed, bucket: Bucket) -> Bar:
    """Return the bar of a minute of trades."""
    if bucket.open_ns == feed.lacks_ns:
        bucket = msgspec.structs.replace(bucket, whole=False)
    exp = feed.px_exp + feed.qty_exp
    money = quote_volume(bucket.turnover, exp, quote_exp(feed.px_exp, feed.qty_exp))
    return bar_of(feed, "1m", bucket, money)


def bar_of(feed: Feed, timeframe: str, bucket: Bucket, money: int) -> Bar:
    """Return a bar with so much of the quote asset in it."""
    return Bar(
        ts_event=bucket.open_ns + TIMEFRAMES_NS[timeframe],
        trace=bucket.trace,
        symbol=feed.symbol,
        timeframe=timeframe,
        open_ns=bucket.open_ns,
        open=bucket.open,
        high=bucket.high,
        low=bucket.low,
        close=bucket.close,
        volume=fits(bucket.volume),
        quote_volume=fits(money),
        trades=bucket.trades,
        px_exp=feed.px_exp,
        qty_exp=feed.qty_exp,
        quote_exp=quote_exp(feed.px_exp, feed.qty_exp),
        source=bucket.source,
        first_trade_id=max(0, bucket.first_id),
        last_trade_id=max(0, bucket.last_id),
        whole=bucket.whole,
        revision=bucket.revision,
    )


def fetched_bar(feed: Feed, row: RawBar) -> Bar:
    """Return the exchange's own bar of a minute."""
    open_ms, *texts, trades = row
    open_px, high, low, close, volume, turnover = texts
    prices, px_exp = read((open_px, high, low, close), feed.px_exp)
    (qty,), qty_exp = read([volume], feed.qty_exp)
    money_exp = quote_exp(px_exp, qty_exp)
    (money,), found_exp = read([turnover], money_exp)
    return Bar(
        ts_event=open_ms * MS_NS + MINUTE_NS,
        trace=trace_of(feed.symbol, "1m", open_ms),
        symbol=feed.symbol,
        timeframe="1m",
        open_ns=open_ms * MS_NS,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=qty,
        quote_volume=floor_scale(money, found_exp, money_exp),
        trades=trades,
        px_exp=px_exp,
        qty_exp=qty_exp,
        quote_exp=money_exp,
        source="rest",
    )
