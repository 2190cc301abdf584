"""A recording: a directory of streams, laid out as a journal is, and a manifest of what it holds.

    DIR/manifest.json                  written at the end; without one the recorder was killed
    DIR/<owner>/<channel>/<first position, 20 digits>.seg

Every reader of journals reads it. A journal of a house is read in the same way: it has no manifest.
"""

import hashlib
import re
from collections.abc import Iterator
from heapq import merge
from pathlib import Path

import msgspec

from bus.clock import MarketTime
from bus.copy import Copied
from bus.disk import sync_directory, sync_file
from bus.errors import HouseError
from bus.journal import open_reader
from bus.segments import HASH_BYTES, failing
from schema.frame import Frame
from schema.streams import STREAMS, Stream

MANIFEST = "manifest.json"
FORMAT = 1
WORLD = re.compile(r"[a-z0-9-]{1,64}")
SLICE_BYTES = 1 << 20


class Recorded(Copied, kw_only=True):
    """One stream of a recording."""

    stream: str
    durability: str


class Manifest(msgspec.Struct, kw_only=True):
    """What a recording is of, and what it holds."""

    format: int = FORMAT
    world: str
    contract: str  # hash of the schema and the bus that it was recorded with
    begun_ns: int  # wall times
    ended_ns: int
    ended_by: str
    clock: MarketTime | None  # of the house, where one ran
    streams: list[Recorded]


class Recording(msgspec.Struct, frozen=True):
    """A recording as it lies there."""

    directory: Path
    manifest: Manifest | None
    streams: tuple[Stream, ...]

    @property
    def world(self) -> str:
        """The world that it was recorded in, as far as it says; it is part of a path."""
        said = self.manifest.world if self.manifest is not None else ""
        return said if WORLD.fullmatch(said) else "unknown"


def folder_in(directory: Path, stream: Stream) -> Path:
    """Return where the files of a stream lie."""
    return directory / stream.owner / stream.channel


def open_recording(directory: Path) -> Recording:
    """Return the recording in a directory; HouseError when there is none."""
    streams = tuple(s for s in STREAMS.values() if any(folder_in(directory, s).glob("*.seg*")))
    if not streams and not (directory / MANIFEST).exists():
        raise HouseError(
            f"{directory} holds no recording: expected {MANIFEST} or <owner>/<channel>/*.seg in it",
            "`rrr bus record -o DIR STREAM...` makes one",
        )
    return Recording(directory, _manifest(directory), streams)


def frames_of(recording: Recording) -> Iterator[Frame]:
    """Yield the frames of all streams in the order of their times; within each in its own."""
    each = (frames_in(recording.directory, stream) for stream in recording.streams)
    return merge(*each, key=lambda frame: frame.ts_ns)


def frames_in(directory: Path, stream: Stream) -> Iterator[Frame]:
    """Yield the frames of one stream."""
    reader, after = open_reader(folder_in(directory, stream), stream), 0
    try:
        while frames := reader.read(after, SLICE_BYTES):
            yield from frames
            after = frames[-1].last
    finally:
        reader.close()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all."""
    path = directory / MANIFEST
    draft = path.with_suffix(".tmp")
    with failing(path):
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
            file.flush()
            sync_file(file.fileno())
        draft.replace(path)
        sync_directory(directory)


def differences(recording: Recording) -> list[str]:
    """Return where the files are not what the manifest says; nothing without a manifest."""
    if recording.manifest is None:
        return []
    found = []
    for recorded in recording.manifest.streams:
        folder = recording.directory.joinpath(*recorded.stream.split(".", 1))
        for file in recorded.files:
            path = folder / file.name
            if not path.is_file():
                found.append(f"{path}: it is gone")
            elif _hash(path) != file.blake2b:
                found.append(f"{path}: its bytes are not those that were recorded")
    return found


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new_hash).hexdigest()


def _new_hash() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=HASH_BYTES)


def _manifest(directory: Path) -> Manifest | None:
    path = directory / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        raise HouseError(
            f"{path} cannot be read: {error}",
            "Move it away: what the streams hold can be played without it",
        ) from error
