"""How the months of the market are counted, what their files are called, how keys are packed.

Those who write a month and those who read it agree here. A place is a directory with `db/`, and
maybe `archive/market/`.
"""

import datetime as dt
import re
from functools import lru_cache
from pathlib import Path

from schema.units import DAY_NS

TICKS = "ticks"
"""What the series of ticks has for a timeframe."""

IDX_BITS = 26
IDX_MASK = (1 << IDX_BITS) - 1
"""The key of a bar: its series, and which bar since 1970 it is."""
TRADE_ID_BITS = 44
TRADE_ID_MASK = (1 << TRADE_ID_BITS) - 1
"""The key of a tick: its series, and its id."""

PREFIX = "market_data_"
ARCHIVED = ".arc.db"
MONTH = PREFIX + "[0-9]{4}_(?:0[1-9]|1[0-2])"
"""The pattern of a month's name."""

EPOCH = dt.date(1970, 1, 1)
LAST_DAY = 2_932_896  # the last of the year 9999

_file = re.compile(rf"({MONTH})(\.arc)?\.db")


def month_of(at_ns: int) -> int:
    """Return the month that a time lies in, as yyyymm, UTC; beyond the calendar its last one."""
    return _month_of_day(at_ns // DAY_NS)


def month_span_ns(month: int) -> tuple[int, int]:
    """Return when a month, as yyyymm, begins and when it is over."""
    year, number = divmod(month, 100)
    ends = ((year, number), (year + number // 12, number % 12 + 1))
    first, stop = ((dt.date(*end, 1) - EPOCH).days * DAY_NS for end in ends)
    return first, stop


def end_of_month_ns(month: int) -> int:
    """Return the first moment after a month."""
    return month_span_ns(month)[1]


def month_text(month: int) -> str:
    """Return a month as people write it, yyyy-mm."""
    return f"{month // 100:04d}-{month % 100:02d}"


def month_name(month: int) -> str:
    """Return what the file of a month is called, without its ending."""
    return f"{PREFIX}{month // 100:04d}_{month % 100:02d}"


def month_named(file: str) -> int:
    """Return the month whose live file or archive is called so; 0 for every other name."""
    found = _file.fullmatch(file)
    return int(found[1][-7:].replace("_", "")) if found is not None else 0


def archive_dir(place: Path) -> Path:
    """Return where the archives of a place lie."""
    return place / "archive" / "market"


@lru_cache(maxsize=4096)
def _month_of_day(day: int) -> int:
    if day > LAST_DAY:
        return 999912
    date = EPOCH + dt.timedelta(days=day)
    return date.year * 100 + date.month
