"""The cards of the services, against the registry of streams and the supervisor's programs."""

from collections.abc import Iterator
from configparser import RawConfigParser
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from bus.build import folder_of
from schema.streams import HEARTBEATS, STREAMS
from tests.tidy.source import ROOT

NO_PROCESS = frozenset({"rrr"})
"""Folders in services/ that no supervisor starts."""


JOBS = frozenset({"backtest"})
"""Services that a person runs: they have a card and a stream, and neither core nor process."""


class Card(NamedTuple):
    """What a service's `__init__.py` says of it."""

    folder: str
    says_what: str
    name: str
    hears: tuple[str, ...]
    says: tuple[str, ...]


def folders(root: Path = ROOT) -> list[str]:
    """Return the services that there are, by folder."""
    cards = (root / "services").glob("*/__init__.py")
    return sorted(path.parent.name for path in cards if path.parent.name not in NO_PROCESS)


def read(folder: str) -> Card:
    """Return a service's card."""
    module = import_module(f"services.{folder}")
    return Card(
        folder,
        module.__doc__ or "",
        getattr(module, "NAME", ""),
        tuple(getattr(module, "HEARS", ("HEARS is missing",))),
        tuple(getattr(module, "SAYS", ("SAYS is missing",))),
    )


def processes(folder: str) -> list[str]:
    """Return the processes that one folder holds: the writers share theirs."""
    return [name for name in HEARTBEATS if folder_of(name) == folder]


def breaches(card: Card) -> Iterator[str]:
    """Yield where a card and the registry differ."""
    if card.name != card.folder:
        yield f"{card.folder}: NAME is {card.name!r}; a service has one name"
    if not processes(card.folder):
        yield f"{card.folder}: no heartbeat in schema/streams.py"
    if len(card.says_what.strip().splitlines()) != 1 or not card.says_what.endswith("."):
        yield f"{card.folder}: the card's docstring is one sentence"
    own = {
        stream.name
        for stream in STREAMS.values()
        if stream.owner in processes(card.folder) and not stream.name.endswith(".hb")
    }
    if set(card.says) != own:
        yield f"{card.folder}: SAYS {sorted(card.says)}; schema/streams.py has {sorted(own)}"
    yield from _ears(card)


def _ears(card: Card) -> Iterator[str]:
    for name in card.hears:
        if name not in STREAMS:
            yield f"{card.folder}: HEARS {name!r}, which schema/streams.py does not know"
    for stream in STREAMS.values():
        waits = set(stream.durable) & set(processes(card.folder))
        if waits and stream.name not in card.hears:
            yield f"{card.folder}: {stream.name} is kept for it, and its card does not hear it"
    if len(set(card.hears)) != len(card.hears) or len(set(card.says)) != len(card.says):
        yield f"{card.folder}: a stream stands twice on the card"


def programs(text: str) -> dict[str, str]:
    """Return the command of each program of a supervisord.conf, in its order."""
    conf = RawConfigParser(inline_comment_prefixes=(";",), strict=True)
    conf.read_string(text)
    return {
        section.partition(":")[2]: conf[section]["command"]
        for section in conf.sections()
        if section.startswith(("program:", "eventlistener:"))
    }


def strays(commands: dict[str, str], known: list[str]) -> Iterator[str]:
    """Yield where programs, folders and heartbeats have different names."""
    for name, command in commands.items():
        folder = folder_of(name)
        wanted = f"-m services.{folder}" + name.removeprefix(folder).replace("_", " ", 1)
        if not command.endswith(wanted):
            yield f"{name}: supervisord.conf runs {command!r}; expected `… {wanted}`"
        if name not in HEARTBEATS:
            yield f"{name}: no heartbeat in schema/streams.py"
    for folder in sorted(set(known) - JOBS):
        if folder not in {folder_of(name) for name in commands}:
            yield f"{folder}: a service that supervisord.conf does not start"
