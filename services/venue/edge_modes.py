"""Who plays the market in each mode: the venue, an exchange that it hears, or one without it."""

from bus.clock import Clock
from bus.house import House
from bus.service import Parts
from services.venue.core import Venue
from services.venue.edge import open_exchange
from services.venue.edge_heard import open_listener


def compose(house: House, clock: Clock) -> Parts:
    """Return the venue of a mode; where the exchange takes the orders itself it stands by."""
    match house.settings.mode:
        case "local":
            return Parts(core=Venue(), edge=open_exchange(house, clock))
        case "paper":
            edge, store = open_listener(house, clock)
            return Parts(core=Venue(plays=False, listens=True), edge=edge, store=store)
    return Parts(core=Venue(plays=False))
