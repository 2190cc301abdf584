"""What `since` and `until` mean in a notebook: market time, as the shards have it."""

import datetime as dt
import re
from collections.abc import Callable

from bus.bars import open_bars
from bus.clock import Clock
from bus.errors import HouseError, ShardError
from bus.history import history_of
from bus.house import House
from bus.rows import Reader
from schema.units import DAY_NS, SECOND_NS, parse_iso
from services.rrr.places import UNITS_NS
from services.rrr.survey import market_clock

Moment = str | int | dt.datetime | None
"""A stretch before now such as "7d", an ISO time, a datetime, ns since 1970; None: no bound."""

END_NS = 1 << 62
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SPANS_NS = {**UNITS_NS, "w": 7 * DAY_NS}
NEWEST_SNAPSHOT = "SELECT ts_ns FROM trading.portfolio_snapshots ORDER BY id DESC LIMIT 1"

_span = re.compile(r"(\d+)([smhdw])")


def moment_ns(moment: Moment, now_ns: Callable[[], int], nothing_ns: int) -> int:
    """Return a moment in ns since 1970; `nothing_ns` without one."""
    if moment is None:
        return nothing_ns
    if isinstance(moment, dt.datetime):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
        return (aware - EPOCH) // dt.timedelta(microseconds=1) * 1_000
    if isinstance(moment, int):
        return moment
    span = _span.fullmatch(moment.strip())
    if span is not None:
        return now_ns() - int(span[1]) * SPANS_NS[span[2]]
    try:
        return parse_iso(moment)
    except ValueError as error:
        raise HouseError(
            f"no moment {moment!r}",
            "Write a stretch before now as in 90s, 10m, 2h, 7d, 4w, or an ISO time in UTC",
        ) from error


def now_ns(house: House, clock: Clock) -> int:
    """Return market time: that of the house that runs, or the newest that was kept."""
    running = market_clock(house)
    if running is not None:
        return running.market_ns(clock.wall_ns())
    return max(_newest_bar_ns(house), _newest_snapshot_ns(house)) or clock.wall_ns()


def wall_since_ns(house: House, since_ns: int) -> int:
    """Return a wall time before which nothing was said of a market time or a later one; 0: unknown.

    Where market time is the wall's that is plain; else only the life that runs is known.
    """
    if house.described.mode != "local":
        return since_ns
    running = market_clock(house)
    if running is None:
        return 0
    wall_ns = running.anchor_ns + int((since_ns - running.origin_ns) / running.scale)
    return wall_ns - SECOND_NS if wall_ns > running.anchor_ns else 0


def _newest_bar_ns(house: House) -> int:
    try:
        with open_bars(house.db_dir, history=history_of(house)) as reader:
            return reader.newest_ns()
    except ShardError:
        return 0


def _newest_snapshot_ns(house: House) -> int:
    try:
        with Reader(house.db_dir, "trading") as reader:
            rows = list(reader.rows(NEWEST_SNAPSHOT))
    except ShardError:
        return 0
    return int(rows[0]["ts_ns"] or 0) if rows else 0
