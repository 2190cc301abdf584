"""The same messages and the same consumer over brokers, where those are installed.

NATS core keeps nothing; JetStream keeps its stream in files, published with 512 acknowledgements
outstanding; Redis keeps a stream in memory with its log synced once a second, in pipelines of 512.
Their clients batch what they can, and their consumers take up to 512 messages at a time.
"""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tests.bench.bus_house import House, Task
from tests.bench.bus_load import Told, middle
from tests.bench.bus_service import Plan
from tests.bench.figure import Figure
from tests.ports import free_port

ROUNDS = 7
COUNT = 20_000
OURS = 300_000
CLIENT = "tests.bench.bus_broker_client"
ROLES = ("speak", "hear")
PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
BROKERS = {  # name of the figure: server, client, kind for `bus_broker_client`
    "bus.nats.core": ("nats-server", "nats", "core"),
    "bus.nats.jetstream": ("nats-server", "nats", "jetstream"),
    "bus.redis": ("redis-server", "redis", "redis"),
}


def measure() -> Iterator[Figure]:
    """Measure each broker that is here; of the others it says why not."""
    with House() as house:
        house.speaker()
        house.listener("writer_market")
        for name, (server, client, kind) in BROKERS.items():
            if missing := _missing(server, client):
                yield Figure(name, 0.0, 0.0, f"not measured: {missing}")
            else:
                yield _compared(house, name, server, kind)


def _missing(server: str, client: str) -> str:
    if shutil.which(server, path=PATHS) is None:
        return f"no {server} is installed"
    if find_spec(client) is None:
        return f"its client {client} is missing: `make install` brings it"
    return ""


def _compared(house: House, name: str, server: str, kind: str) -> Figure:
    with House() as theirs:
        port = free_port()
        theirs.serve(
            port, shutil.which(server, path=PATHS) or server, *_words(server, port, theirs.top)
        )
        speaker, listener = (
            theirs.start(f"{kind} {role}", CLIENT, kind, role, str(port)) for role in ROLES
        )
        assert speaker.line() and listener.line()
        rounds = [(_ours(house), _theirs(speaker, listener)) for _ in range(ROUNDS)]
    return Figure(name, *middle(rounds), "messages/s")


def _words(server: str, port: int, top: Path) -> tuple[str, ...]:
    if server == "nats-server":
        return ("-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(top / "jetstream"))
    kept = ("--dir", str(top), "--appendonly", "yes", "--appendfsync", "everysec")
    return ("--bind", "127.0.0.1", "--port", str(port), "--save", "", *kept)


def _ours(house: House) -> float:
    return house.play(Plan(count=OURS), "writer_market")[0].rate


def _theirs(speaker: Task, listener: Task) -> float:
    listener.tell(str(COUNT))
    assert listener.line()
    speaker.tell(str(COUNT))
    told = msgspec.json.decode(listener.line(), type=Told)
    assert told.heard == COUNT
    return told.rate
