"""Exact numbers: decimal text and integers, ticks and lots, times and bars.

All rounding of the house is here. It never makes an order larger or more aggressive, and where a
number does not fit, it raises instead of rounding.
"""

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from schema.head import Side
from schema.setting_types import TIMEFRAMES_NS

INT64_LIMIT = 1 << 63
EXP_MAX = 18
MS_NS = 1_000_000
SECOND_NS = 1_000 * MS_NS
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS

_DECIMAL = re.compile(r"([+-]?[0-9]{1,40})(?:\.([0-9]{1,40}))?")
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Trigger = Literal["stop", "take_profit"]


def fits(n: int) -> int:
    """Return an integer that a shard and a message can hold; ValueError otherwise."""
    if not -INT64_LIMIT < n < INT64_LIMIT:
        raise ValueError(f"{n} does not fit: expected an absolute value below 2**63")
    return n


def to_int(text: str, exp: int) -> int:
    """Return a plain decimal as an integer with `exp` decimals; ValueError when it is not exact."""
    found = _exact(text)
    if found is None:
        raise ValueError(f"{text!r}: expected a plain decimal such as 0.10, for {exp} decimals")
    n, least = found
    if least > exp:
        raise ValueError(f"{text!r} has {least} decimals: expected at most {exp}")
    n *= 10 ** (exp - least)
    return n if -INT64_LIMIT < n < INT64_LIMIT else fits(n)


@lru_cache(2048)  # Most texts are looked at a few times in a row, first for their decimals.
def _exact(text: str) -> tuple[int, int] | None:
    """Return a plain decimal as an integer, and its decimals, without zeros at the end."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return None
    decimals = (found[2] or "").rstrip("0")
    return int(found[1] + decimals), len(decimals)


@lru_cache(2048)  # Most amounts are written several times, by who asks, who judges and who sends.
def to_text(n: int, exp: int) -> str:
    """Return an integer with `exp` decimals as plain decimal text."""
    digits = str(abs(n)).rjust(exp + 1, "0")
    sign = "-" if n < 0 else ""
    return f"{sign}{digits[:-exp]}.{digits[-exp:]}" if exp else f"{sign}{digits}"


def exp_of(step: str) -> int:
    """Return the decimals that a step needs: 2 for 0.01000000, 0 for 1.00000000."""
    found = _exact(step)
    if found is None or found[1] > EXP_MAX:
        raise ValueError(f"{step!r}: expected a plain decimal of at most {EXP_MAX} decimals")
    return found[1]


def at_least(text: str, exp: int) -> int:
    """Return a lower bound with `exp` decimals, rounded up; ValueError where it does not fit."""
    return fits(-_floored(f"-{text}" if not text.startswith("-") else text[1:], exp))


def at_most(text: str, exp: int) -> int:
    """Return an upper bound with `exp` decimals, rounded down; 0, for none, where none fits."""
    n = _floored(text, exp)
    return n if -INT64_LIMIT < n < INT64_LIMIT else 0


def _floored(text: str, exp: int) -> int:
    least = exp_of(text)
    found = _exact(text)
    assert found is not None
    n, missing = found[0], exp - least
    return int(n * 10**missing) if missing >= 0 else int(n // 10**-missing)


def widened(text: str, exp: int) -> tuple[int, int]:
    """Return a plain decimal as an integer of `exp` decimals, or of as many more as it needs."""
    exp = max(exp, exp_of(text))
    return to_int(text, exp), exp


def to_ints(texts: Iterable[str], exp: int) -> tuple[tuple[int, ...], int]:
    """Return plain decimals as integers of `exp` decimals, or of as many more as one needs."""
    texts = tuple(texts)
    exp = max(exp, *map(exp_of, texts))
    return tuple(to_int(text, exp) for text in texts), exp


def rescale(n: int, from_exp: int, to_exp: int) -> int:
    """Return the same number with other decimals; ValueError when digits would be lost."""
    if to_exp >= from_exp:
        n *= 10 ** (to_exp - from_exp)
        return n if -INT64_LIMIT < n < INT64_LIMIT else fits(n)
    scaled = floor_scale(n, from_exp, to_exp)
    if scaled * 10 ** (from_exp - to_exp) != n:
        raise ValueError(f"{to_text(n, from_exp)} cannot be written with {to_exp} decimals")
    return scaled


def floor_scale(n: int, from_exp: int, to_exp: int) -> int:
    """Return a number with other decimals, rounded down where digits are lost."""
    if to_exp > from_exp:
        n *= 10 ** (to_exp - from_exp)
    elif to_exp < from_exp:
        n //= 10 ** (from_exp - to_exp)
    return n if -INT64_LIMIT < n < INT64_LIMIT else fits(n)


def ceil_scale(n: int, from_exp: int, to_exp: int) -> int:
    """Return a number with other decimals, rounded up where digits are lost."""
    if to_exp > from_exp:
        n *= 10 ** (to_exp - from_exp)
    elif to_exp < from_exp:
        n = -(-n // 10 ** (from_exp - to_exp))
    return n if -INT64_LIMIT < n < INT64_LIMIT else -fits(-n)


def notional(px: int, qty: int, exp: int, quote_exp: int) -> int:
    """Return price times quantity, rounded down; `exp` is px_exp + qty_exp."""
    n = px * qty
    n = n // 10 ** (exp - quote_exp) if exp > quote_exp else n * 10 ** (quote_exp - exp)
    return n if -INT64_LIMIT < n < INT64_LIMIT else fits(n)


def notional_at_most(px: int, qty: int, exp: int, quote_exp: int) -> int:
    """Return price times quantity, rounded up: what to reserve, and to hold against a limit."""
    return ceil_scale(px * qty, exp, quote_exp)


def quote_volume(turnover: int, exp: int, quote_exp: int) -> int:
    """Return the sum of a bar's prices times quantities, rounded down once."""
    return floor_scale(turnover, exp, quote_exp)


def quote_exp(px_exp: int, qty_exp: int) -> int:
    """Return the decimals of money in the quote asset: exact where eight suffice."""
    return min(px_exp + qty_exp, 8)


def floor_to(n: int, step: int) -> int:
    """Return the largest multiple of a step that is not above n; a step of 0 asks for nothing."""
    assert n >= 0
    assert step >= 0
    return n - n % step if step else n


def ceil_to(n: int, step: int) -> int:
    """Return the smallest multiple of a step that is not below n."""
    assert n >= 0
    assert step >= 0
    return fits(n + -n % step) if step else n


def limit_px(px: int, tick: int, side: Side) -> int:
    """Return a limit price on a tick: a buy never dearer, a sell never cheaper."""
    return floor_to(px, tick) if side == "buy" else ceil_to(px, tick)


def trigger_px(px: int, tick: int, side: Side, kind: Trigger) -> int:
    """Return a trigger price on a tick, away from the market: it never fires earlier."""
    above = (side == "buy") == (kind == "stop")
    return ceil_to(px, tick) if above else floor_to(px, tick)


def order_qty(qty: int, lot: int) -> int:
    """Return a quantity in whole lots, never larger; 0 when it is less than one."""
    return floor_to(qty, lot)


def iso(ns: int) -> str:
    """Return a time as ISO text in UTC, with as many groups of decimals as it needs."""
    seconds, fraction_ns = divmod(ns, SECOND_NS)
    text = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    decimals = f"{fraction_ns:09d}" if fraction_ns else ""
    while decimals.endswith("000"):
        decimals = decimals[:-3]
    return f"{text}.{decimals}Z" if decimals else f"{text}Z"


def iso_ms(ns: int) -> str:
    """Return a time as ISO text in UTC, to the millisecond: of one width, so that it sorts."""
    return f"{iso(ns // SECOND_NS * SECOND_NS)[:-1]}.{ns // MS_NS % 1000:03d}Z"


def parse_iso(text: str) -> int:
    """Return ns since 1970 of an ISO time; without an offset it is UTC."""
    found = _ISO.fullmatch(text.strip())
    day, minute, second, decimals, zone = found.groups() if found else ("", None, None, None, None)
    offset = "+00:00" if zone in {None, "Z"} else zone
    try:
        at = dt.datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}{offset}")
    except ValueError:
        raise ValueError(f"{text!r}: expected an ISO time such as 2024-08-08T00:00:00Z") from None
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_NS + int((decimals or "0").ljust(9, "0"))


def timeframe_ns(timeframe: str) -> int:
    """Return the length of a timeframe; ValueError for one that the house does not know."""
    if timeframe not in TIMEFRAMES_NS:
        raise ValueError(f"{timeframe!r}: expected one of {' '.join(TIMEFRAMES_NS)}")
    return TIMEFRAMES_NS[timeframe]


def bar_open_ns(at_ns: int, timeframe: str) -> int:
    """Return when the bar that holds a time opened."""
    return at_ns - at_ns % timeframe_ns(timeframe)


def bar_close_ns(at_ns: int, timeframe: str) -> int:
    """Return when the bar that holds a time closes; that moment belongs to the next one."""
    return bar_open_ns(at_ns, timeframe) + timeframe_ns(timeframe)
