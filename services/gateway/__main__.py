"""The process `gateway`: the only way out of the house to the exchange's private side."""

from bus.house import House
from bus.process import main
from bus.service import Parts
from services.gateway.core import Gateway
from services.gateway.edge import Exchange


def build(house: House, _clock: object) -> Parts:
    """Compose the gate with its exchange; without one it sends nothing and says why."""
    armed = house.settings.mode == "local"
    edge = Exchange(house.settings, house.run) if armed else None
    return Parts(core=Gateway(house.settings, house.world, armed=armed), edge=edge)


if __name__ == "__main__":
    main("gateway", build)
