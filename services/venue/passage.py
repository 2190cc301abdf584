"""Where a venue that hears begins to hear again: behind what it matched before it ended.

How far that was is written down with the account, by the one who matches, in the same record as
what came of it. So nothing is kept here; the positions travel with what was heard.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from bus.journal import open_reader
from bus.service import Store
from schema.head import Local
from schema.streams import STREAMS
from services.venue.effects import Follow
from services.venue.records import Records
from services.venue.store import account_path, read


class Passage(Store):
    """Hands on what was heard, each with the positions behind it."""

    def __init__(self, kept: Mapping[int, int]) -> None:
        self._kept = kept
        self._out: list[Local] = []

    def cursors(self) -> Mapping[int, int]:
        return self._kept

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        self._out += effects
        if effects and isinstance(effects[-1], Follow):
            self._out[-1] = replace(effects[-1], cursors=dict(cursors))

    def answers(self) -> Sequence[Local]:
        out, self._out = self._out, []
        return out


def kept_records(folder: Path) -> Records:
    """Return the account in a venue's own folder as it was left; SettingsError when damaged."""
    path = account_path(folder)
    records = read(path, path.read_bytes())[0] if path.exists() else None
    return records or Records()


def passage(journals: Path, records: Records, hears: Sequence[str]) -> Passage:
    """Return where to begin with each stream: behind what is matched, else at its end of now."""
    kept = {}
    for name in hears:
        stream = STREAMS[name]
        kept[stream.number] = records.cursors.get(stream.number, 0) or _last(journals, name)
    return Passage(kept)


def _last(journals: Path, name: str) -> int:
    stream = STREAMS[name]
    service, _, channel = name.partition(".")
    reader = open_reader(journals / service / channel, stream)
    try:
        return reader.last()
    finally:
        reader.close()
