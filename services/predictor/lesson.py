"""What to train, from which bars, and where to put it: one value for each who asks for it."""

import msgspec

from bus.errors import HouseError
from bus.history import history_of
from bus.house import House
from services.predictor.features import LOOKBACK
from services.predictor.shelf import models_folder

ROWS_MIN = 400
"""Rows of a symbol below which nothing is worth learning."""


class TooFewBarsError(HouseError):
    """A history that is too short to train on."""

    exit_code = 3


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """The order for one training; as JSON, the argument of its process."""

    world: str
    db_dir: str
    models: str
    symbols: tuple[str, ...]
    timeframe: str
    horizon_bars: int
    history_bars: int
    epochs: int
    history: tuple[str, ...] = ()  # places whose bars lie behind those of the world

    @property
    def bars_needed(self) -> int:
        """How many bars of a symbol it takes."""
        return min(self.history_bars, LOOKBACK + 1 + 3 * self.horizon_bars + ROWS_MIN)


def lesson_of(house: House) -> Lesson:
    """Return what the settings of a house say about training."""
    settings = house.settings
    return Lesson(
        world=house.world,
        db_dir=str(house.db_dir),
        models=str(models_folder(house.home)),
        symbols=settings.ingest.symbols or settings.venue.symbol,
        timeframe=settings.predictor.timeframe,
        horizon_bars=settings.predictor.horizon_bars,
        history_bars=settings.predictor.history_bars,
        epochs=settings.predictor.epochs,
        history=tuple(map(str, history_of(house))),
    )
