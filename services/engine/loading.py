"""From an offer to a class that can be asked: the source is run, the class and its settings judged.

What it answers follows from the offer alone, so a recorded start runs again on another disk.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schema.strategy import Offer
from services.engine.bundle import LoadError, require_own_imports, require_whole
from services.engine.contract import require_contract, require_instance, strategy_in
from services.engine.memory import migrated, pack, require_plain, settle, unpack
from services.engine.modules import Modules, theirs, where
from services.engine.params import Range, check_params, declared
from services.engine.strategy import Strategy

__all__ = [
    "LoadError",
    "Loaded",
    "load",
    "migrated",
    "pack",
    "settle",
    "unpack",
    "where",
]

KNOWN_MAX = 64


class Loaded(msgspec.Struct, frozen=True):
    """A strategy that can be asked: `kind(params, state)` is an instance for one symbol."""

    kind: type[Strategy]
    params: Any
    ranges: Mapping[str, Range]
    live: tuple[str, ...]


_known: dict[tuple[str, str, bytes], Loaded] = {}


def load(offer: Offer) -> Loaded:
    """Return the class of an offer with its parameters; LoadError says in a sentence why not.

    The same source with the same parameters is run once in a process.
    """
    require_whole(offer)
    params = msgspec.msgpack.encode(offer.params, order="deterministic")
    key = (offer.digest, offer.file, params)
    if key not in _known:
        found = _loaded(offer)
        while len(_known) >= KNOWN_MAX:
            del _known[next(iter(_known))]
        _known[key] = found
    return _known[key]


def _loaded(offer: Offer) -> Loaded:
    modules = Modules(offer)
    with theirs(offer.file), modules.present():
        require_own_imports(offer)
        kind = strategy_in(modules.load())
        require_contract(kind)
        require_plain(kind)
        ranges, live = declared(offer.files, kind)
        params = check_params(kind, ranges, offer.params)
        require_instance(kind(params, kind.State()))
    return Loaded(kind, params, ranges, live)
