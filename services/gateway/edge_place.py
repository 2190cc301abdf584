"""The gateway's own place, looked at now and then while it trades real money: keys, disk, versions.

What is found goes to the core as one message, said when it changes.
"""

import asyncio
import importlib.metadata
import shutil
from pathlib import Path

from bus.build import contract_hash
from bus.disk import volatile
from bus.house import House
from bus.service import Bridge
from schema.exchange import PlaceSeen, Requirement
from services.gateway.arming_conditions import fails, judged
from services.gateway.keys import FILE, file_flaw, of_keychain, slot_of

LOOK_S = 5.0
SQLITE_MIN = (3, 51, 3)


class Place:
    """Where this process is, and what it runs."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._contract = contract_hash(house)
        self._keychained = of_keychain(slot_of(house.settings.exchange)) is not None
        self._sqlite = importlib.metadata.version("apsw")

    async def keep(self, bridge: Bridge) -> None:
        """Look again and again, and tell the core what is new."""
        told: PlaceSeen | None = None
        while True:
            seen = self.look()
            if seen != told:
                await bridge.hear(seen)
                told = seen
            await asyncio.sleep(LOOK_S)

    def look(self) -> PlaceSeen:
        """Return how the place is now."""
        found = (self._keys(), self._version(), self._folder(), self._room(), self._backup())
        return PlaceSeen(contract=self._contract, conditions=found)

    def _keys(self) -> Requirement:
        path = self._house.root / FILE
        flaw = "" if self._keychained else file_flaw(path)
        what, _, todo = flaw.partition(". ")
        return judged("keys", "this user alone can read them", what, todo or "rrr keys set")

    def _version(self) -> Requirement:
        version = tuple(int(part) for part in self._sqlite.split(".")[:3])
        old = "" if version >= SQLITE_MIN else f"{self._sqlite} can lose what was committed"
        return judged("sqlite", "it keeps what was committed", old, "make up")

    def _folder(self) -> Requirement:
        path = self._house.world_dir
        kind = volatile(path)
        failure = f"{path} is on {kind}, which a restart of the machine empties" if kind else ""
        return judged("data folder", "it is on a disk", failure, "set RRR_HOME to one on a disk")

    def _room(self) -> Requirement:
        least_mib = self._house.settings.monitor.disk_free_mib
        try:
            free_mib = shutil.disk_usage(self._house.home).free >> 20
        except OSError as error:
            return fails("disk space", f"{self._house.home}: {error.strerror}", "mount it again")
        less = "" if free_mib >= least_mib else f"less than {least_mib} MiB are free"
        return judged("disk space", f"{least_mib} MiB are free", less, "free some space")

    def _backup(self) -> Requirement:
        target = self._house.settings.backup.target
        if not target:
            why = "backups lie beside what they are of"
            todo = "set `backup.target` to a folder on another volume"
            return Requirement("backup", "advice", why, todo)
        if not _is_elsewhere(Path(target), self._house.home):
            todo = f"mount another volume at {target}"
            return Requirement(
                "backup", "advice", "the backups are on the shards' own volume", todo
            )
        return Requirement("backup", "ok", "it is on another volume")


def _is_elsewhere(target: Path, home: Path) -> bool:
    try:
        return target.stat().st_dev != home.stat().st_dev
    except OSError:
        return False
