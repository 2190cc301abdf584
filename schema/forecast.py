"""What the predictor and the optimizer say: floats live here, never in orders or books."""

from schema.head import Local, Message


class Forecast(Message, tag=20, frozen=True, kw_only=True):
    """Where a symbol goes within the horizon after the bar that closed at `ts_event`."""

    symbol: str
    timeframe: str
    bar_open_ns: int
    horizon_ns: int
    probability_up: float  # 0..1
    confidence: float  # 0..1
    expected_return: float = 0.0  # simple return over the horizon
    model: str = ""  # sha256 of the weights, or the baseline's name
    source: str = "model"  # model | baseline


class Pattern(Message, tag=21, frozen=True, kw_only=True):
    """A chart pattern that ends with the bar that closed at `ts_event`."""

    symbol: str
    timeframe: str
    bar_open_ns: int
    name: str
    direction: int  # +1 up, -1 down, 0 neither
    strength: float  # 0..1


class Score(Message, tag=22, frozen=True, kw_only=True):
    """How past forecasts of one model turned out."""

    symbol: str
    timeframe: str
    model: str
    forecasts: int
    hit_ratio: float
    brier: float
    log_loss: float = 0.0


class Weights(Message, tag=30, frozen=True, kw_only=True):
    """Target portfolio weights of one method, beside those of a plain baseline."""

    method: str
    weights: tuple[tuple[str, float], ...]
    baseline: str
    baseline_weights: tuple[tuple[str, float], ...]
    objective: float
    baseline_objective: float
    valid_until_ns: int = 0


class ModelCard(Message, tag=23, frozen=True, kw_only=True):
    """The model that forecasts from now on: what it was made of, and how good it was then."""

    name: str
    sha256: str  # of the weights
    source: str  # where it came from: the folder's name
    timeframe: str
    symbols: tuple[str, ...]
    features: tuple[str, ...]
    horizon_ns: int
    data_first_ns: int  # open of the first bar that it was trained on
    data_last_ns: int  # close of the last one
    data_hash: str  # blake2b of those bars
    rows: int
    metrics: tuple[tuple[str, float], ...]  # on bars that it was not trained on
    baselines: tuple[tuple[str, float], ...]  # `<baseline> <metric>` on the same bars
    card: str = ""  # the whole card, JSON


class ModelArrived(Local, tag=340, frozen=True, kw_only=True):
    """A trained model that the edge found on the disk."""

    sha256: str  # of the weights
    source: str  # the folder that it lay in
    weights: bytes  # a safetensors file
    card: bytes  # JSON


class TrainingChanged(Local, tag=341, frozen=True, kw_only=True):
    """What the training in the background does."""

    running: bool
    detail: str = ""  # why it does not run, when it failed
