"""The monitor, wired."""

from bus.process import main
from bus.service import Parts
from services.monitor.core import Monitor
from services.monitor.edge import MonitorEdge

if __name__ == "__main__":
    main(
        "monitor",
        lambda house, clock: Parts(
            Monitor(house.programs, house.settings.monitor, clock.scale, clock.market_ns()),
            MonitorEdge(house.home),
        ),
    )
