"""The cores that ship, made for a replay: no edge, no socket, no world to write to."""

from collections.abc import Callable

from bus.build import code_hash, settings_hash
from bus.house import House
from bus.service import Service
from schema.streams import STREAMS, Stream

NAMES = ("predictor", "engine", "risk", "gateway")
"""Who records its turns, in the order of the way of an order."""


def build(house: House, service: str) -> Callable[[], Service]:
    """Return what makes a service's core as its process would; imported when it is asked for."""
    settings, world = house.settings, house.world
    match service:
        case "engine":
            from services.engine.boundary import Bare  # noqa: PLC0415 - one core at a time
            from services.engine.core import Engine  # noqa: PLC0415 - as above

            return lambda: Engine(settings, world, Bare())
        case "risk":
            from services.risk.core import Risk  # noqa: PLC0415 - as above

            return lambda: Risk(settings)
        case "gateway":
            from services.gateway.core import Gateway  # noqa: PLC0415 - as above

            return lambda: Gateway(settings, world)
        case _:
            from services.predictor.core import Predictor  # noqa: PLC0415 - as above

            return lambda: Predictor(settings)


def rules_of(house: House, service: str) -> str:
    """Return what the turns of this code and these settings are recorded with."""
    return f"{code_hash(house, service)}.{settings_hash(house)}"


def own_streams(service: str) -> list[Stream]:
    """Return the journaled streams of a service."""
    return [one for one in STREAMS.values() if one.owner == service and one.journaled]
