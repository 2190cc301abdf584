"""Models on the disk: a folder each, named by the hash of its weights, and a pointer per world.

A model is written into a folder of its own and then renamed, the pointer likewise: whoever reads
finds a whole one or none.
"""

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path

import msgspec

from bus.errors import HouseError
from schema.forecast import ModelArrived
from services.predictor.card import TRAIN, Card, ModelError
from services.predictor.network import WEIGHTS_BYTES_MAX

WEIGHTS, CARD = "model.safetensors", "card.json"
CARD_BYTES_MAX = 64 << 10
POINTER_BYTES_MAX = 4 << 10
NAME = re.compile(r"[0-9a-f]{16}")


class Pointer(msgspec.Struct):
    """Which model forecasts in a world: the hash of its weights, and its folder's name."""

    sha256: str
    path: str


class ShelfError(HouseError):
    """A folder of models that cannot be written."""

    exit_code = 74


def models_folder(home: Path) -> Path:
    """Return where a house keeps its models."""
    return home / "data" / "models"


def pointer_path(models: Path, world: str) -> Path:
    """Return the file that names a world's model."""
    return models / f"current-{world}.json"


def install(models: Path, world: str, weights: bytes, card: Card) -> Path:
    """Put a model onto the shelf and point to it; return its folder."""
    folder = models / card.sha256[:16]
    draft = models / f".{folder.name}.{os.getpid()}"
    try:
        draft.mkdir(mode=0o700, parents=True, exist_ok=True)
        (draft / WEIGHTS).write_bytes(weights)
        (draft / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)) + b"\n")
        if folder.exists():
            (draft / CARD).replace(folder / CARD)  # Made anew of the same bars.
            shutil.rmtree(draft)
        else:
            draft.rename(folder)
        pointer = pointer_path(models, world)
        _replace(pointer, msgspec.json.encode(Pointer(card.sha256, folder.name)))
    except OSError as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(draft)
        raise ShelfError(
            f"the model cannot be written to {models}: {error}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        ).of_disk(error) from error
    return folder


def current(models: Path, world: str) -> ModelArrived | None:
    """Return the model of a world, None while nobody points to one; ModelError otherwise."""
    path = pointer_path(models, world)
    try:
        pointer = msgspec.json.decode(_read(path, POINTER_BYTES_MAX), type=Pointer)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is damaged: {error}", TRAIN) from error
    if not NAME.fullmatch(pointer.path):
        raise ModelError(f"{path}: expected 16 hexadecimal digits, found {pointer.path!r}", TRAIN)
    return _load(models / pointer.path, pointer.sha256)


def _load(folder: Path, sha256: str) -> ModelArrived:
    try:
        weights = _read(folder / WEIGHTS, WEIGHTS_BYTES_MAX)
        card = _read(folder / CARD, CARD_BYTES_MAX)
    except OSError as error:
        raise ModelError(f"the model {folder} cannot be read: {error}", TRAIN) from error
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{folder / WEIGHTS} is damaged: expected sha256 {sha256}, found {found}", TRAIN
        )
    return ModelArrived(sha256=sha256, source=folder.name, weights=weights, card=card)


def _read(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise OSError(f"{path} has more than {bytes_max} bytes")
    return data


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
