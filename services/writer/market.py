"""Which market messages are kept, in which month, and what their rows hold.

Keys are packed: series << 26 | open_s / tf_s for bars, series << 44 | trade_id for ticks, so that
a repeat finds its own key taken and a month can be written again after a kill.
"""

import msgspec

from bus.month_names import IDX_BITS, TICKS, TRADE_ID_BITS, month_of
from schema.head import Message
from schema.market import Bar, FeedGap, Trade
from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS, EXP_MAX, INT64_LIMIT, SECOND_NS, rescale
from services.writer.effects import Keep

FIRST_NS = 946_684_800 * SECOND_NS  # the year 2000
AHEAD_NS = 31 * DAY_NS
"""A time farther ahead is garbage: its month would become the newest, and hold the positions."""

SOURCES = {"trades": 0, "rest": 1}

Exponents = tuple[int, int, int]


class Series(msgspec.Struct, frozen=True):
    """A series as one month's file has it: its number, and the decimals of its values."""

    number: int
    exponents: Exponents


def keep(message: Message, now_ns: int) -> Keep | None:
    """Return what is kept of a market message; None for what the market shard has no place for."""
    match message:
        case Trade():
            return _kept(message, message.ts_event, _trade_fault(message), now_ns)
        case Bar():
            return _kept(message, message.open_ns, _bar_fault(message), now_ns)
        case FeedGap():
            return _kept(message, message.ts_event, "", now_ns)
    return None


def series_name(message: Bar | Trade) -> tuple[str, str]:
    """Return the symbol and timeframe of the series that a message belongs to."""
    return message.symbol, message.timeframe if isinstance(message, Bar) else TICKS


def series_exponents(message: Bar | Trade) -> Exponents:
    """Return the decimals of price, quantity and quote volume of a message."""
    quote_exp = message.quote_exp if isinstance(message, Bar) else 0
    return message.px_exp, message.qty_exp, quote_exp


def series_seconds(timeframe: str) -> int:
    """Return the length of a series' bars; 0 for ticks."""
    return 0 if timeframe == TICKS else TIMEFRAMES_NS[timeframe] // SECOND_NS


def tick_row(trade: Trade, series: Series) -> tuple[int, ...]:
    """Return a trade's row in the decimals of its series; ValueError when they cannot hold it."""
    px_exp, qty_exp, _ = series.exponents
    return (
        series.number << TRADE_ID_BITS | trade.trade_id,
        trade.ts_event,
        rescaled(trade.px, trade.px_exp, px_exp),
        rescaled(trade.qty, trade.qty_exp, qty_exp),
        int(trade.buyer_maker),
    )


def bar_row(bar: Bar, series: Series) -> tuple[int, ...]:
    """Return a bar's row in the decimals of its series; ValueError when they cannot hold it."""
    px_exp, qty_exp, quote_exp = series.exponents
    prices = (rescaled(px, bar.px_exp, px_exp) for px in (bar.open, bar.high, bar.low, bar.close))
    return (
        series.number << IDX_BITS | bar.open_ns // TIMEFRAMES_NS[bar.timeframe],
        *prices,
        rescaled(bar.volume, bar.qty_exp, qty_exp),
        rescaled(bar.quote_volume, bar.quote_exp, quote_exp),
        bar.trades,
        SOURCES[bar.source],
    )


def rescaled(number: int, before: int, after: int) -> int:
    """Return the same value with other decimals, exactly; ValueError when it has more of them."""
    return number if before == after else rescale(number, before, after)


def _kept(message: Message, at_ns: int, fault: str, now_ns: int) -> Keep:
    if not FIRST_NS <= at_ns <= now_ns + AHEAD_NS:
        fault = fault or f"its time {at_ns} is not between the year 2000 and a month from now"
    if fault:
        return Keep(message=message, refused=fault)
    return Keep(message=message, month=month_of(at_ns))


def _trade_fault(trade: Trade) -> str:
    if not 0 <= trade.trade_id < 1 << TRADE_ID_BITS:
        return f"trade id {trade.trade_id} is not between 0 and 2^{TRADE_ID_BITS}"
    return _exponent_fault(trade)


def _bar_fault(bar: Bar) -> str:
    tf_ns = TIMEFRAMES_NS.get(bar.timeframe)
    if tf_ns is None:
        return f"timeframe {bar.timeframe!r} is none of {', '.join(TIMEFRAMES_NS)}"
    if bar.open_ns % tf_ns:
        return f"open time {bar.open_ns} is not on the grid of {bar.timeframe}"
    if bar.open_ns // tf_ns >> IDX_BITS:
        return f"open time {bar.open_ns} is beyond what a key of {bar.timeframe} holds"
    if not 0 <= bar.revision < INT64_LIMIT:
        return f"revision {bar.revision} is not between 0 and 2^63"
    if bar.source not in SOURCES:
        return f"source {bar.source!r} is none of {', '.join(SOURCES)}"
    return _exponent_fault(bar)


def _exponent_fault(message: Bar | Trade) -> str:
    exponents = series_exponents(message)
    if any(not 0 <= exponent <= EXP_MAX for exponent in exponents):
        return f"decimals {exponents} are not all between 0 and {EXP_MAX}"
    return ""
