"""Bars in the making: plain sums of trades and of shorter bars, exact to the last unit."""

from collections.abc import Iterable
from functools import reduce

import msgspec

from schema.market import Bar
from schema.units import quote_exp


class Bucket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A bar in the making, or one that was said and may still be corrected."""

    open_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int  # of a minute of trades: px_exp + qty_exp decimals, exact; else: quote_exp
    trades: int
    trace: int
    source: str
    first_id: int = 0
    last_id: int = 0
    whole: bool = True
    revision: int = 0


def with_trade(
    bucket: Bucket | None, minute: int, px: int, qty: int, trade_id: int, trace: int
) -> Bucket:
    """Return a minute with one more trade in it."""
    if bucket is None:
        money = px * qty
        return Bucket(
            minute, px, px, px, px, qty, money, 1, trace, "trades", trade_id, trade_id
        )  # By place: a name costs a tenth of it, and this is done for each trade.
    high, low = bucket.high, bucket.low
    return Bucket(
        minute,
        bucket.open,
        high if high >= px else px,  # noqa: FURB136 - a call costs more than all else here
        low if low <= px else px,  # noqa: FURB136 - as above
        px,
        bucket.volume + qty,
        bucket.turnover + px * qty,
        bucket.trades + 1,
        trace,
        "trades",
        bucket.first_id,
        trade_id,
        bucket.whole,
    )


def with_part(bucket: Bucket | None, open_ns: int, part: Bucket) -> Bucket:
    """Return a longer bar with one more of its parts in it."""
    if bucket is None or bucket.open_ns != open_ns:
        return msgspec.structs.replace(part, open_ns=open_ns, revision=0)
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
        bucket.first_id,
        part.last_id,
        bucket.whole and part.whole,
    )


def of_parts(open_ns: int, parts: Iterable[Bucket]) -> Bucket | None:
    """Return the longer bar that these parts make, oldest first; None where there are none."""
    none: Bucket | None = None
    return reduce(lambda bar, part: with_part(bar, open_ns, part), parts, none)


def of_bar(bar: Bar, px_exp: int, qty_exp: int) -> Bucket:
    """Return a bar that was said, in decimals that are no fewer than its own."""
    bucket = Bucket(
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
        bar.first_trade_id,
        bar.last_trade_id,
        bar.whole,
        bar.revision,
    )
    px_up, qty_up = px_exp - bar.px_exp, qty_exp - bar.qty_exp
    return rescaled(bucket, px_up, qty_up, quote_exp(px_exp, qty_exp) - bar.quote_exp)


def rescaled(bucket: Bucket, px_up: int, qty_up: int, turnover_up: int) -> Bucket:
    """Return the same bar with so many more decimals."""
    if px_up == qty_up == turnover_up == 0:
        return bucket
    return msgspec.structs.replace(
        bucket,
        open=bucket.open * 10**px_up,
        high=bucket.high * 10**px_up,
        low=bucket.low * 10**px_up,
        close=bucket.close * 10**px_up,
        volume=bucket.volume * 10**qty_up,
        turnover=bucket.turnover * 10**turnover_up,
    )
