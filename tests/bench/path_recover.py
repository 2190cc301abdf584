"""How long a trader that was killed with twenty open orders is away."""

import signal
from collections.abc import Iterator

import msgspec

from bus.errors import UnreachableError
from schema.house import Heartbeat
from tests.bench.bus_house import LOOK_MS, clock
from tests.bench.figure import Figure
from tests.bench.path_house import PathHouse

SYMBOLS = tuple(f"COIN{number}/USDT" for number in range(20))
SCALE = 10
BELOW = 0.02
KILLS = 5
APART_MS = 20_000
"""A comparison asks for much: the exchange's budget bears it three times a minute."""

FLOOR_S = 10.0
WAIT_MS = 90_000
LOOK_FAST_MS = 5


def measure() -> Iterator[Figure]:
    """Kill gateway and engine in turns, and wait until each is READY and all is compared."""
    with PathHouse(SYMBOLS, scale=SCALE, below=BELOW) as house:
        _await_open(house)
        for name in ("gateway", "engine"):
            away = sorted(_away_s(house, name) for _ in range(KILLS))
            yield Figure(f"path.recover.{name}", away[-1], FLOOR_S, "s, beside the floor")


def _away_s(house: PathHouse, name: str) -> float:
    begun_ns = clock.mono_ns()
    house.tasks[name].signal(signal.SIGKILL)
    house.stop(name)
    house.start_timed(name)
    while _status(house, name) != "READY":  # Of the gateway that says that all is compared, too.
        assert clock.mono_ns() - begun_ns < WAIT_MS * 1_000_000, f"{name} does not come back"
        clock.pause_ms(LOOK_FAST_MS)
    away_s = (clock.mono_ns() - begun_ns) / 1e9
    _await_open(house)
    clock.pause_ms(APART_MS)
    return away_s


def _status(house: PathHouse, name: str) -> str:
    try:
        return house.ask(name, "status").text
    except UnreachableError:
        return ""


def _await_open(house: PathHouse) -> None:
    for _ in range(WAIT_MS // LOOK_MS):
        if all(_open_orders(house, name) == len(SYMBOLS) for name in ("gateway", "engine")):
            return
        clock.pause_ms(LOOK_MS)
    raise AssertionError(f"{_open_orders(house, 'gateway')} of {len(SYMBOLS)} orders are open")


def _open_orders(house: PathHouse, name: str) -> int:
    beat = msgspec.msgpack.decode(house.ask(name, "status").body, type=Heartbeat)
    return dict(beat.counters)["orders_open"]
