"""A model's card: what it was made of, and how good it is on bars that it had never seen."""

import msgspec

from bus.errors import HouseError
from schema.setting_types import TIMEFRAMES_NS
from schema.settings import PredictorSettings
from services.predictor.features import NAMES, VERSION


class ModelError(HouseError):
    """A model, or the pointer to one, that cannot be used."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in card.json beside the weights."""

    name: str
    sha256: str  # of model.safetensors
    world: str
    features: tuple[str, ...]
    features_version: int
    symbols: tuple[str, ...]
    timeframe: str
    horizon_bars: int
    data_first_ns: int  # open of the first bar
    data_last_ns: int  # close of the last one
    data_hash: str  # blake2b of all bars
    bars: int
    rows: int
    rows_validation: int
    metrics: dict[str, float]  # of the model, on the rows of validation
    baselines: dict[str, dict[str, float]]  # of each baseline, on the same rows
    epochs: int  # until it got no better
    seed: int
    made_ns: int  # wall time
    took_ms: int
    torch: str

    @property
    def horizon_ns(self) -> int:
        """How far it looks ahead."""
        return self.horizon_bars * TIMEFRAMES_NS[self.timeframe]


def read_card(data: bytes) -> Card:
    """Return a card from its JSON; ModelError when it is none."""
    try:
        return msgspec.json.decode(data, type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"a model's card is damaged: {error}", TRAIN) from error


def require_fit(card: Card, settings: PredictorSettings) -> None:
    """Refuse a model that was made for other features, bars or another horizon."""
    made = (card.features_version, card.features, card.timeframe, card.horizon_bars)
    wanted = (VERSION, NAMES, settings.timeframe, settings.horizon_bars)
    if made != wanted:
        raise ModelError(
            f"model {card.sha256[:16]} was made for features {card.features_version}, bars of "
            f"{card.timeframe} and a horizon of {card.horizon_bars}; expected features {VERSION}, "
            f"bars of {settings.timeframe} and a horizon of {settings.horizon_bars}",
            TRAIN,
        )


TRAIN = "Train another with `rrr train`; until then the baseline forecasts"
