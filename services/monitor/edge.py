"""The monitor's edge: looks at the disk now and then."""

import asyncio
import shutil
from pathlib import Path

from bus.service import Bridge, Edge
from services.monitor.effects import DiskSeen

LOOK_S = 5.0


class MonitorEdge(Edge):
    """Says how much room the volume of the worlds has left."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def run(self, bridge: Bridge) -> None:
        bridge.ready(None)
        while True:
            free_mib = shutil.disk_usage(self._path).free >> 20
            await bridge.hear(DiskSeen(path=str(self._path), free_mib=free_mib))
            await asyncio.sleep(LOOK_S)
