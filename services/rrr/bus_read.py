"""`rrr bus get` and `cat`: what stands in the journals, one message or a stretch of them."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import click

from bus.errors import JournalError, ProtocolError
from bus.house import House
from bus.intake import read_body
from bus.journal import open_reader
from bus.plain import printable
from schema.streams import STREAMS, Stream
from schema.units import iso
from services.rrr.books import as_integrity
from services.rrr.bus_look import look_at
from services.rrr.bus_names import chosen, one
from services.rrr.bus_options import (
    CHOICES,
    ENDS,
    SHAPES,
    STARTS,
    begin_of,
    end_of,
    with_options,
)
from services.rrr.digging import directory_of
from services.rrr.ears import Seen
from services.rrr.lines import as_text, fields, head, json_text, value_text
from services.rrr.pipes import reader_may_leave
from services.rrr.places import position_text, read_position
from services.rrr.standing import standing_house
from services.rrr.starts import not_kept
from services.rrr.survey import running_house

READ_BYTES = 1 << 14


@click.command("cat")
@click.argument("names", metavar="STREAM...", nargs=-1, required=True)
@click.option("-e", "--exit-at-end", is_flag=True, default=True, help="It always does.")
@with_options(STARTS, CHOICES, ENDS, SHAPES)
def cat(names: tuple[str, ...], *, exit_at_end: bool, **given: Any) -> None:
    """Show what the journals hold, oldest first, then stop; STREAM may end in *.

    \b
    rrr bus cat ingest.bar -o -100 --json
    rrr bus cat 'gateway.*' --since 1d --key BTC/USDT
    rrr bus cat ingest.trade -o @2026-03-01T14:00 -n 1000 --csv > trades.csv
    rrr bus cat ingest.depth -o snapshot --raw > depth.frames

    It begins at the beginning, unless -o, --since, --last or --last-per-key says otherwise.
    Exit 5 at damage, or a hole of class A or B that nobody accepted; 1 when PLACE is not kept.
    """  # noqa: D301 - click reads the mark itself
    streams = _all_kept(names, given["exclude"])
    begin, end = begin_of("beginning", given), end_of(given)
    look_at(streams, begin, end, given, follow=not exit_at_end)


@click.command("get")
@click.argument("name", metavar="STREAM")
@click.argument("place", metavar="POS")
@click.option("-C", "--context", type=click.IntRange(0), default=0, help="With N before and after.")
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def get(name: str, place: str, context: int, *, json_lines: bool) -> None:
    """Show the message of STREAM at POS, an integer or EPOCH:N; what the bus itself says, too.

    Exit 1 when it is not kept: what is kept is told. Exit 5 when the journal is damaged.
    """
    stream, pos = _kept(one(name)), read_position(place)
    house = running_house(standing_house())
    try:
        found = _around(house, stream, pos, context)
    except (JournalError, ProtocolError) as error:
        raise as_integrity(error) from error
    lines = [_line(seen) if json_lines else _told(seen, pos) for seen in found]
    with reader_may_leave():
        click.echo("\n".join(lines))


def _all_kept(names: tuple[str, ...], without: tuple[str, ...]) -> list[str]:
    """Return the streams that are meant; what is not kept must not be named in full."""
    found = [STREAMS[name] for name in chosen(names, without)]
    kept = [stream.name for stream in found if stream.journaled]
    for stream in found:
        if stream.name in names or not kept:
            _kept(stream)
    return kept


def _kept(stream: Stream) -> Stream:
    if not stream.journaled:
        raise click.UsageError(
            f"{stream.name} is told and not kept; `rrr bus watch` shows it while the house runs"
        )
    return stream


def _around(house: House, stream: Stream, pos: int, context: int) -> list[Seen]:
    first = max(0, pos - context)
    found: list[Seen] = []
    behind = -1
    for seen in _everything(house, stream, first):
        behind += seen.pos >= pos
        if behind > context or (seen.pos > pos and not found):
            break
        found.append(seen)
        if behind == context:
            break
    if pos not in {seen.pos for seen in found}:
        raise not_kept(house.journal_dir, stream, pos)
    return found


def _everything(house: House, stream: Stream, first: int) -> Iterator[Seen]:
    """Yield all that stands from a position on, records of the bus itself included."""
    with closing(open_reader(directory_of(house.journal_dir, stream), stream)) as reader:
        after = first - 1
        while frames := reader.read(after, READ_BYTES):
            after = frames[-1].last
            for frame in frames:
                for pos, message in enumerate(read_body(stream, frame.body, frame.pos), frame.pos):
                    if pos >= first and message is not None:
                        yield Seen(stream.name, pos, frame.ts_ns, message, frame.mono_ns)


def _line(seen: Seen) -> str:
    return json_text(head(seen) | fields(seen.message) | {"place": position_text(seen.pos)})


def _told(seen: Seen, pos: int) -> str:
    if seen.pos != pos:
        return f"{position_text(seen.pos)} {as_text(seen)}"
    lines = [f"{seen.stream} {position_text(pos)} ({pos}) {type(seen.message).__name__}"]
    rows = {"written": iso(seen.ts_ns)} | {
        name: value_text(seen.message, name, value) for name, value in fields(seen.message).items()
    }
    width = max(map(len, rows))
    return "\n".join([*lines, *(f"  {key.ljust(width)}  {printable(rows[key])}" for key in rows)])
