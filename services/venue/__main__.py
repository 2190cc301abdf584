"""The process `venue`: an exchange of this house's own; in local mode it starts market time."""

from bus.process import main
from services.venue.edge_modes import compose
from services.venue.listing import origin_ns

if __name__ == "__main__":
    main("venue", compose, origin_ns)
