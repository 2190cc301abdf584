"""`rrr bus trace`: all that belongs to one tick, order or message, across all streams."""

import json
import re
from collections.abc import Iterator
from typing import Any

import click

from bus.clock import SystemClock
from bus.errors import HouseError, JournalError
from bus.house import House
from bus.plain import printable
from bus.telling import plain, step_name, tell
from schema.head import Cause
from schema.identity import ID_CHARS
from schema.streams import STREAMS
from schema.units import iso_ms
from services.rrr.books import as_integrity
from services.rrr.chain import chain_of
from services.rrr.ears import Seen
from services.rrr.links import Family, Traced, holders, linked_to, place_of
from services.rrr.naming import order_named
from services.rrr.pipes import reader_may_leave
from services.rrr.places import read_position, span_ns
from services.rrr.said import said_at
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

HEAD = ("STEP", "SAID AT", "AFTER", "STREAM", "POSITION", "")
FORMS = "a trace number, an order, STREAM:POSITION or STREAM POSITION"
TRACE_MAX = 1 << 63
_number = re.compile(r"\d+|0x[0-9a-f]+", re.IGNORECASE | re.ASCII)


@click.command()
@click.argument("words", metavar="ID", nargs=-1, required=True)
@click.option("--tree", is_flag=True, help="Show who came from whom.")
@click.option(
    "--within",
    metavar="SPAN",
    default="10m",
    show_default=True,
    help="How long after each step the next ones are looked for.",
)
@click.option(
    "--since",
    metavar="SPAN",
    default="2d",
    show_default=True,
    help="How far back a trace number is looked for.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Show no more steps.",
)
@click.option("-J", "--json", "as_json", is_flag=True, help="One JSON object.")
def trace(
    words: tuple[str, ...], within: str, since: str, count: int, *, tree: bool, as_json: bool
) -> None:
    """Show what led to a message and what it led to: tick, forecast, decision, order, fill.

    ID is a trace number, an order as `rrr why` takes it, STREAM:POSITION or STREAM POSITION.
    """
    within_ns = span_ns(within)
    oldest_ns = SystemClock().wall_ns() - span_ns(since)
    house = running_house(standing_house())
    try:
        seeds = _seeds(house, words, oldest_ns)
        found = linked_to(house, seeds, within_ns, count)
    except JournalError as error:
        raise as_integrity(error) from error
    with reader_may_leave():
        click.echo(json.dumps(as_object(found)) if as_json else as_text(found, house, tree=tree))


def as_object(found: Traced) -> dict[str, Any]:
    """Return what belongs together as JSON holds it."""
    family = Family(found.steps)
    return {
        "traces": found.traces,
        "steps": [_step(seen, family) for seen in found.steps],
        "missing": found.missing,
    }


def as_text(found: Traced, house: House, *, tree: bool) -> str:
    """Return what belongs together as a page to read."""
    named = " ".join(map(str, found.traces)) or "none"
    lines = [world_line(house.world), f"Trace {named}: {len(found.steps)} steps", ""]
    rows = _branches(found) if tree else _line(found)
    lines += table([HEAD, *rows])
    return "\n".join([*lines, *(f"({gap})" for gap in found.missing)])


def _seeds(house: House, words: tuple[str, ...], oldest_ns: int) -> list[Seen]:
    """Return the messages that a person means."""
    if len(words) > 2:
        raise click.UsageError(f"too many words; expected {FORMS}")
    stream, _, pos = words[0].partition(":") if len(words) == 1 else (words[0], "", words[1])
    if len(words) > 1 or pos or stream in STREAMS:
        return [_at(house, stream, pos)]
    if _number.fullmatch(stream) and len(stream) != ID_CHARS:
        return _carriers(house, int(stream, 0 if stream[:2].lower() == "0x" else 10), oldest_ns)
    steps = chain_of(house, order_named(house, stream)).steps
    if not steps:
        raise HouseError(
            f"nothing is kept any more of order {printable(stream)}",
            "`rrr why` shows what the shard still knows of it",
        )
    return steps


def _at(house: House, name: str, text: str) -> Seen:
    stream = STREAMS.get(name)
    if stream is None:
        raise click.UsageError(f"no stream {printable(name)!r}; `rrr bus list` names them")
    pos = read_position(text, FORMS)
    seen = said_at(house.journal_dir, stream.number, pos)
    if seen is None:
        raise HouseError(
            f"no message stands at {name} {pos}: it is no longer kept, or was never said",
            f"`rrr bus info {name}` shows what is kept",
        )
    return seen


def _carriers(house: House, number: int, oldest_ns: int) -> list[Seen]:
    found = holders(house, number, oldest_ns) if 0 < number < TRACE_MAX else []
    if not found:
        raise HouseError(
            f"nothing that is kept carries the trace {number}",
            "`rrr bus watch STREAM --json` shows the trace of each message; --since looks further",
        )
    return found


def _step(seen: Seen, family: Family) -> dict[str, Any]:
    parent = family.parent(seen)
    return {
        "step": step_name(seen.message),
        "stream": seen.stream,
        "pos": seen.pos,
        "ts_ns": seen.ts_ns,
        "type": type(seen.message).__name__,
        "parent": list(parent) if parent is not None else None,
        "text": tell(seen.message),
        "message": plain(seen.message),
    }


def _line(found: Traced) -> Iterator[tuple[str, ...]]:
    """Yield each step behind the one that was said before it."""
    before_ns = 0
    for seen in found.steps:
        yield _row(seen, 0, before_ns)
        before_ns = seen.ts_ns


def _branches(found: Traced) -> Iterator[tuple[str, ...]]:
    """Yield each step below the one that it came from."""
    family = Family(found.steps)
    children: dict[Cause | None, list[Seen]] = {}
    for seen in found.steps:
        children.setdefault(family.parent(seen), []).append(seen)
    waiting = [(seen, 0, 0) for seen in reversed(children.get(None, []))]
    while waiting:
        seen, depth, before_ns = waiting.pop()
        yield _row(seen, depth, before_ns)
        below = children.get(place_of(seen), [])
        waiting += [(child, depth + 1, seen.ts_ns) for child in reversed(below)]


def _row(seen: Seen, depth: int, before_ns: int) -> tuple[str, ...]:
    after = f"{(seen.ts_ns - before_ns) // 1000:+} us" if before_ns else ""
    step = "  " * depth + step_name(seen.message)
    at = iso_ms(seen.ts_ns)[11:]  # without the day
    return (step, at, after, seen.stream, str(seen.pos), tell(seen.message))
