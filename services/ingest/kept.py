"""The newest bars that were said, so that a corrected minute corrects the longer ones around it.

A longer bar is made of those of the next shorter length, so a few dozen of them tell all that a
day is made of. The tuples are replaced and never changed: a draft of the books shares them.
"""

from bisect import bisect_left
from collections.abc import Mapping

from schema.setting_types import TIMEFRAMES_NS
from schema.units import MINUTE_NS, bar_open_ns
from services.ingest.buckets import Bucket, rescaled

SPAN_NS = 64 * MINUTE_NS
"""Minutes that are older than this are not corrected any more."""

NAMES = tuple(TIMEFRAMES_NS)
LONGER = NAMES[1:]
"""The timeframes that are made of 1m bars, shortest first."""

PART_OF = dict(zip(NAMES, LONGER, strict=False))
PARTS = {longer: shorter for shorter, longer in PART_OF.items()}

Kept = Mapping[str, tuple[Bucket, ...]]


def with_bar(kept: Kept, name: str, bucket: Bucket, until_ns: int) -> dict[str, tuple[Bucket, ...]]:
    """Return what is kept with one more bar, or with a newer one in the place of one."""
    bars = kept.get(name, ())
    place = bisect_left(bars, bucket.open_ns, key=_open_ns)
    behind = place + 1 if _is_at(bars, place, bucket.open_ns) else place
    found = (*bars[:place], bucket, *bars[behind:])
    first_ns = bar_open_ns(until_ns - SPAN_NS, PART_OF.get(name, name))
    return {**kept, name: found[bisect_left(found, first_ns, key=_open_ns) :]}


def bar_at(kept: Kept, name: str, open_ns: int) -> Bucket | None:
    """Return the bar that was said of a time."""
    bars = kept.get(name, ())
    place = bisect_left(bars, open_ns, key=_open_ns)
    return bars[place] if _is_at(bars, place, open_ns) else None


def before(kept: Kept, open_ns: int) -> Bucket | None:
    """Return the last minute that was said of a time before."""
    bars = kept.get("1m", ())
    place = bisect_left(bars, open_ns, key=_open_ns)
    return bars[place - 1] if place else None


def between(kept: Kept, name: str, first_ns: int, until_ns: int) -> tuple[Bucket, ...]:
    """Return the bars that open in [first_ns, until_ns), oldest first."""
    bars = kept.get(name, ())
    place = bisect_left(bars, first_ns, key=_open_ns)
    return bars[place : bisect_left(bars, until_ns, key=_open_ns)]


def parts(kept: Kept, making: Mapping[str, Bucket], name: str, open_ns: int) -> tuple[Bucket, ...]:
    """Return what a longer bar is made of: the next shorter ones, said or in the making."""
    shorter, until_ns = PARTS[name], open_ns + TIMEFRAMES_NS[name]
    found = between(kept, shorter, open_ns, until_ns)
    last = making.get(shorter)
    if last is not None and open_ns <= last.open_ns < until_ns:
        return (*found, last)
    return found


def grown(kept: Kept, px_up: int, qty_up: int, quote_up: int) -> dict[str, tuple[Bucket, ...]]:
    """Return what is kept with so many more decimals."""
    return {
        name: tuple(rescaled(bucket, px_up, qty_up, quote_up) for bucket in bars)
        for name, bars in kept.items()
    }


def _open_ns(bucket: Bucket) -> int:
    return bucket.open_ns


def _is_at(bars: tuple[Bucket, ...], place: int, open_ns: int) -> bool:
    return place < len(bars) and bars[place].open_ns == open_ns
