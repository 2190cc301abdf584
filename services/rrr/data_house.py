"""What the house has of each of its symbols: its world and the history behind it, as one market."""

from collections.abc import Iterator

import msgspec
import numpy as np

from bus.bars import open_bars
from bus.clock import Clock
from bus.errors import ShardError
from bus.history import history_of
from bus.house import House
from schema.setting_types import TIMEFRAMES_NS
from schema.units import iso
from services.rrr.data_bars import gaps_of
from services.rrr.data_coverage import FOREVER_NS, READ_LIMIT_MS, holds_bars
from services.rrr.data_digits import Ints
from services.rrr.data_report import Entry
from services.rrr.data_windows import absent
from services.rrr.survey import market_clock


class Standing(msgspec.Struct, frozen=True):
    """What there is of one symbol, from its first bar up to now; all empty without a bar."""

    symbol: str
    timeframe: str
    first: str = ""
    last: str = ""
    rows: int = 0
    missing: int = 0  # absent intervals since the first, up to the last that is closed
    behind: int = 0  # of these, those after the last bar
    gaps: list[Entry] = []


def market_now_ns(house: House, clock: Clock) -> int:
    """Return the time of the market that runs here."""
    wall_ns, market = clock.wall_ns(), market_clock(house)
    return wall_ns if market is None else market.market_ns(wall_ns)


def standings(
    house: House, timeframe: str, gaps: int, clock: Clock, damaged: list[str]
) -> Iterator[Standing]:
    """Yield what there is of each symbol that the settings name; what cannot be read is named."""
    now_ns, places = market_now_ns(house, clock), [house.world_dir, *history_of(house)]
    for symbol in house.settings.ingest.symbols:
        found: list[Ints] = []
        for place in filter(holds_bars, places):
            try:
                with open_bars(place / "db", clock, READ_LIMIT_MS) as reader:
                    found.append(reader.between(symbol, timeframe, 0, FOREVER_NS, ()).open_ns)
            except ShardError as error:
                damaged.append(f"{place.name} {symbol} {timeframe}: {error}")
        yield _standing(symbol, timeframe, found, now_ns, gaps)


def _standing(symbol: str, timeframe: str, found: list[Ints], now_ns: int, most: int) -> Standing:
    opens_ns = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
    if not len(opens_ns):
        return Standing(symbol, timeframe)
    tf_ns = TIMEFRAMES_NS[timeframe]
    first_ns, last_ns = int(opens_ns[0]), int(opens_ns[-1])
    stop_ns = max(last_ns, now_ns // tf_ns * tf_ns - tf_ns) + tf_ns
    _, gaps = gaps_of(opens_ns // tf_ns, tf_ns, most)
    return Standing(
        symbol, timeframe, iso(first_ns), iso(last_ns), len(opens_ns),
        len(absent(opens_ns, (first_ns, stop_ns), tf_ns)), (stop_ns - last_ns) // tf_ns - 1, gaps,
    )  # fmt: skip
