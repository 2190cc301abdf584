"""The flags that the reading verbs of `rrr bus` share, and what they mean together."""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Any, TypeVar

import click
import msgspec

from services.rrr.bus_fields import has_key
from services.rrr.bus_filter import read_filter
from services.rrr.bus_shape import Style
from services.rrr.ears import Seen
from services.rrr.places import FORMS, Place, read_place, span_ns

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]

STARTS: tuple[Option, ...] = (
    click.option("-o", "--offset", metavar="PLACE", help=f"Begin at: {FORMS}."),
    click.option("--since", metavar="SPAN", help="Begin a stretch of time ago, e.g. 10m."),
    click.option("--last", is_flag=True, help="Begin with the last message of each stream."),
    click.option("--last-per-key", is_flag=True, help="Begin with the last one of each key."),
)
CHOICES: tuple[Option, ...] = (
    click.option("--key", "keys", multiple=True, help="Only of this symbol, strategy, order …"),
    click.option("--filter", "expression", metavar="EXPR", help='E.g. "px > 60000.5".'),
    click.option("-x", "--exclude", multiple=True, metavar="STREAM", help="Leave a stream out."),
)
ENDS: tuple[Option, ...] = (
    click.option("-n", "--count", type=click.IntRange(1), help="Stop after so many messages."),
    click.option("--once", is_flag=True, help="Stop after one message."),
    click.option(
        "-W", "--timeout", "timeout_s", type=click.FloatRange(0, 1e9), default=0, metavar="S",
        help="Stop after so many seconds; exit 3 when -n is not reached.",
    ),
)  # fmt: skip
SHAPES: tuple[Option, ...] = (
    click.option("--field", "fields", metavar="A,B", help="Only these fields."),
    click.option("-f", "--format", metavar="TEXT", help="%s %p %P %t %T %y %k %m %{FIELD}."),
    click.option("-J", "--json", is_flag=True, help="One JSON object a line."),
    click.option("--raw", is_flag=True, help="Whole frames, byte for byte, to a file or pipe."),
    click.option("--csv", is_flag=True, help="Comma-separated values under a head."),
    click.option("-t", "--timestamp", is_flag=True, help="With the day, to the nanosecond."),
    click.option("-d", "--delta", is_flag=True, help="With the seconds since the one before."),
    click.option("--headers-only", is_flag=True, help="Without the fields."),
    click.option("-l", "--truncate", type=click.IntRange(1), help="Cut what is longer than N."),
    click.option("--no-lost", is_flag=True, help="Do not tell what is lost."),
)


class Begin(msgspec.Struct, frozen=True):
    """Where to begin; `per_key`: of what follows there, the last of each key."""

    place: Place
    per_key: bool = False


class End(msgspec.Struct, frozen=True):
    """When to stop; 0 is never."""

    count: int = 0
    timeout_s: float = 0.0


def with_options(*groups: Sequence[Option]) -> Callable[[Command], Command]:
    """Return what gives a verb groups of flags."""

    def add(command: Command) -> Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


def begin_of(default: str, given: dict[str, Any]) -> Begin:
    """Return where a person wants to begin."""
    per_key = bool(given["last_per_key"])
    named = [name for name in ("offset", "since", "last") if given[name]]
    if len(named) > 1 or (per_key and given["last"]):
        raise click.UsageError("give one place to begin: -o, --since, --last or --last-per-key")
    if given["since"] is not None:
        return Begin(Place("ago", span_ns(given["since"])), per_key)
    if given["last"]:
        return Begin(Place("back", 1))
    if given["offset"] is not None:
        return Begin(read_place(given["offset"]), per_key)
    return Begin(read_place("beginning" if per_key else default), per_key)


def end_of(given: dict[str, Any]) -> End:
    """Return when a person wants to stop."""
    if isnan(given["timeout_s"]):
        raise click.UsageError("no time-out 'nan'; expected seconds")
    return End(1 if given["once"] else given["count"] or 0, given["timeout_s"])


def wanted_of(given: dict[str, Any], streams: list[str]) -> Callable[[Seen], bool] | None:
    """Return the test for what is wanted; None when everything is."""
    keys, text = given["keys"], given["expression"]
    holds = read_filter(text, streams) if text is not None else None
    if not keys:
        return holds
    if holds is None:
        return lambda seen: has_key(seen.message, keys)
    return lambda seen: has_key(seen.message, keys) and holds(seen)


def style_of(given: dict[str, Any]) -> Style:
    """Return how a person wants to see it."""
    named = [name for name in ("json", "csv", "raw", "format") if given[name] not in {None, False}]
    if len(named) > 1:
        raise click.UsageError(f"--{named[0]} and --{named[1]} exclude each other; give one")
    fields = tuple(part.strip() for part in (given["fields"] or "").split(",") if part.strip())
    return Style(
        fields=fields,
        json=given["json"],
        csv=given["csv"],
        format=given["format"],
        timestamp=given["timestamp"],
        delta=given["delta"],
        headers_only=given["headers_only"],
        chars_max=given["truncate"] or 0,
        lost=not given["no_lost"],
    )


def refuse_for_raw(given: dict[str, Any]) -> None:
    """Refuse what looks into messages, beside --raw, which does not."""
    inside = ("keys", "expression", "fields", "timestamp", "delta", "headers_only", "truncate")
    for name in (*inside, "last_per_key"):
        if given[name]:
            flag = {"keys": "key", "expression": "filter", "fields": "field"}.get(name, name)
            raise click.UsageError(
                f"--raw is whole frames; --{flag.replace('_', '-')} looks inside"
            )
