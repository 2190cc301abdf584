"""How far a durable consumer has come, told beside its journals to the owners of what it hears.

`<journal_dir>/<service>/cursors` is a copy, at most seconds behind what the consumer's own shard or
snapshot holds, and never ahead of it. An older one only keeps more. One that cannot be read says
nothing, and who says nothing holds everything.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from schema.streams import BY_NUMBER, STREAMS, Stream

NAME = "cursors"

_positions = msgspec.json.Decoder(dict[str, int])


def registered(service: str) -> bool:
    """Return whether some stream waits for a service before it lets go of anything."""
    return any(service in stream.durable for stream in STREAMS.values())


def write_cursors(directory: Path, cursors: Iterable[tuple[int, int]]) -> None:
    """Replace the copy in the folder of a consumer's own journals; it need not survive a cut."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = directory / f"{NAME}.tmp"
    draft.write_bytes(msgspec.json.encode({BY_NUMBER[number].name: pos for number, pos in cursors}))
    draft.replace(directory / NAME)


def read_cursors(journals: Path, stream: Stream) -> dict[str, int | None]:
    """Return how far each registered consumer of a stream has come; None when it is not known."""
    return {name: _read(journals / name / NAME).get(stream.name) for name in stream.durable}


def _read(path: Path) -> dict[str, int]:
    try:
        return _positions.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
