"""The baseline: a logistic regression that learns from each outcome as it comes.

It speaks from the first full window on, with or without a model, and a model has to beat it. Its
steps are small and have no end, so it forgets slowly and never trusts a week of noise. It has no
constant: which way the market drifted lately is not what it should learn. What has no direction
of its own learns ten times slower, for it repeats its values for hours.
"""

from math import exp
from operator import mul

import msgspec

from services.predictor.features import DIRECTIONLESS, NAMES, Vector

NAME = "logistic-1"
RATE = 1e-4
RATES = tuple(RATE / 10 if name in DIRECTIONLESS else RATE for name in NAMES)
LOGIT_MAX = 2.0


class Logistic(msgspec.Struct):
    """What the baseline has learned, of all symbols together."""

    weights: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(NAMES))
    outcomes: int = 0


def probability(logistic: Logistic, features: Vector) -> float:
    """Return the probability of a rise."""
    return sigmoid(sum(map(mul, logistic.weights, features)))


def learn(logistic: Logistic, features: Vector, *, up: bool) -> None:
    """Take one step towards an outcome."""
    miss = up - probability(logistic, features)
    logistic.weights = [
        weight + rate * miss * feature
        for weight, rate, feature in zip(logistic.weights, RATES, features, strict=True)
    ]
    logistic.outcomes += 1


def sigmoid(logit: float) -> float:
    """Return a logit as a probability; no forecast of a market is surer than LOGIT_MAX."""
    return 1 / (1 + exp(-min(LOGIT_MAX, max(-LOGIT_MAX, logit))))
