"""The engine, wired."""

from bus.clock import Clock
from bus.house import House
from bus.process import main
from bus.service import Parts
from services.engine import core, edge, sources


def _parts(house: House, clock: Clock) -> Parts:
    own = house.settings.engine
    guard = edge.Watched(house.run, clock, own.call_ms, own.memory_mib)
    engine = core.Engine(house.settings, house.world, guard)
    return Parts(engine, first=(sources.offered(house, guard.deaths),), fold=guard.fold)


if __name__ == "__main__":
    main("engine", _parts)
