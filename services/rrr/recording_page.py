"""What a recording holds, and whether it is whole: `rrr bus play DIR --info`."""

import json

import click
import msgspec

from bus.errors import HouseError, JournalError
from schema.streams import STREAMS
from schema.units import iso_ms
from services.rrr.books import as_integrity
from services.rrr.pipes import reader_may_leave
from services.rrr.recording import Recorded, Recording, differences, frames_in
from services.rrr.screen import mebibytes, table

HEAD = ("STREAM", "CLASS", "MESSAGES", "FRAMES", "BYTES", "FIRST", "LAST", "FROM", "TO")


class DifferenceError(HouseError):
    """A recording whose bytes are not those that were recorded."""

    exit_code = 5


def show_recording(recording: Recording, *, as_json: bool) -> None:
    """Show a recording; DifferenceError when its files are not what its manifest says."""
    try:
        found = [row for row in _rows(recording) if row.frames]
    except JournalError as error:
        raise as_integrity(error) from error
    wrong = differences(recording)
    with reader_may_leave():
        click.echo(_as_line(recording, found, wrong) if as_json else _as_text(recording, found))
    if wrong:
        raise DifferenceError("; ".join(wrong), "Take the recording from where it was copied from")


def _rows(recording: Recording) -> list[Recorded]:
    if recording.manifest is not None:
        return recording.manifest.streams
    return [_counted(recording, stream.name) for stream in recording.streams]


def _counted(recording: Recording, name: str) -> Recorded:
    stream = STREAMS[name]
    row = Recorded(stream=name, durability=stream.durability)
    for frame in frames_in(recording.directory, stream):
        row.note(frame)
    return row


def _as_line(recording: Recording, rows: list[Recorded], wrong: list[str]) -> str:
    manifest = recording.manifest
    head = msgspec.to_builtins(manifest) if manifest is not None else {}
    told = {"whole": manifest is not None, "wrong": wrong, "streams": msgspec.to_builtins(rows)}
    return json.dumps(head | told)


def _as_text(recording: Recording, rows: list[Recorded]) -> str:
    manifest = recording.manifest
    lines = [f"Recording {recording.directory} of world {recording.world}"]
    if manifest is not None:
        begun, ended = iso_ms(manifest.begun_ns), iso_ms(manifest.ended_ns)
        lines.append(f"From {begun} to {ended}: {manifest.ended_by}; contract {manifest.contract}")
    else:
        lines.append("It has no manifest: its recorder was killed, or it is a journal of a house.")
    return "\n".join([*lines, "", *table([HEAD, *map(_cells, rows)])])


def _cells(row: Recorded) -> tuple[str, ...]:
    counts = str(row.messages), str(row.frames), mebibytes(row.size)
    places = str(row.first), str(row.last), iso_ms(row.first_ns), iso_ms(row.last_ns)
    return (row.stream, row.durability, *counts, *places)
