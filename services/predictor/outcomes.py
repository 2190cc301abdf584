"""What became of it: samples wait for their horizon, then tell whether the price was higher.

Training and the running predictor use the same functions, so that a label means one thing.
"""

from math import log

import msgspec

from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from services.predictor.features import Vector, Window, is_torn, update

WAITING_MAX = 15
"""About so many samples wait at once: those of a long horizon overlap, and say little new."""

UNSAID = -1.0


class Sample(msgspec.Struct, array_like=True):
    """The features of one bar, waiting for the end of the horizon behind it."""

    due_ns: int
    close: float  # logarithm
    features: Vector
    probability: float = UNSAID  # of a rise, as it was said


class Outcome(msgspec.Struct):
    """A sample whose horizon has passed."""

    sample: Sample
    up: bool


class Line(msgspec.Struct):
    """What is known of one symbol: its newest bars, and what waits for its outcome."""

    window: Window = msgspec.field(default_factory=Window)
    waiting: list[Sample] = []


def advance(line: Line, bar: Bar) -> tuple[Vector | None, list[Outcome]]:
    """Take the next bar; return its features, and what the price has decided meanwhile."""
    if is_torn(line.window, bar):
        line.waiting.clear()
    before = line.window.closes[-1] if line.window.closes else 0.0
    close = log(bar.close / 10.0**bar.px_exp)
    outcomes = [
        Outcome(sample, (close if sample.due_ns == bar.ts_event else before) > sample.close)
        for sample in line.waiting
        if sample.due_ns <= bar.ts_event
    ]
    del line.waiting[: len(outcomes)]
    return update(line.window, bar), outcomes


def await_outcome(
    line: Line, bar: Bar, features: Vector, horizon_bars: int, probability: float = UNSAID
) -> None:
    """Let a bar's sample wait for its outcome; of a long horizon, every n-th alone does."""
    step_ns = TIMEFRAMES_NS[bar.timeframe]
    stride = max(1, horizon_bars // WAITING_MAX)
    if bar.ts_event // step_ns % stride == 0:
        due_ns = bar.ts_event + horizon_bars * step_ns
        line.waiting.append(Sample(due_ns, line.window.closes[-1], features, probability))
