"""The way of an order, from the trade that closes a bar to the wire, and how fast it is stopped.

Everything runs as it ships, in processes of its own; the bare way beside it is the same message
over as many hops with plain pyzmq, in the same minutes. A machine with few cores is busy with all
who hear the bar, which is part of the figure.
"""

import os
from collections.abc import Iterator
from itertools import chain
from statistics import median

from tests.bench import path_recover, path_stop
from tests.bench.bus_house import clock
from tests.bench.figure import Figure
from tests.bench.path_house import PathHouse, Relay, wait_for_orders

ORDERS = 150
SYNCS = 200
RECORD = bytes(1024)


def measure() -> Iterator[Figure]:
    """Measure the order path."""
    return chain(_ways(), path_stop.measure(), path_recover.measure())


def _ways() -> Iterator[Figure]:
    for name, synced in (("tick_to_send", False), ("tick_to_send_durable", True)):
        with PathHouse(synced=synced) as house:
            bare = wait_for_orders(house, ORDERS, Relay(house))
            sync_us = _sync_us(house) if synced else 0.0
            ours = house.late_us()
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            took_us = _at(ours, share) - sync_us
            yield Figure(f"path.{name}_{label}", took_us, _at(bare, share), "us")


def _at(late: list[float], share: float) -> float:
    return sorted(late)[int(share * (len(late) - 1))]


def _sync_us(house: PathHouse) -> float:
    """Return what one sync of a record costs where the journals lie."""
    fd = os.open(house.top / "synced", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    found = []
    for _ in range(SYNCS):
        os.write(fd, RECORD)
        begun_ns = clock.mono_ns()
        os.fdatasync(fd)
        found.append((clock.mono_ns() - begun_ns) / 1e3)
    os.close(fd)
    return median(found)
