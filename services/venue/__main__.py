"""The process `venue`: the local exchange, and the one that starts market time."""

from bus.clock import Clock
from bus.house import House
from bus.process import main
from bus.service import Parts
from services.venue.core import Venue
from services.venue.edge import open_exchange
from services.venue.listing import origin_ns


def build(house: House, clock: Clock) -> Parts:
    """Compose the venue with the market that the settings name."""
    edge = open_exchange(house, clock)
    return Parts(core=Venue(plays=edge is not None), edge=edge)


if __name__ == "__main__":
    main("venue", build, origin_ns)
