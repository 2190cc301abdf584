"""What the predictor remembers: what it has announced, and all that it forecasts from."""

import msgspec

from services.predictor.baseline import Logistic
from services.predictor.outcomes import Line
from services.predictor.scoring import Tally


class Books(msgspec.Struct):
    """Kept by what was said on its own streams."""

    announced: str = ""  # sha256 of the model whose card was said last
    forecasts: int = 0


class Model(msgspec.Struct, frozen=True):
    """The model that forecasts, as it arrived: a turn that is run again has the same weights."""

    sha256: str
    weights: bytes


class Windows(msgspec.Struct):
    """Filled anew from bars; the model comes again from the edge."""

    lines: dict[str, Line] = {}
    tallies: dict[str, Tally] = {}
    logistic: Logistic = msgspec.field(default_factory=Logistic)
    model: Model | None = None
    models_refused: int = 0
    training: bool = False


class State(msgspec.Struct):
    """All that a snapshot keeps."""

    books: Books = msgspec.field(default_factory=Books)
    windows: Windows = msgspec.field(default_factory=Windows)
