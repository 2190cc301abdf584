"""Imports the libraries of strategies before the engine starts: a slow one would take up a call."""

import ast
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module

from schema.strategy import Offer
from services.engine.boundary import Bare, tried
from services.engine.bundle import HOUSE, imported


def warm(offers: Iterable[Offer]) -> None:
    """Import what the sources import and do not bring; what cannot be is told when they load."""
    for offer in offers:
        for name in dict.fromkeys(_libraries(offer)):
            tried(Bare(), offer.name, partial(import_module, name))


def _libraries(offer: Offer) -> Iterator[str]:
    own = {module.partition(".")[0] for module, _ in offer.files}
    for module, text in offer.files:
        for _, name in imported(ast.parse(text), module, package=False):
            top = name.partition(".")[0]
            if top and top not in HOUSE | own:
                yield top
