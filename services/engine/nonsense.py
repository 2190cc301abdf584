"""What is wrong with a target: numbers that are none, and fields that do not go together.

The names of its fields stand first, then what was expected and what was found, for the author.
"""

from itertools import pairwise
from math import isfinite

from schema.units import INT64_LIMIT
from services.engine.plain import plain
from services.engine.strategy import Target

SIZED = frozenset({"weight", "qty", "notional"})
TIFS = ("GTC", "IOC", "FOK")
KINDS = ("weight", "qty", "notional", "flat", "keep")
PRICES = ("limit", "stop", "take", "trigger", "stop_limit", "trail", "trail_bps", "trail_from")
TIMES = ("expires", "good_till")
LADDERS = ("ladder", "takes")

RUNGS_MAX = 10
ROUNDING = 1e-6
"""Shares that come so near to one are one: a third is no decimal."""

BPS = 10_000


def nonsense(target: Target) -> str:
    """Return what is wrong with a target; nothing when it can be followed."""
    kind, size = target.kind, target.size
    limit, stop, take = target.limit, target.stop, target.take
    if not isfinite(size):
        return _not_a_number(target)
    if limit or stop or take or target.trigger or target.stop_limit:
        positive = min(limit, stop, take, target.trigger, target.stop_limit) >= 0
        if not (positive and isfinite(limit + stop + take + target.trigger + target.stop_limit)):
            return _not_a_number(target)
    if not 0 <= target.expires < INT64_LIMIT:  # It may have more digits than Python writes.
        return "expires: expected a market time in ns, found one below 0 or beyond 2^63"
    if kind not in SIZED:
        return _of_no_size(target)
    if kind == "weight" and not -1 <= size <= 1:
        return f"size: expected a weight from -1 to 1, found {size}"
    if target.trigger or target.stop_limit or target.post_only or target.tif != "GTC":
        found = _at_odds(target)
        if found:
            return found
    trails = target.trail or target.trail_bps or target.trail_from
    if trails or target.good_till or target.ladder or target.takes:
        return _of_trail(target) or _of_time(target) or _of_ladders(target)
    return ""


def _at_odds(target: Target) -> str:
    """Return which of its fields do not go together; nothing when they do."""
    if target.tif not in TIFS:
        return f"tif: expected one of {' '.join(TIFS)}, found {plain(target.tif)}"
    if not (target.limit or target.ladder) and (target.tif != "GTC" or target.post_only):
        name = "post_only" if target.post_only else f"tif {target.tif}"
        return f"{name}: expected a limit beside it, found none"
    if target.post_only and target.tif != "GTC":
        return f"post_only: expected tif GTC, for it waits in the book, found {target.tif}"
    if target.post_only and target.trigger:
        return f"post_only: a limit behind a trigger may take, found trigger {target.trigger}"
    if target.stop_limit and not target.stop:
        return "stop_limit: expected a stop beside it, found none"
    beyond = (target.stop_limit - target.stop) * (1 if target.size > 0 else -1) > 0
    if target.stop_limit and beyond:
        side = "below" if target.size > 0 else "above"
        return (
            f"stop_limit: expected at the stop {target.stop} or {side}, found {target.stop_limit}"
        )
    return ""


def _of_trail(target: Target) -> str:
    for name in ("trail", "trail_bps", "trail_from"):
        if not 0 <= getattr(target, name) < float("inf"):
            return _no_price(target, name)
    trails = target.trail or target.trail_bps
    if target.trail and target.trail_bps:
        return f"trail_bps: expected one of trail and trail_bps, found both, {target.trail_bps}"
    if target.trail_bps >= BPS:
        return (
            f"trail_bps: expected below {BPS}, which is the whole price, found {target.trail_bps}"
        )
    if target.trail_from and not trails:
        return "trail_from: expected trail or trail_bps beside it, found none"
    if target.trail_from and not target.stop:
        return "trail_from: expected a stop beside it, which holds until then, found none"
    if trails and target.stop_limit:
        return f"stop_limit: a stop that trails sells at the market, found {target.stop_limit}"
    return ""


def _of_time(target: Target) -> str:
    if not 0 <= target.good_till < INT64_LIMIT:
        return "good_till: expected a market time in ns, found one below 0 or beyond 2^63"
    if not target.good_till:
        return ""
    if not (target.limit or target.trigger or target.ladder):
        return "good_till: expected a limit, a trigger or a ladder beside it, found none"
    if target.tif != "GTC":
        return f"good_till: expected tif GTC, for it waits until then, found {target.tif}"
    return ""


def _of_ladders(target: Target) -> str:
    for name in LADDERS:
        if getattr(target, name) and (found := _of_steps(target, name)):
            return found
    for name in ("limit", "trigger"):
        if target.ladder and (value := getattr(target, name)):
            return f"{name}: a ladder has its own limits, found {value}"
    if target.ladder and target.tif != "GTC":
        return f"tif: expected GTC beside a ladder, which waits in the book, found {target.tif}"
    if target.takes and target.take:
        return f"take: expected one of take and takes, found both, {target.take}"
    return _out_of_order(target)


def _of_steps(target: Target, name: str) -> str:
    steps = getattr(target, name)
    if len(steps) > RUNGS_MAX:
        return f"{name}: expected at most {RUNGS_MAX} prices, found {len(steps)}"
    for number, (price, share) in enumerate(steps, 1):
        if not 0 < price < float("inf"):
            return f"{name}: expected a finite price above 0 in no. {number}, found {price}"
        if not 0 < share <= 1:
            return f"{name}: expected a share above 0, at most 1, in no. {number}, found {share}"
    if len({price for price, _ in steps}) < len(steps):
        return f"{name}: expected each price once, found {_prices(steps)}"
    whole = sum(share for _, share in steps)
    if abs(whole - 1) > ROUNDING:
        return f"{name}: expected shares whose sum is 1, found {whole:g}"
    return ""


def _out_of_order(target: Target) -> str:
    """Return which ladder is on the wrong side of which price: stop, entries, takes in this row."""
    sign = 1 if target.size > 0 else -1
    rows = (
        ("stop", [target.stop] if target.stop else []),
        ("ladder", [price for price, _ in target.ladder]),
        ("takes", [price for price, _ in target.takes]),
    )
    there = [(name, sorted(prices, key=lambda px: px * sign)) for name, prices in rows if prices]
    side = "above" if sign > 0 else "below"
    for (low, lower), (high, upper) in pairwise(there):
        if (upper[0] - lower[-1]) * sign <= 0:
            found = _prices(getattr(target, high))
            return f"{high}: expected all {side} its {low} {lower[-1]:g}, found {found}"
    return ""


def _prices(steps: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{price:g}" for price, _ in steps)


def _not_a_number(target: Target) -> str:
    if not isfinite(target.size):
        return f"size: expected a finite number, found {target.size}"
    for name in PRICES:
        value = getattr(target, name)
        if not 0 <= value < float("inf"):
            return _no_price(target, name)
    found = ", ".join(str(getattr(target, name)) for name in PRICES[:5])
    return f"prices: expected finite ones, found {found}"


def _no_price(target: Target, name: str) -> str:
    what = "number" if name == "trail_bps" else "price"
    return f"{name}: expected a finite {what} or 0, found {getattr(target, name)}"


def _of_no_size(target: Target) -> str:
    if target.kind not in KINDS:
        return f"kind: expected one of {' '.join(KINDS)}, found {plain(target.kind)}"
    for name in ("size", *PRICES, *TIMES, *LADDERS):
        if value := getattr(target, name):
            return f"{name}: {target.kind} takes none, found {value}"
    if target.post_only or target.tif != "GTC":
        name = "post_only" if target.post_only else "tif"
        return f"{name}: {target.kind} takes none, found {plain(getattr(target, name))}"
    return ""
