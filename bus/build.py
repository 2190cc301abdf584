"""Which code runs, and with which settings.

Two hashes stand in every heartbeat: `contract` covers what all services must share (schema, bus,
mode, world); `code` covers one service and may differ from what the tree holds while the others
trade on. A third stands with the code in the record of every turn: with another limit, the same
code decides otherwise.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bus.house import House

HASH_BYTES = 8


def folder_of(service: str) -> str:
    """Return the folder of a service: the writers share one."""
    return "writer" if service.startswith("writer_") else service


def contract_hash(house: House) -> str:
    """Return the hash of schema, bus, mode and world."""
    said = f"{house.settings.mode}\0{house.world}\0{house.settings.clock.scale}"
    return _digest((house.root / "schema", house.root / "bus"), said)


def code_hash(house: House, service: str) -> str:
    """Return the hash of one service's own code together with the contract."""
    return _digest((house.root / "services" / folder_of(service),), contract_hash(house))


def settings_hash(house: House) -> str:
    """Return the hash of all settings that services decide by."""
    # Strategies reach the engine as recorded inputs, so a turn decides the same whatever the
    # settings name by now; who asks what a strategy will do takes its offer beside this.
    decisive = msgspec.structs.replace(house.settings, strategy={})
    said = msgspec.json.encode(decisive, enc_hook=str, order="sorted")
    return hashlib.blake2b(said, digest_size=HASH_BYTES).hexdigest()


def _digest(folders: Iterable[Path], said: str) -> str:
    digest = hashlib.blake2b(said.encode(), digest_size=HASH_BYTES)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".py", ".sql"}:
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    return digest.hexdigest()
