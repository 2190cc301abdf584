"""What is there of each series, and what is missing: exact, over rows, archives and history."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bus.bars import open_bars
from bus.clock import Clock
from bus.errors import ShardError
from bus.history import histories
from bus.house import House
from bus.month_names import TICKS
from schema.setting_types import TIMEFRAMES_NS
from schema.units import iso
from services.rrr.data_bars import gaps_of
from services.rrr.data_digits import Ints
from services.writer.archive_files import archived_months, live_months

READ_LIMIT_MS = 600_000
FOREVER_NS = 1 << 62
HISTORY_PLACE = "history"


class Place(msgspec.Struct, frozen=True):
    """Where bars are kept: a world, or the history of an exchange."""

    name: str  # of the world, or `history`
    exchange: str
    path: Path


class Coverage(msgspec.Struct, frozen=True):
    """What there is of one series in one place; times are those at which bars open."""

    place: str
    exchange: str
    symbol: str
    timeframe: str
    first: str
    last: str
    rows: int
    missing: int  # absent intervals between first and last
    gaps: list[dict[str, Any]]  # from, to, missing: the largest first


def places_of(house: House) -> list[Place]:
    """Return the places that hold bars: the world that runs here, and each history."""
    described = house.described
    world = Place(house.world, described.exchange or described.mode, house.world_dir)
    behind = [Place(HISTORY_PLACE, path.name, path) for path in histories(house)]
    return [one for one in (world, *behind) if holds_bars(one.path)]


def holds_bars(place: Path) -> bool:
    """Return whether a place has a month, of rows or archived."""
    return bool(live_months(place)) or bool(archived_months(place))


def coverage(
    place: Place,
    clock: Clock,
    gaps: int,
    wanted: Callable[[str, str], bool],
    damaged: list[str],
) -> Iterator[Coverage]:
    """Yield what there is of the wanted series of a place; what cannot be read is named."""
    try:
        with open_bars(place.path / "db", clock, READ_LIMIT_MS) as reader:
            names = [name for name in reader.series() if name[1] != TICKS and wanted(*name)]
            for symbol, timeframe in names:
                try:
                    bars = reader.between(symbol, timeframe, 0, FOREVER_NS, ())
                except ShardError as error:
                    damaged.append(f"{place.name} {place.exchange} {symbol} {timeframe}: {error}")
                    continue
                if len(bars):
                    yield _covered(place, symbol, timeframe, bars.open_ns, gaps)
    except ShardError as error:
        damaged.append(f"{place.name} {place.exchange}: {error}")


def _covered(place: Place, symbol: str, timeframe: str, opens_ns: Ints, gaps: int) -> Coverage:
    tf_ns = TIMEFRAMES_NS[timeframe]
    missing, found = gaps_of(opens_ns // tf_ns, tf_ns, gaps)
    ends = (iso(int(opens_ns[0])), iso(int(opens_ns[-1])))
    return Coverage(
        place.name, place.exchange, symbol, timeframe, *ends, len(opens_ns), missing, found
    )
