"""The process `ingest`: the exchange's public feed onto the bus."""

from bus.house import House
from bus.process import main
from bus.service import Parts
from services.ingest import core, edge


def build(house: House, _clock: object) -> Parts:
    """Compose the feed with the exchange that the mode names."""
    return Parts(core=core.Ingest(house.settings), edge=edge.Binance(house.settings))


if __name__ == "__main__":
    main("ingest", build)
