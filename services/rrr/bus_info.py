"""`rrr bus info`: all that is known of one stream."""

import json
from typing import Any

import click
import msgspec

from bus.clock import SystemClock
from bus.house import House
from bus.plain import printable
from schema.frame import epoch_of
from schema.streams import Stream
from schema.units import iso_ms
from services.rrr.bus_kept import consumers, last_of, oldest_ns, segments, synced_of
from services.rrr.bus_names import one
from services.rrr.digging import directory_of
from services.rrr.pipes import reader_may_leave
from services.rrr.places import position_text
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.starts import first_position, numbered
from services.rrr.survey import Survey, running_house, survey, verdict

MEANS = {
    "A": "on the disk before it is sent; a hole stops who hears it",
    "B": "on the disk within 50 ms; a hole stops who hears it",
    "C": "on the disk within 5 s; a hole is counted and passed",
    "E": "sent and not kept",
}
SEGMENTS_SHOWN = 10


@click.command("info")
@click.argument("name", metavar="STREAM")
@click.option("-J", "--json", "as_one", is_flag=True, help="One JSON object.")
def info(name: str, *, as_one: bool) -> None:
    """Show all that is known of STREAM: messages, files, consumers and how far behind they are."""
    house, stream = running_house(standing_house()), one(name)
    told = build(house, survey(house, SystemClock()), stream)
    with reader_may_leave():
        click.echo(json.dumps(told) if as_one else "\n".join(page(told)))


def build(house: House, found: Survey, stream: Stream) -> dict[str, Any]:
    """Return what is known of a stream."""
    owner = verdict(found, stream.owner) if stream.owner in house.programs else None
    return {
        "stream": stream.name,
        "number": stream.number,
        "owner": stream.owner,
        "owner_state": owner.state if owner is not None else None,
        "owner_reason": owner.reason if owner is not None else "this house has no such program",
        "class": stream.durability,
        "class_means": MEANS[stream.durability],
        "messages": [_kind(kind) for kind in stream.messages],
        "snapshot": stream.snapshot.__name__ if stream.snapshot is not None else None,
        "durable": list(stream.durable),
        **(_kept(house, found, stream) if stream.journaled else {}),
        "consumers": [msgspec.to_builtins(who) for who in consumers(house, found, stream)],
    }


def _kept(house: House, found: Survey, stream: Stream) -> dict[str, Any]:
    journals = house.journal_dir
    files = segments(journals, stream)
    first, last = first_position(journals, stream), last_of(house, found, stream)
    newest = next((frame.ts_ns for frame in numbered(journals, stream)), 0)
    oldest, synced = oldest_ns(journals, stream), synced_of(found, stream)
    return {
        "retention_days": stream.retention_days,
        "directory": str(directory_of(journals, stream)),
        "epoch": epoch_of(last),
        "first_pos": first,
        "first": position_text(first),
        "last_pos": last,
        "last": position_text(last),
        "synced_pos": synced,
        "synced": position_text(synced) if synced is not None else None,
        "oldest": iso_ms(oldest) if oldest else None,
        "newest": iso_ms(newest) if newest else None,
        "bytes": sum(one["bytes"] for one in files),
        "segments": files,
    }


def _kind(kind: type[Any]) -> dict[str, Any]:
    says = (kind.__doc__ or "").partition("\n")[0]
    return {"type": kind.__name__, "tag": kind.__struct_config__.tag, "says": says}


def page(told: dict[str, Any]) -> list[str]:
    """Return it for people."""
    rows: list[tuple[str, ...]] = [
        ("owner", f"{told['owner']}  {told['owner_state'] or ''} {told['owner_reason']}".rstrip()),
        ("class", f"{told['class']}: {told['class_means']}"),
        ("number", str(told["number"])),
        ("snapshot", told["snapshot"] or _without(told)),
    ]
    if "segments" in told:
        rows += _kept_rows(told)
    lines = [told["stream"], *(f"  {line}" for line in table(rows)), ""]
    kinds = [(kind["type"], str(kind["tag"]), kind["says"]) for kind in told["messages"]]
    lines += table([("MESSAGE", "TAG", ""), *kinds])
    lines += _segment_lines(told.get("segments", []))
    if "segments" not in told:
        return [*lines, "", "It is not kept: nobody is waited for, and who hears it is not known."]
    return lines + _consumer_lines(told["consumers"])


def _without(told: dict[str, Any]) -> str:
    if "segments" in told:
        return "none: a late joiner reads from the beginning"
    return "none: a late joiner hears what is said from then on"


def _kept_rows(told: dict[str, Any]) -> list[tuple[str, ...]]:
    synced = (
        f"{told['synced']} ({told['synced_pos']})" if told["synced"] else "unknown: not running"
    )
    count = len(told["segments"])
    files = f"{mebibytes(told['bytes'])} in {count} segment{'s' * (count != 1)}"
    return [
        ("first", f"{told['first']} ({told['first_pos']})  {told['oldest'] or ''}".rstrip()),
        ("last", f"{told['last']} ({told['last_pos']})  {told['newest'] or ''}".rstrip()),
        ("synced", synced),
        ("kept", f"{files}, {told['retention_days']} days, in {printable(told['directory'])}"),
    ]


def _segment_lines(files: list[dict[str, Any]]) -> list[str]:
    if not files:
        return []
    rows = [
        (one["place"], str(one["base"]), mebibytes(one["bytes"]), "archived" * one["archived"])
        for one in files[-SEGMENTS_SHOWN:]
    ]
    left_out = len(files) - len(rows)
    more = [f"{left_out} older ones: --json lists them"] if left_out else []
    return ["", *table([("SEGMENT", "BASE", "SIZE", ""), *rows]), *more]


def _consumer_lines(found: list[dict[str, Any]]) -> list[str]:
    if not found:
        return ["", "Nobody that runs hears it, and nobody is waited for."]
    return ["", *table([CONSUMER_HEAD, *map(consumer_row, found)])]


CONSUMER_HEAD = ("CONSUMER", "DURABLE", "CURSOR", "BEHIND", "SECONDS", "KNOWN FROM")


def consumer_row(one: dict[str, Any]) -> tuple[str, ...]:
    """Return one consumer as cells."""
    cursor = one["cursor"]
    return (
        one["consumer"],
        "yes" if one["durable"] else "no",
        position_text(cursor) if cursor is not None else "?",
        "?" if one["behind"] is None else str(one["behind"]),
        "?" if one["behind_s"] is None else f"{one['behind_s']:.1f}",
        one["known_from"],
    )
