"""Trades made from bars: same open, high, low and close, and volumes that add up to the last lot.

A minute's trades are a function of (seed, symbol, minute, bar) alone. The price walks open → first
extreme → second extreme → close and never leaves the bar; quantities are differences of a rounded
running share, so that nothing is lost to rounding; times rise inside the minute.
"""

import numpy as np

from services.venue.columns import MINUTE_MS, Bars, Tape
from services.venue.noise import Flags, Floats, Ints, below, key, uniform, words

COUNT_MAX = 4096
USUAL_MIN = 6
USUAL_SPAN = 19
WOBBLE = 0.3
LEAST_GAP = 0.05
LEAST_MAX = 4  # trades of a bar whose four prices differ


class Chance:
    """The keys of one symbol's tape."""

    def __init__(self, seed: int, symbol: str) -> None:
        self.order = key(seed, symbol, "order")
        self.first = key(seed, symbol, "first")
        self.second = key(seed, symbol, "second")
        self.count = key(seed, symbol, "count")
        self.price = key(seed, symbol, "price")
        self.qty = key(seed, symbol, "qty")
        self.time = key(seed, symbol, "time")
        self.side = key(seed, symbol, "side")


def flaw(open_: int, high: int, low: int, close: int, volume: int) -> str | None:
    """Return why no trades can make this bar, or None; volume is in lots."""
    if min(open_, high, low, close) <= 0:
        return "prices above zero"
    if volume < 0:
        return "a volume of zero or more"
    if not low <= min(open_, close) <= max(open_, close) <= high:
        return "low <= open, close <= high"
    needed = least(open_, high, low, close)
    if volume == 0 and needed == 1:
        return None
    if volume < needed:
        return f"a volume of at least {needed} lots, one for each trade that these prices need"
    return None


def least(open_: int, high: int, low: int, close: int) -> int:
    """Return how many trades a bar needs to show its four prices."""
    if high == low:
        return 1
    return 2 + (high not in {open_, close}) + (low not in {open_, close})


def counts(chance: Chance, bars: Bars) -> Ints:
    """Return how many trades each bar prints: a usual number, within what the bar allows."""
    minute = bars.open_ms // MINUTE_MS
    usual = USUAL_MIN + below(chance.count, minute, USUAL_SPAN)
    ends = (bars.open, bars.close)
    needed = 2 + ~_among(bars.high, ends) + ~_among(bars.low, ends)
    needed = np.where(bars.high == bars.low, 1, needed)
    found: Ints = np.minimum(np.maximum(usual, needed), bars.volume)
    return found


def _among(value: Ints, others: tuple[Ints, Ints]) -> Flags:
    found: Flags = (value == others[0]) | (value == others[1])
    return found


def make_tape(chance: Chance, bars: Bars, first_id: int) -> Tape:
    """Return the trades of consecutive bars, each of which has 1 <= count <= COUNT_MAX."""
    count = bars.count
    row = np.repeat(np.arange(len(count)), count)
    starts = np.cumsum(count) - count
    place = np.arange(len(row)) - starts[row]
    index = (bars.open_ms // MINUTE_MS)[row] * COUNT_MAX + place
    px = _prices(chance, bars, row, place, index)
    return Tape(
        first_id,
        bars.open_ms[row] + _times(uniform(chance.time, index), starts, count, row),
        px,
        _quantities(uniform(chance.qty, index), starts, bars, row),
        _makers(chance, px, place, index),
    )


def _high_first(chance: Chance, bars: Bars) -> Flags:
    # An extreme that is the open comes first, one that is the close comes last: fewest trades.
    coin = words(chance.order, bars.open_ms // MINUTE_MS) & np.uint64(1)
    return np.select(
        [
            bars.high == bars.open,
            bars.low == bars.open,
            bars.high == bars.close,
            bars.low == bars.close,
        ],
        [True, False, False, True],
        coin == 1,
    ).astype(np.bool_)


def _prices(chance: Chance, bars: Bars, row: Ints, place: Ints, index: Ints) -> Ints:
    minute = bars.open_ms // MINUTE_MS
    high_first = _high_first(chance, bars)
    first = np.where(high_first, bars.high, bars.low)
    second = np.where(high_first, bars.low, bars.high)
    last = bars.count - 1
    at_end = second == bars.close
    free = last - 2 + at_end
    one = np.where(first == bars.open, 0, 1 + below(chance.first, minute, free))
    two = np.where(at_end, last, one + 1 + below(chance.second, minute, last - 1 - one))
    one, two, last, first, second = one[row], two[row], last[row], first[row], second[row]
    opened, closed = bars.open[row], bars.close[row]
    leg_one, leg_two = place <= one, place <= two
    from_px = np.where(leg_one, opened, np.where(leg_two, first, second))
    to_px = np.where(leg_one, first, np.where(leg_two, second, closed))
    from_at = np.where(leg_one, 0, np.where(leg_two, one, two))
    to_at = np.where(leg_one, one, np.where(leg_two, two, last))
    share = (place - from_at) / np.maximum(to_at - from_at, 1)
    high, low = bars.high[row], bars.low[row]
    wobble = (uniform(chance.price, index) - 0.5) * (high - low) * WOBBLE
    px = np.rint(from_px + (to_px - from_px) * share + wobble).astype(np.int64)
    px = np.minimum(np.maximum(px, low), high)
    at = [place == last, place == 0, place == one, place == two]
    return np.select(at, [closed, opened, first, second], px)


def _quantities(weight: Floats, starts: Ints, bars: Bars, row: Ints) -> Ints:
    weight = weight * weight * weight + 0.01
    spare = (bars.volume - bars.count)[row]
    upto = _running(weight, starts, row)
    whole = upto[(starts + bars.count - 1)[row]]
    given = np.minimum((spare * np.minimum(upto / whole, 1.0)).astype(np.int64), spare)
    ends = starts + bars.count - 1
    given[ends] = spare[ends]
    before = np.concatenate([np.zeros(1, np.int64), given[:-1]])
    before[starts] = 0
    found: Ints = 1 + given - before
    return found


def _times(gap: Floats, starts: Ints, count: Ints, row: Ints) -> Ints:
    upto = _running(gap + LEAST_GAP, starts, row)
    whole = upto[(starts + count - 1)[row]] + (0.5 + LEAST_GAP)
    found: Ints = np.minimum((upto / whole * MINUTE_MS).astype(np.int64), MINUTE_MS - 1)
    return found


def _running(weight: Floats, starts: Ints, row: Ints) -> Floats:
    # Hundredths of a millionth as integers: the running sum of a minute is then the same whichever
    # minutes stand before it in the block.
    units = (weight * 1e8).astype(np.int64) + 1
    upto = np.cumsum(units)
    return (upto - (upto[starts] - units[starts])[row]).astype(np.float64)


def _makers(chance: Chance, px: Ints, place: Ints, index: Ints) -> Flags:
    coin = (words(chance.side, index) & np.uint64(1)).astype(np.bool_)
    step = np.diff(px, prepend=px[:1])
    return np.where((step == 0) | (place == 0), coin, step < 0).astype(np.bool_)
