"""From settings to a market, and to the time at which market time begins."""

from bus.clock import SystemClock
from bus.house import House
from schema.units import MS_NS
from services.venue.columns import DAY_MS
from services.venue.ledger import Ledger, ledger_path, read_ledger, write_ledger
from services.venue.market import Market
from services.venue.replay import open_replay
from services.venue.synthetic import Synthetic


def origin_ns(house: House) -> int:
    """Return where market time begins: never before what an earlier start has shown."""
    path = ledger_path(house.world_dir)
    ledger = read_ledger(path)
    venue = house.settings.venue
    if venue.market == "replay":
        start_ns = open_replay(venue).start_ms * MS_NS
    else:
        start_ns = SystemClock().wall_ns()
    if ledger is not None:
        return max(ledger.market_ns, start_ns)
    write_ledger(path, Ledger(first_ns=start_ns, market_ns=start_ns))
    return start_ns


def open_market(house: House, now_ns: int) -> tuple[Market, int]:
    """Return the market that the settings name, and the time at which its world first began."""
    ledger = read_ledger(ledger_path(house.world_dir))
    first_ns = now_ns if ledger is None else ledger.first_ns
    venue = house.settings.venue
    if venue.market == "replay":
        return open_replay(venue).market, first_ns
    first_day = first_ns // MS_NS // DAY_MS - venue.history_days
    return Synthetic(venue.seed, venue.symbol, first_day), first_ns
