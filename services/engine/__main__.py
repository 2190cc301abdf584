"""The engine, wired."""

from bus.process import main
from bus.service import Parts
from services.engine.core import Engine
from services.engine.shipped import strategies

if __name__ == "__main__":
    main(
        "engine",
        lambda house, _clock: Parts(
            Engine(house.settings, house.world, strategies(house.settings))
        ),
    )
