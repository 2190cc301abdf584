"""The process `gateway`: the only way out of the house to the exchange's private side."""

from bus.house import House
from bus.process import main
from bus.service import Parts
from services.gateway.core import Gateway
from services.gateway.edge import open_exchange


def build(house: House, _clock: object) -> Parts:
    """Compose the gate with the exchange of its mode."""
    return Parts(core=Gateway(house.settings, house.world), edge=open_exchange(house))


if __name__ == "__main__":
    main("gateway", build)
