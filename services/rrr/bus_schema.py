"""`rrr bus schema`: what stands on the streams, and whether the journals can still be read."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from bus.house import House
from bus.plain import printable
from bus.shapes import FOLDER, StreamShape, breaks, differences, name_of, read_shape, shape_of
from schema.messages import LOCALS, MESSAGES
from schema.streams import STREAMS, TURNS, Stream
from services.rrr.bus_schema_show import json_of, message_lines
from services.rrr.digging import directory_of
from services.rrr.journal_files import IntegrityError
from services.rrr.lines import json_text
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import table
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

KINDS: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind for kind in (*MESSAGES.values(), *LOCALS.values())
}

_id = re.compile(r"[0-9a-f]{8}")


@click.group("schema")
def schema() -> None:
    """Show what stands on the streams, and prove that the journals can still be read."""


@schema.command("ls")
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def list_schemas(*, json_lines: bool) -> None:
    """List the streams with the id of their shape and their messages."""
    rows = [
        {
            "stream": stream.name,
            "schema": name_of(stream),
            "messages": {kind.__name__: _tag(kind) for kind in stream.messages},
        }
        for stream in STREAMS.values()
    ]
    with reader_may_leave():
        if json_lines:
            for row in rows:
                click.echo(msgspec.json.encode(row).decode())
            return
        lines = [("STREAM", "SCHEMA", "MESSAGES (TAGS)"), *map(_cells, rows)]
        click.echo("\n".join(table(lines)))


@schema.command("show")
@click.argument("name", metavar="STREAM|MESSAGE")
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def show(name: str, *, json_lines: bool) -> None:
    """Show the fields of a message, or of all messages of a stream: types, defaults, units."""
    kinds = _kinds(name)
    with reader_may_leave():
        for kind in kinds:
            if json_lines:
                click.echo(msgspec.json.encode(json_of(kind)).decode())
            else:
                click.echo("\n".join(message_lines(kind)) + "\n")


@schema.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("-J", "--json", "as_json", is_flag=True, help="One JSON object.")
def diff(before: str, after: str, *, as_json: bool) -> None:
    """Show how two shapes differ: ids as `ls` shows them, or files.

    A journal keeps the shapes that it was written in as schemas/ID.json.
    """
    house = running_house(standing_house())
    first, second = _shape(house, before), _shape(house, after)
    lines = list(differences(first, second))
    with reader_may_leave():
        if as_json:
            click.echo(json_text(_compared(first, second, lines)))
            return
        if first.stream != second.stream:
            click.echo(f"# {printable(first.stream)} and {printable(second.stream)}")
        click.echo("\n".join(map(printable, lines)) if lines else "they are the same")


def _compared(first: StreamShape, second: StreamShape, lines: list[str]) -> dict[str, Any]:
    streams, ids = [first.stream, second.stream], [first.id, second.id]
    return {"streams": streams, "schemas": ids, "differences": lines}


@schema.command("check")
@click.option("--against", type=click.Path(exists=True, path_type=Path), metavar="FILE|DIR",
    help="A file of schemas/, or a folder with such files in it; default: this house's journals.",
)  # fmt: skip
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def check(against: Path | None, *, json_lines: bool) -> None:
    """Prove that this tree reads what the journals hold, or what a file or folder of shapes says.

    Fields may only be appended, with defaults; a tag stays what it is. Exits 5 when one is not.
    """
    house = running_house(standing_house())
    files = _files(house.journal_dir if against is None else against)
    if against is not None and not files:
        raise click.UsageError(f"{against} holds no file {FOLDER}/ID.json")
    rows = [_checked(path) for path in files]
    with reader_may_leave():
        for row in rows:
            click.echo(json_text(row) if json_lines else _line(row))
        if not rows and not json_lines:
            click.echo(f"{house.journal_dir} holds no shapes yet; a publisher's start writes them")
    wrong = sum(1 for row in rows if row["breaks"])
    if wrong:
        raise IntegrityError(
            f"{wrong} of {len(rows)} shapes cannot be read by this tree",
            "Append fields, with defaults, and give a new meaning a new tag: docs/adr/0003",
        )


def _checked(path: Path) -> dict[str, Any]:
    old = read_shape(path)
    stream = STREAMS.get(old.stream)
    found = [f"no stream {old.stream} is known"]
    if stream is not None:
        found = list(breaks(old, shape_of(stream)))
    return {"stream": old.stream, "schema": old.id, "file": str(path), "breaks": found}


def _line(row: dict[str, Any]) -> str:
    head = printable(f"{row['stream']} {row['schema']}")
    if not row["breaks"]:
        return f"{head} is read"
    return "\n".join(
        [f"{head} is not read ({row['file']})", *(printable(f"  {b}") for b in row["breaks"])]
    )


def _files(where: Path) -> list[Path]:
    if where.is_file():
        return [where]
    beside = where.glob("*.json") if where.name == FOLDER else where.rglob(f"{FOLDER}/*.json")
    return sorted(beside)


def _shape(house: House, text: str) -> StreamShape:
    if not _id.fullmatch(text):
        if _is_file(text):
            return read_shape(Path(text))
        raise click.UsageError(f"no shape {text[:80]!r}; expected a file, or an id as of `ls`")
    for stream in STREAMS.values():
        path = directory_of(house.journal_dir, stream) / FOLDER / f"{text}.json"
        if text == name_of(stream):
            return shape_of(stream)
        if path.is_file():
            return read_shape(path)
    raise click.UsageError(f"no shape {text}; neither this tree nor a journal here has it")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:
        return False  # No name that a file can have.


def _kinds(name: str) -> Iterable[type[msgspec.Struct]]:
    stream: Stream | None = STREAMS.get(name)
    if stream is not None:
        return (*stream.messages, *(TURNS if stream.journaled else ()))
    if name in KINDS:
        return (KINDS[name],)
    raise click.UsageError(f"no stream and no message {name!r}; `rrr bus schema ls` names them")


def _tag(kind: type[msgspec.Struct]) -> Any:
    return kind.__struct_config__.tag


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    kinds = " ".join(f"{name}({tag})" for name, tag in row["messages"].items())
    return str(row["stream"]), str(row["schema"]), kinds
