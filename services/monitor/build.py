"""Puts the monitor together: its core knows the programs of the house, its edge the disk."""

from typing import TYPE_CHECKING

from bus.clock import Clock
from bus.service import Parts
from services.monitor.core import Monitor
from services.monitor.edge import MonitorEdge
from services.monitor.shards import Keeping

if TYPE_CHECKING:
    from bus.house import House


def build(house: "House", clock: Clock) -> Parts:
    """Return the core and the edge of the monitor of a house."""
    limits, snapshot_s = house.settings.monitor, house.settings.engine.snapshot_s
    keeping = Keeping(house.settings.backup.every_h, house.settings.writer.wal_alarm_mib)
    now_ns = clock.market_ns()
    needs_arm = house.settings.mode == "live"
    core = Monitor(
        house.programs, limits, clock.scale, now_ns, snapshot_s, keeping, needs_arm=needs_arm
    )
    return Parts(core, MonitorEdge(house.home))
