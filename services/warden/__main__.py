"""The warden, wired: supervisord starts it as its event listener."""

from bus.process import main
from bus.service import Parts
from services.warden.core import Warden
from services.warden.edge import WardenEdge

if __name__ == "__main__":
    main(
        "warden",
        lambda house, clock: Parts(
            Warden(house.programs, house.settings.warden, clock.scale, clock.market_ns()),
            WardenEdge(house),
        ),
        market=False,
    )
