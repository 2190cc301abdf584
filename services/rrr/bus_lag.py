"""`rrr bus lag`: how far each durable consumer is behind each of its streams."""

import json
import os
import sys
from typing import Any

import click
import msgspec

from bus.clock import Clock, SystemClock
from bus.house import House
from schema.streams import STREAMS
from schema.units import SECOND_NS
from services.rrr.bus_kept import Consumer, consumers
from services.rrr.bus_names import chosen
from services.rrr.pipes import reader_may_leave
from services.rrr.places import position_text, span_ns
from services.rrr.screen import table
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house, survey

HEAD = ("CONSUMER", "STREAM", "CURSOR", "BEHIND", "SECONDS", "KNOWN FROM", "")
HOME_AND_CLEAR = "\x1b[H\x1b[2J"
EVERY_MS = 1000
WARN_S = 5.0
CRIT_S = 60.0


class Bounds(msgspec.Struct, frozen=True):
    """How many seconds behind are too many."""

    warn_s: float
    crit_s: float

    def state(self, one: Consumer) -> str:
        """Return OK, WARN, CRIT, or UNKNOWN where nobody knows."""
        if one.behind_s is None:
            return "UNKNOWN"
        if one.behind_s >= self.crit_s:
            return "CRIT"
        return "WARN" if one.behind_s >= self.warn_s else "OK"


@click.command("lag")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="Also consumers that nothing waits for.")
@click.option("--watch", is_flag=True, help="Again and again, each second, until Ctrl-C.")
@click.option("--warn", metavar="SPAN", help="From here on it is WARN.  [default: 5s]")
@click.option("--crit", metavar="SPAN", help="From here on it is CRIT.  [default: 60s]")
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def lag(
    names: tuple[str, ...],
    warn: str | None,
    crit: str | None,
    *,
    all_of_them: bool,
    watch: bool,
    json_lines: bool,
) -> None:
    """Show how far each durable consumer is behind: messages, and the age of the oldest unread.

    Exit 0 when all is well. With --warn or --crit, as a check: exit 3 when a consumer is WARN,
    CRIT or UNKNOWN; the worst is told.
    """
    bounds = bounds_of(warn, crit)
    house, clock = running_house(standing_house()), SystemClock()
    streams = chosen(names) or list(STREAMS)
    rows = _rows(house, clock, streams, all_of_them=all_of_them)
    try:
        with reader_may_leave():
            _show(rows, bounds, json_lines=json_lines, again=watch)
            while watch:
                clock.pause_ms(EVERY_MS)
                rows = _rows(house, clock, streams, all_of_them=all_of_them)
                _show(rows, bounds, json_lines=json_lines, again=True)
    except KeyboardInterrupt:
        return
    if warn is not None or crit is not None:
        require_near(rows, bounds)


def bounds_of(warn: str | None, crit: str | None) -> Bounds:
    """Return the bounds that a person gives; one alone moves the other as far as it must."""
    warn_s = span_ns(warn) / SECOND_NS if warn is not None else WARN_S
    crit_s = span_ns(crit) / SECOND_NS if crit is not None else max(CRIT_S, warn_s)
    if warn is None:
        warn_s = min(warn_s, crit_s)
    if warn_s > crit_s:
        raise click.UsageError(f"--warn {warn} is longer than --crit {crit}; expected it shorter")
    return Bounds(warn_s, crit_s)


def require_near(rows: list[Consumer], bounds: Bounds) -> None:
    """Fail when a consumer is behind, and name the one that is furthest."""
    late = [one for one in rows if bounds.state(one) != "OK"]
    if late:
        worst = max(late, key=lambda one: (one.behind_s is not None, one.behind_s or 0.0))
        seconds = "unknown" if worst.behind_s is None else f"{worst.behind_s:.1f} s"
        raise NotReadyError(
            f"{bounds.state(worst)}: {worst.consumer} is behind {worst.stream}: {seconds}, "
            f"{'?' if worst.behind is None else worst.behind} messages",
            f"`rrr status` tells how {worst.consumer} does",
        )


def _rows(house: House, clock: Clock, streams: list[str], *, all_of_them: bool) -> list[Consumer]:
    found = survey(house, clock)
    return [
        one
        for name in streams
        for one in consumers(house, found, STREAMS[name], all_of_them=all_of_them)
    ]


def _show(rows: list[Consumer], bounds: Bounds, *, json_lines: bool, again: bool) -> None:
    if json_lines:
        lines = [json.dumps(_told(one, bounds)) for one in rows]
    else:
        lines = table([HEAD, *(_cells(one, bounds) for one in rows)])
        if again and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            lines[0] = HOME_AND_CLEAR + lines[0]
    click.echo("\n".join(lines))


def _told(one: Consumer, bounds: Bounds) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(one)
    return found | {"state": bounds.state(one)}


def _cells(one: Consumer, bounds: Bounds) -> tuple[str, ...]:
    return (
        one.consumer,
        one.stream,
        "?" if one.cursor is None else position_text(one.cursor),
        "?" if one.behind is None else str(one.behind),
        "?" if one.behind_s is None else f"{one.behind_s:.1f}",
        one.known_from,
        bounds.state(one),
    )
