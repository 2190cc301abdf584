"""What some minutes of one symbol came to, and how such parts become one bar."""

from collections.abc import Sequence

import msgspec

from bus.month_names import IDX_MASK
from schema.units import MINUTE_NS, fits, quote_volume, rescale
from services.writer.coverage import Row
from services.writer.market import Exponents


class Part(msgspec.Struct, gc=False):
    """What some minutes that follow each other came to, in the decimals of their source."""

    first: int  # minutes since 1970
    last: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: int  # of trades: price times quantity, exact
    trades: int
    until_ns: int


def of_bar_rows(rows: Sequence[Row]) -> Part:
    """Return what bars of one series came to, which follow each other."""
    keys, opens, highs, lows, closes, volumes, quotes, trades, _ = zip(*rows, strict=True)
    last = keys[-1] & IDX_MASK
    return Part(
        keys[0] & IDX_MASK,
        last,
        opens[0],
        max(highs),
        min(lows),
        closes[-1],
        sum(volumes),
        sum(quotes),
        sum(trades),
        (last + 1) * MINUTE_NS,
    )


def joined(parts: Sequence[Part]) -> Part:
    """Return what several parts came to; none reaches into another."""
    begin = min(parts, key=lambda part: part.first)
    end = max(parts, key=lambda part: part.last)
    return Part(
        begin.first,
        end.last,
        begin.open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        end.close,
        sum(part.volume for part in parts),
        sum(part.quote for part in parts),
        sum(part.trades for part in parts),
        max(part.until_ns for part in parts),
    )


def live_row(number: int, idx: int, part: Part) -> Row:
    """Return the row of an open bar; ValueError when it holds too much."""
    prices = part.open, part.high, part.low, part.close
    sums = fits(part.volume), fits(part.quote), part.trades
    return number, idx, *prices, *sums, part.until_ns


def of_bars(part: Part, found: Exponents, wanted: Exponents) -> Part:
    """Return a part made of bars, in the decimals of another series; ValueError if lossy."""
    return _rescaled(part, found, wanted, part.quote)


def of_trades(part: Part, found: Exponents, wanted: Exponents) -> Part:
    """Return a part made of trades, in the decimals of a series of bars; ValueError if lossy."""
    px_exp, qty_exp, _ = found
    quote = quote_volume(part.quote, px_exp + qty_exp, wanted[2])
    return _rescaled(part, (px_exp, qty_exp, wanted[2]), wanted, quote)


def _rescaled(part: Part, found: Exponents, wanted: Exponents, quote: int) -> Part:
    opened, high, low, close = (
        rescale(px, found[0], wanted[0]) for px in (part.open, part.high, part.low, part.close)
    )
    volume = rescale(part.volume, found[1], wanted[1])
    quote = rescale(quote, found[2], wanted[2])
    ends, prices = (part.first, part.last), (opened, high, low, close)
    return Part(*ends, *prices, volume, quote, part.trades, part.until_ns)
