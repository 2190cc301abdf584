"""Models that nobody trained: weights by chance, in the form that the shelf has them."""

import hashlib
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save

from schema.forecast import ModelArrived
from services.predictor.card import Card
from services.predictor.features import NAMES, VERSION

WIDTHS = (len(NAMES), 32, 16, 1)


def weights(seed: int) -> bytes:
    """Return a safetensors file of the shape that a training leaves."""
    chance = np.random.default_rng(seed)
    tensors = {"mean": np.zeros(WIDTHS[0]), "scale": np.ones(WIDTHS[0])}
    for n, (inputs, outputs) in enumerate(pairwise(WIDTHS)):
        tensors[f"weight{n}"] = chance.normal(0, 0.2, (outputs, inputs))
        tensors[f"bias{n}"] = chance.normal(0, 0.2, outputs)
    return save({name: tensor.astype(np.float32) for name, tensor in tensors.items()})


def card(data: bytes, **changes: Any) -> Card:
    """Return the card of some weights."""
    values: dict[str, Any] = {
        "name": "chance", "sha256": hashlib.sha256(data).hexdigest(), "world": "local-test",
        "features": NAMES, "features_version": VERSION, "symbols": ("BTC/USDT",),
        "timeframe": "1m", "horizon_bars": 15, "data_first_ns": 1, "data_last_ns": 2,
        "data_hash": "00", "bars": 3, "rows": 2, "rows_validation": 1,
        "metrics": {"auc": 0.5}, "baselines": {"logistic": {"auc": 0.5}}, "epochs": 1, "seed": 7,
        "made_ns": 1, "took_ms": 1, "torch": "0",
    }  # fmt: skip
    return Card(**values | changes)


def arrived(seed: int, **changes: Any) -> ModelArrived:
    """Return a model as the edge hands it up."""
    data = weights(seed)
    described = card(data, **changes)
    return ModelArrived(
        sha256=described.sha256, source="shelf", weights=data, card=msgspec.json.encode(described)
    )
