"""Names of streams as a person writes them."""

from collections.abc import Iterable
from difflib import get_close_matches

import click

from schema.streams import STREAMS, Stream


def chosen(names: Iterable[str], without: Iterable[str] = ()) -> list[str]:
    """Return the streams that some names mean, each once; a name may end in *."""
    found = _meant(names)
    left_out = set(_meant(without))
    kept = [name for name in found if name not in left_out]
    if found and not kept:
        raise click.UsageError("every stream is excluded; leave one in")
    return kept


def one(name: str) -> Stream:
    """Return the stream of exactly this name."""
    if name not in STREAMS:
        raise _unknown(name)
    return STREAMS[name]


def _meant(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        matching = [known for known in STREAMS if _matches(name, known)]
        if not matching:
            raise _unknown(name)
        found += (known for known in matching if known not in found)
    return found


def _matches(name: str, known: str) -> bool:
    return known.startswith(name[:-1]) if name.endswith("*") else known == name


def _unknown(name: str) -> click.UsageError:
    near = get_close_matches(name, STREAMS, 1)
    hint = f"the nearest is {near[0]}; " if near else ""
    return click.UsageError(f"no stream {name!r}; {hint}`rrr bus list` names them")
