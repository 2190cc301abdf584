"""`rrr bus list`: the streams, who says them, how they are kept, how far they are."""

import json
from typing import Any

import click

from bus.clock import SystemClock
from bus.house import House
from schema.frame import epoch_of
from schema.streams import STREAMS, Stream
from services.rrr.bus_kept import last_of, segments, synced_of
from services.rrr.bus_names import chosen
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.survey import Survey, running_house, survey

COLUMNS = ("stream", "owner", "class", "epoch", "last_pos", "synced_pos", "segments", "bytes")
MORE = ("retention_days", "durable", "messages")


@click.command("list")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@click.option("-v", "--verbose", is_flag=True, help="With messages, retention and consumers.")
@click.option("-q", "--quiet", is_flag=True, help="The names alone.")
@click.option("-J", "--json", "as_one", is_flag=True, help="One JSON array.")
def list_streams(names: tuple[str, ...], *, verbose: bool, quiet: bool, as_one: bool) -> None:
    """List the streams: who says them, how they are kept, how far they are.

    SYNCED_POS is on the disk for certain; only a running owner knows it.
    """
    house = running_house(standing_house())
    streams = [STREAMS[name] for name in chosen(names) or STREAMS]
    if quiet and not as_one:
        lines = [stream.name for stream in streams]
    else:
        found = survey(house, SystemClock())
        rows = [_row(house, found, stream) for stream in streams]
        lines = [json.dumps(rows)] if as_one else _page(rows, COLUMNS + MORE * verbose)
    with reader_may_leave():
        click.echo("\n".join(lines))


def _row(house: House, found: Survey, stream: Stream) -> dict[str, Any]:
    last = last_of(house, found, stream)
    files = segments(house.journal_dir, stream) if stream.journaled else []
    return {
        "stream": stream.name,
        "owner": stream.owner,
        "class": stream.durability,
        "epoch": epoch_of(last),
        "last_pos": last,
        "bytes": sum(one["bytes"] for one in files),
        "synced_pos": synced_of(found, stream) if stream.journaled else None,
        "segments": len(files),
        "messages": [kind.__name__ for kind in stream.messages],
        "retention_days": stream.retention_days if stream.journaled else None,
        "durable": list(stream.durable),
    }


def _page(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> list[str]:
    cells = [tuple(_cell(key, row[key]) for key in columns) for row in rows]
    return table([tuple(key.upper() for key in columns), *cells])


def _cell(key: str, value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return " ".join(value)
    return mebibytes(value) if key == "bytes" else str(value)
