"""How good probabilities are, and two plain ways to make them that a model has to beat."""

import numpy as np

from services.predictor.dataset import Floats, Rows, mirrored

CERTAIN = 1e-6
RIDGE = 10.0
"""What a weight costs: outcomes overlap, so there is less to learn from than there are rows."""

NEWTON_STEPS = 8


def measure(probabilities: Floats, ups: Floats) -> dict[str, float]:
    """Return log loss, Brier score, hit ratio and AUC."""
    sure = np.clip(probabilities, CERTAIN, 1 - CERTAIN)
    of_what_came = np.where(ups > 0, sure, 1 - sure)
    return {
        "log_loss": float(-np.log(of_what_came).mean()),
        "brier": float(((1 - of_what_came) ** 2).mean()),
        "hit_ratio": float(((probabilities > 0.5) == (ups > 0)).mean()),
        "auc": auc(probabilities, ups),
        "spread": float(probabilities.std()),
    }


def measure_baselines(learn: Rows, validate: Rows) -> dict[str, dict[str, float]]:
    """Return the measures of both plain ways, made of the rows that the model learned from."""
    return {
        "base_rate": measure(base_rate(learn, validate), validate.ups),
        "logistic": measure(logistic(mirrored(learn), validate), validate.ups),
    }


def auc(scores: Floats, ups: Floats) -> float:
    """Return how often a rise was scored above a fall; equal scores count half."""
    rises = int(ups.sum())
    falls = len(ups) - rises
    if not rises or not falls:
        return 0.5
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[ups > 0].sum() - rises * (rises + 1) / 2) / (rises * falls))


def base_rate(learn: Rows, validate: Rows) -> Floats:
    """Return the share of rises that was learned, for every row."""
    return np.full(len(validate), float(learn.ups.mean()))


def logistic(learn: Rows, validate: Rows) -> Floats:
    """Return the probabilities of a ridge logistic regression on the same features."""
    mean, scale = standard(learn.features)
    inputs = _with_constant((learn.features - mean) / scale)
    costs = np.full(inputs.shape[1], RIDGE)
    costs[-1] = 0.0
    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        found = _sigmoid(inputs @ weights)
        slope = inputs.T @ (learn.ups - found) - costs * weights
        bend = (inputs.T * (found * (1 - found) + CERTAIN)) @ inputs
        weights = weights + np.linalg.solve(bend + np.diag(costs + CERTAIN), slope)
    return _sigmoid(_with_constant((validate.features - mean) / scale) @ weights)


def standard(features: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of each feature; a constant one is left as it is."""
    deviation = features.std(axis=0)
    return features.mean(axis=0), np.where(deviation > CERTAIN, deviation, 1.0)


def _with_constant(inputs: Floats) -> Floats:
    return np.hstack([inputs, np.ones((len(inputs), 1))])


def _sigmoid(logits: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return found
