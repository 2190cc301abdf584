"""`rrr bus hz`, `bw` and `delay`: how often, how much and how late; one sampler measures all."""

import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

import click
import msgspec

from bus.clock import Clock, SystemClock
from bus.errors import JournalError, ProtocolError
from schema.streams import STREAMS
from schema.units import SECOND_NS
from services.rrr.books import as_integrity
from services.rrr.bus_look import Sources
from services.rrr.bus_names import chosen
from services.rrr.bus_options import CHOICES, ENDS, Begin, End, end_of, wanted_of, with_options
from services.rrr.ears import WAIT_MS, Lost, Seen, hear, shown
from services.rrr.lines import json_text
from services.rrr.pipes import reader_may_leave
from services.rrr.places import Place
from services.rrr.screen import table
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

WINDOW = 10_000
DELAY_WAIT_MS = 5
"""Shorter than a watcher's: what waits to be read counts as delay."""

MS_NS = 1_000_000
OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-w", "--window", type=click.IntRange(2, 10_000_000), default=WINDOW, show_default=True,
        help="Over so many of the last messages.",
    ),
    click.option("--all", "all_of_them", is_flag=True, help="Also what is not kept: heartbeats."),
    click.option("--live", is_flag=True, help="From the sockets, not from the files."),
    click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line."),
)  # fmt: skip


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What one message tells: when it was written, how long it is, how old it came."""

    ts_ns: int
    size: int
    age_ns: int


class Sampler:
    """The last messages of each stream."""

    def __init__(self, streams: Iterable[str], window: int) -> None:
        self.total = 0
        self.lost = 0
        self._samples: dict[str, deque[Sample]] = {name: deque(maxlen=window) for name in streams}

    def take(self, seen: Seen, mono_ns: int) -> None:
        """Note one message that was heard at a monotonic time of this machine."""
        self.total += 1
        sample = Sample(seen.ts_ns, seen.size, mono_ns - seen.mono_ns)
        self._samples[seen.stream].append(sample)

    def figures(self, verb: str) -> list[dict[str, Any]]:
        """Return one row for each stream that said something."""
        return [_figures(verb, name, list(told)) for name, told in self._samples.items() if told]


def _figures(verb: str, stream: str, told: list[Sample]) -> dict[str, Any]:
    span_s = (told[-1].ts_ns - told[0].ts_ns) / SECOND_NS
    row: dict[str, Any] = {"stream": stream, "messages": len(told), "span_s": round(span_s, 6)}
    if verb == "delay":
        values = [one.age_ns / MS_NS for one in told]
        return row | {"unit": "ms", "mean": round(fmean(values), 6)} | spread(values)
    if verb == "bw":
        values = [float(one.size) for one in told]
        rate = sum(values[1:]) / span_s if span_s > 0 else None
        return row | {"unit": "B", "bytes_per_s": _rounded(rate)} | spread(values)
    values = [(b.ts_ns - a.ts_ns) / MS_NS for a, b in pairwise(told)]
    rate = (len(told) - 1) / span_s if span_s > 0 else None
    return row | {"unit": "ms", "per_s": _rounded(rate)} | spread(values)


def spread(values: list[float]) -> dict[str, float | None]:
    """Return how some values are spread; None for each when there are none."""
    ordered = sorted(values)
    if not ordered:
        return dict.fromkeys(("min", "max", "std", "p50", "p99"))
    return {
        "min": round(ordered[0], 6),
        "max": round(ordered[-1], 6),
        "std": round(pstdev(ordered), 6),
        "p50": round(ordered[len(ordered) // 2], 6),
        "p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 6),
    }


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)


@click.command("hz")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@with_options(OPTIONS, CHOICES, ENDS)
def hz(names: tuple[str, ...], **given: Any) -> None:
    """Measure how often messages are said; min to p99 are the milliseconds between them."""
    _measure("hz", names, given)


@click.command("bw")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@with_options(OPTIONS, CHOICES, ENDS)
def bw(names: tuple[str, ...], **given: Any) -> None:
    """Measure how many bytes are said in a second; min to p99 are the bytes of a message."""
    _measure("bw", names, given)


@click.command("delay")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@with_options(OPTIONS, CHOICES, ENDS)
def delay(names: tuple[str, ...], **given: Any) -> None:
    """Measure how old messages are when they come here, in milliseconds.

    Files are looked at each 5 ms, which is part of it; --live hears the sockets, as services do.
    """
    _measure("delay", names, given)


def _measure(verb: str, names: tuple[str, ...], given: dict[str, Any]) -> None:
    house, clock, end = running_house(standing_house()), SystemClock(), end_of(given)
    every = [
        name
        for name, stream in STREAMS.items()
        if stream.owner in house.programs and (stream.journaled or given["all_of_them"])
    ]
    streams = chosen(names or every, given["exclude"])
    wanted, sampler = wanted_of(given, streams), Sampler(streams, given["window"])
    place = Begin(Place("end"))
    show = _Screen(verb, sampler, json_lines=given["json_lines"])
    try:
        sources = Sources(house, streams, place, clock, shown, live=given["live"])
        with reader_may_leave(), closing(sources):
            heard = hear(
                sources.tails, sources.ear, clock, int(end.timeout_s * SECOND_NS),
                follow=True, wait_ms=DELAY_WAIT_MS if verb == "delay" else WAIT_MS,
            )  # fmt: skip
            chosen_ones = (
                one for one in heard if not isinstance(one, Seen) or wanted is None or wanted(one)
            )
            _sample(chosen_ones, sampler, end, clock, show)
    except KeyboardInterrupt:
        pass
    except (JournalError, ProtocolError) as error:
        raise as_integrity(error) from error
    _finish(sampler, end, show)


def _sample(
    heard: Iterable[Seen | Lost | None],
    sampler: Sampler,
    end: End,
    clock: Clock,
    show: "_Screen",
) -> None:
    due_ns = clock.mono_ns() + SECOND_NS
    for one in heard:
        now_ns = clock.mono_ns()
        if isinstance(one, Seen):
            sampler.take(one, now_ns)
        elif one is not None:
            sampler.lost += one.count
        if end.count and sampler.total >= end.count:
            return
        if now_ns >= due_ns:
            due_ns = now_ns + SECOND_NS
            show.now()


def _finish(sampler: Sampler, end: End, show: "_Screen") -> None:
    with reader_may_leave():
        show.now(last=True)
    if sampler.total < end.count and end.timeout_s:
        raise NotReadyError(
            f"{sampler.total} of {end.count} messages came within {end.timeout_s:g} s",
            "`rrr bus info STREAM` tells who says them, and whether it runs",
        )


class _Screen:
    """Shows the figures, each second, when there is something new."""

    def __init__(self, verb: str, sampler: Sampler, *, json_lines: bool) -> None:
        self._verb, self._sampler, self._json = verb, sampler, json_lines
        self._shown = 0

    def now(self, *, last: bool = False) -> None:
        """Show the figures of this moment."""
        rows = self._sampler.figures(self._verb)
        if not last and self._shown == self._sampler.total:
            return
        self._shown = self._sampler.total
        if self._json:
            lines = [json_text(row) for row in rows]
        elif rows:
            heads = tuple(_title(key, rows[0]["unit"]) for key in rows[0] if key != "unit")
            cells = [tuple(_cell(v) for k, v in row.items() if k != "unit") for row in rows]
            lines = table([heads, *cells])
        else:
            lines = ["nothing was said"]
        if lines:
            click.echo("\n".join(lines))
        if last and self._sampler.lost:
            click.echo(f"{self._sampler.lost} lost", err=True)
        sys.stdout.flush()


def _title(key: str, unit: str) -> str:
    own = {"span_s": "SECONDS", "per_s": "PER SECOND", "bytes_per_s": "BYTES PER SECOND"}
    if key in {"stream", "messages", *own}:
        return own.get(key, key.upper())
    return f"{key.upper()} {unit}"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
