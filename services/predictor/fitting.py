"""The training itself, and the only file that imports torch.

One thread, seeded: the same rows give the same weights on the same machine and build.
"""

from collections.abc import Callable

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor, nn

from services.predictor.dataset import Floats, Rows, mirrored
from services.predictor.measures import standard

SEED = 7
HIDDEN = (32, 16)
BUILD = str(torch.__version__)
BATCH = 256
RATE = 1e-3
DECAY = 1e-2
PATIENCE = 5
"""Epochs without getting better after which it stops."""

Told = Callable[[int, float, float], None]
"""Epoch, log loss on what is learned, log loss on what says when to stop."""


class Fitted(msgspec.Struct):
    """A trained network."""

    weights: bytes  # a safetensors file
    epochs: int  # until it got no better
    module: nn.Sequential
    mean: Floats
    scale: Floats

    def probabilities(self, features: Floats) -> Floats:
        """Return the probability of a rise for each row, as torch has it."""
        with torch.no_grad():
            logits = self.module(_inputs(features, self.mean, self.scale))
        found: Floats = torch.sigmoid(logits).squeeze(1).double().numpy()
        return found


def fit(learn: Rows, stop: Rows, epochs: int, tell: Told) -> Fitted:
    """Train until it gets no better on the second rows; the best epoch's weights are kept."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    learn = mirrored(learn)
    mean, scale = standard(learn.features)
    module = _module(learn.features.shape[1])
    inputs, wanted = _inputs(learn.features, mean, scale), _wanted(learn.ups)
    unseen, came = _inputs(stop.features, mean, scale), _wanted(stop.ups)
    optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=DECAY)
    best, best_epoch, kept = float("inf"), 0, _copy(module)
    for epoch in range(1, epochs + 1):
        loss = _epoch(module, optimizer, inputs, wanted)
        with torch.no_grad():
            loss_unseen = float(
                nn.functional.binary_cross_entropy_with_logits(module(unseen), came)
            )
        tell(epoch, loss, loss_unseen)
        if loss_unseen < best:
            best, best_epoch, kept = loss_unseen, epoch, _copy(module)
        elif epoch - best_epoch >= PATIENCE:
            break
    module.load_state_dict(kept)
    return Fitted(_file(module, mean, scale), best_epoch, module, mean, scale)


def _epoch(
    module: nn.Sequential, optimizer: torch.optim.Optimizer, inputs: Tensor, wanted: Tensor
) -> float:
    total = 0.0
    for chosen in torch.split(torch.randperm(len(inputs)), BATCH):
        optimizer.zero_grad()
        logits = module(inputs[chosen])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted[chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach()) * len(chosen)
    return total / len(inputs)


def _module(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for outputs in HIDDEN:
        layers += [nn.Linear(width, outputs), nn.Tanh()]
        width = outputs
    return nn.Sequential(*layers, nn.Linear(width, 1))


def _inputs(features: Floats, mean: Floats, scale: Floats) -> Tensor:
    return torch.from_numpy((features - mean) / scale).float()


def _wanted(ups: Floats) -> Tensor:
    return torch.from_numpy(ups).float().unsqueeze(1)


def _copy(module: nn.Sequential) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _file(module: nn.Sequential, mean: Floats, scale: Floats) -> bytes:
    tensors = {"mean": torch.from_numpy(mean).float(), "scale": torch.from_numpy(scale).float()}
    linear = [layer for layer in module if isinstance(layer, nn.Linear)]
    for n, layer in enumerate(linear):
        tensors |= {f"weight{n}": layer.weight.data, f"bias{n}": layer.bias.data}
    return save({name: tensor.contiguous() for name, tensor in tensors.items()})
