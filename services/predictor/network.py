"""The model as it forecasts: weights from a safetensors file, and one pass through them.

Plain floats in a fixed order of additions: the same weights and features give the same bytes, in
a turn that is run again too. Only the training knows torch.
"""

from math import isfinite, tanh
from operator import mul
from typing import TYPE_CHECKING

import msgspec

from services.predictor.baseline import sigmoid
from services.predictor.card import TRAIN, ModelError
from services.predictor.features import NAMES, Vector

if TYPE_CHECKING:
    import numpy as np

LAYERS = 3
WEIGHTS_BYTES_MAX = 200 << 10
TENSORS = ("mean", "scale", *(f"{kind}{n}" for n in range(LAYERS) for kind in ("weight", "bias")))


class Layer(msgspec.Struct, frozen=True):
    """One row of weights and one bias for each output."""

    rows: list[list[float]]
    biases: list[float]


class Network(msgspec.Struct, frozen=True):
    """A small perceptron, with what its features are standardised by."""

    mean: list[float]
    scale: list[float]
    layers: list[Layer]


def probability(network: Network, features: Vector) -> float:
    """Return the probability of a rise."""
    values = [
        (feature - mean) / scale
        for feature, mean, scale in zip(features, network.mean, network.scale, strict=True)
    ]
    for layer in network.layers[:-1]:
        values = [tanh(total) for total in _totals(layer, values)]
    return sigmoid(_totals(network.layers[-1], values)[0])


def read_network(weights: bytes) -> Network:
    """Return a network from its safetensors file; ModelError when it is none that can be used."""
    tensors = _tensors(weights)
    if set(tensors) != set(TENSORS):
        raise _unusable(f"tensors {' '.join(sorted(tensors))}", " ".join(TENSORS))
    width = len(NAMES)
    _require_shape(tensors, "mean", (width,))
    _require_shape(tensors, "scale", (width,))
    for n in range(LAYERS):
        outputs = 1 if n == LAYERS - 1 else len(tensors[f"bias{n}"])
        _require_shape(tensors, f"weight{n}", (outputs, width))
        _require_shape(tensors, f"bias{n}", (outputs,))
        width = outputs
    network = _network({name: tensor.tolist() for name, tensor in tensors.items()})
    _require_finite(network)
    return network


def _tensors(weights: bytes) -> "dict[str, np.ndarray]":
    # Imported here: a predictor without a model never pays for them.
    from safetensors import SafetensorError  # noqa: PLC0415 - see above
    from safetensors.numpy import load  # noqa: PLC0415 - see above

    if len(weights) > WEIGHTS_BYTES_MAX:
        raise _unusable(f"{len(weights)} bytes", f"at most {WEIGHTS_BYTES_MAX}")
    try:
        return load(weights)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"a model's weights are damaged: {error}", TRAIN) from error


def _require_shape(tensors: "dict[str, np.ndarray]", name: str, shape: tuple[int, ...]) -> None:
    found = tensors[name]
    if found.shape != shape or found.dtype != "float32":
        raise _unusable(f"{name} {found.dtype}{found.shape}", f"float32{shape}")


def _require_finite(network: Network) -> None:
    numbers = [*network.mean, *network.scale]
    for layer in network.layers:
        numbers += [*layer.biases, *(number for row in layer.rows for number in row)]
    if not all(map(isfinite, numbers)) or min(network.scale) <= 0:
        raise _unusable("a number that is not finite, or a scale of 0", "finite weights")


def _network(lists: dict[str, list]) -> Network:  # type: ignore[type-arg]
    layers = [Layer(lists[f"weight{n}"], lists[f"bias{n}"]) for n in range(LAYERS)]
    return Network(lists["mean"], lists["scale"], layers)


def _totals(layer: Layer, values: list[float]) -> list[float]:
    return [
        sum(map(mul, row, values), bias) for row, bias in zip(layer.rows, layer.biases, strict=True)
    ]


def _unusable(found: str, expected: str) -> ModelError:
    return ModelError(f"a model's weights: expected {expected}, found {found}", TRAIN)
