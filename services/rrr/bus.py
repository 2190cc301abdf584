"""The verbs of the bus: watch and list. Both only read, and cost the publishers nothing."""

import json
from collections.abc import Iterable
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any

import click

from bus.clock import SystemClock
from bus.house import House
from bus.journal import open_reader
from bus.wire import Subscriber
from schema.frame import epoch_of
from schema.streams import STREAMS, Stream
from services.rrr.ears import Seen, journal_tails, listen
from services.rrr.lines import as_json, as_text
from services.rrr.pipes import reader_may_leave
from services.rrr.places import FORMS, span_ns
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.survey import running_house


@click.group()
def bus() -> None:
    """Watch the bus, and list its streams."""


@bus.command("watch")
@click.argument("names", metavar="STREAM...", nargs=-1, required=True)
@click.option("-n", "--count", type=click.IntRange(1), help="Stop after so many messages.")
@click.option("--once", is_flag=True, help="Stop after one message.")
@click.option("-W", "--timeout", "timeout_s", type=click.FloatRange(0, 1e9), default=0, metavar="S")
@click.option("-o", "--offset", default="end", show_default=True, help=f"Begin at: {FORMS}.")
@click.option("--since", help="Begin a stretch of time ago, e.g. 10m.")
@click.option("-e", "--exit-at-end", is_flag=True, help="Stop when all was shown.")
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def watch(
    names: tuple[str, ...],
    count: int | None,
    timeout_s: float,
    offset: str,
    since: str | None,
    *,
    once: bool,
    exit_at_end: bool,
    json_lines: bool,
) -> None:
    """Show messages as they are said; STREAM may end in *, as in ingest.*."""
    if isnan(timeout_s):
        raise click.UsageError("no time-out 'nan'; expected seconds")
    house, clock = running_house(standing_house()), SystemClock()
    streams = _chosen(names)
    if since is not None:
        span_ns(since)
        offset = f"@-{since}"
    tails = journal_tails(house.journal_dir, streams, offset, clock.wall_ns())
    subscriber = _subscriber(house, streams)
    seen = listen(tails, subscriber, clock, int(timeout_s * 1e9), follow=not exit_at_end)
    try:
        with reader_may_leave():
            _show(islice(seen, 1 if once else count), json_lines=json_lines)
    except KeyboardInterrupt:
        return
    finally:
        if subscriber is not None:
            subscriber.close()


@bus.command("list")
@click.option("-J", "--json", "as_one", is_flag=True, help="One JSON array.")
def list_streams(*, as_one: bool) -> None:
    """List the streams: who says them, how they are kept, how far they are."""
    house = running_house(standing_house())
    rows = [_row(house, stream) for stream in STREAMS.values() if stream.owner in house.programs]
    cells = [tuple(_cell(key, value) for key, value in row.items()) for row in rows]
    lines = table([tuple(key.upper() for key in rows[0]), *cells])
    with reader_may_leave():
        click.echo(json.dumps(rows) if as_one else "\n".join(lines))


def _chosen(names: tuple[str, ...]) -> list[str]:
    chosen: list[str] = []
    for name in names:
        matching = [known for known in STREAMS if _matches(name, known)]
        if not matching:
            raise click.UsageError(f"no stream {name!r}; `rrr bus list` names them")
        chosen += (known for known in matching if known not in chosen)
    return chosen


def _matches(name: str, known: str) -> bool:
    return known.startswith(name[:-1]) if name.endswith("*") else known == name


def _subscriber(house: House, streams: list[str]) -> Subscriber | None:
    ephemeral = [name for name in streams if not STREAMS[name].journaled]
    return Subscriber(house.run, ephemeral) if ephemeral else None


def _show(seen: Iterable[Seen], *, json_lines: bool) -> None:
    for one in seen:
        click.echo(as_json(one) if json_lines else as_text(one))


def _row(house: House, stream: Stream) -> dict[str, Any]:
    directory: Path = house.journal_dir / stream.owner / stream.channel
    last = open_reader(directory, stream).last() if stream.journaled else 0
    return {
        "stream": stream.name,
        "owner": stream.owner,
        "class": stream.durability,
        "epoch": epoch_of(last),
        "last_pos": last,
        "bytes": sum(path.stat().st_size for path in directory.glob("*.seg")),
    }


def _cell(key: str, value: object) -> str:
    return mebibytes(value) if key == "bytes" and isinstance(value, int) else str(value)
