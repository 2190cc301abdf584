"""A look at streams: what `watch` and `cat` hear, choose and write, and how they end."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Generic

import click
import msgspec

from bus.clock import Clock, SystemClock
from bus.errors import HouseError, JournalError, ProtocolError
from bus.house import House
from schema.streams import STREAMS
from schema.units import SECOND_NS
from services.rrr.books import as_integrity
from services.rrr.bus_fields import identity
from services.rrr.bus_graph import draw
from services.rrr.bus_options import Begin, End, refuse_for_raw, style_of, wanted_of
from services.rrr.bus_shape import Shape
from services.rrr.ears import Ear, Item, Lost, Opener, Seen, Tail, Whole, hear, shown, whole
from services.rrr.lines import lost_text
from services.rrr.pipes import reader_may_leave
from services.rrr.standing import standing_house
from services.rrr.starts import Wanted, start_of
from services.rrr.survey import NotReadyError, running_house


class IntegrityError(HouseError):
    """Something that a journal must hold, and does not."""

    exit_code = 5


class Tally(msgspec.Struct):
    """What came of a look."""

    begun_ns: int
    messages: int = 0
    lost: int = 0
    holes: list[Lost] = []

    def text(self, now_ns: int) -> str:
        """Return it on a line."""
        elapsed_s = (now_ns - self.begun_ns) / SECOND_NS
        rate = self.messages / elapsed_s if elapsed_s > 0 else 0.0
        return f"{self.messages} messages in {elapsed_s:.1f} s ({rate:.1f}/s), {self.lost} lost"


class Sources(Generic[Item]):
    """The tails and the ear of one look."""

    def __init__(
        self,
        house: House,
        streams: Sequence[str],
        begin: Begin,
        clock: Clock,
        opener: Opener[Item],
        *,
        live: bool = False,
        wanted: Wanted | None = None,
    ) -> None:
        by_socket = [name for name in streams if live or not STREAMS[name].journaled]
        self.ear: Ear[Item] | None = None
        if by_socket:
            self.ear = Ear(house.run, by_socket, opener)
        self.tails: list[Tail[Item]] = []
        now_ns = clock.wall_ns()
        for name in streams:
            if name not in by_socket:
                start = start_of(house.journal_dir, STREAMS[name], begin.place, now_ns, wanted)
                self.tails.append(
                    Tail(house.journal_dir, STREAMS[name], start.after, start.since_ns, opener)
                )

    def close(self) -> None:
        """Let go of files and sockets."""
        for tail in self.tails:
            tail.close()
        if self.ear is not None:
            self.ear.close()


def last_of_each(sources: Sources[Seen], clock: Clock, wanted: Wanted | None) -> Iterator[Seen]:
    """Yield the last message of each key in the journals as they are now."""
    found: dict[tuple[str, ...], Seen] = {}
    for item in hear(sources.tails, None, clock, follow=False):
        if isinstance(item, Seen) and (wanted is None or wanted(item)):
            found[identity(item)] = item
    yield from sorted(found.values(), key=lambda seen: seen.ts_ns)


def look(
    sources: Sources[Seen],
    begin: Begin,
    end: End,
    clock: Clock,
    wanted: Wanted | None,
    *,
    follow: bool,
) -> Iterator[Seen | Lost | None]:
    """Yield what is wanted, as it comes."""
    if begin.per_key:
        yield from last_of_each(sources, clock, wanted)
    for item in hear(sources.tails, sources.ear, clock, _ns(end), follow=follow):
        if not isinstance(item, Seen) or wanted is None or wanted(item):
            yield item


def write_lines(
    heard: Iterable[Seen | Lost | None], shape: Shape, end: End, tally: Tally, *, tell_lost: bool
) -> None:
    """Write a line for each message until enough came."""
    first = shape.head()
    if first is not None:
        click.echo(first)
    for item in heard:
        if item is None:
            sys.stdout.flush()
        elif isinstance(item, Lost):
            _note(tally, item)
            if tell_lost:
                text, among = shape.lost(item)
                click.echo(text, err=not among)
        elif (line := shape.line(item)) is not None:
            sys.stdout.write(line + "\n")
            tally.messages += 1
            if tally.messages == end.count:
                break
    sys.stdout.flush()


def write_frames(
    heard: Iterable[Whole | Lost | None], end: End, tally: Tally, *, tell_lost: bool
) -> None:
    """Write whole frames until enough came."""
    out = sys.stdout.buffer
    for item in heard:
        if item is None:
            out.flush()
        elif isinstance(item, Lost):
            _note(tally, item)
            if tell_lost:
                click.echo(lost_text(item), err=True)
        else:
            out.write(item.raw)
            tally.messages += 1
            if tally.messages == end.count:
                break
    out.flush()


def counted(
    heard: Iterable[Seen | Lost | None], end: End, tally: Tally
) -> Iterator[Seen | Lost | None]:
    """Yield what is heard, and count it, until enough came."""
    for item in heard:
        yield item
        if isinstance(item, Lost):
            _note(tally, item)
        elif item is not None:
            tally.messages += 1
            if tally.messages == end.count:
                break


def _note(tally: Tally, lost: Lost) -> None:
    tally.lost += lost.count
    if lost.stops:
        tally.holes.append(lost)


def finish(tally: Tally, end: End, *, follow: bool) -> None:
    """Fail when money may hang on what is missing, or when time was up too early."""
    if tally.holes:
        hole = tally.holes[0]
        raise IntegrityError(
            f"{hole.stream}: a hole of {hole.count} positions before {hole.pos}",
            "`rrr bus journal verify` tells what is kept; see docs/runbook.md, JournalHole",
        )
    if follow and tally.messages < end.count:
        raise NotReadyError(
            f"{tally.messages} of {end.count} messages came within {end.timeout_s:g} s",
            "`rrr bus info STREAM` tells who says them, and whether it runs",
        )


def look_at(
    streams: list[str],
    begin: Begin,
    end: End,
    given: dict[str, Any],
    *,
    live: bool = False,
    follow: bool = False,
    graph: bool = False,
) -> None:
    """Show what a person asked for, until it ends."""
    if given["raw"]:
        refuse_for_raw(given)
        if sys.stdout.isatty():
            raise click.UsageError("--raw writes bytes; send them to a file or a pipe")
    style, wanted = style_of(given), wanted_of(given, streams)
    shape = Shape(style, streams)
    house, clock = running_house(standing_house()), SystemClock()
    tally = Tally(clock.mono_ns())
    with _looking(clock, tally):
        if given["raw"]:
            frames = Sources(house, streams, begin, clock, whole, live=live)
            with closing(frames):
                heard = hear(frames.tails, frames.ear, clock, _ns(end), follow=follow)
                write_frames(heard, end, tally, tell_lost=style.lost)
        else:
            sources = Sources(house, streams, begin, clock, shown, live=live, wanted=wanted)
            with closing(sources):
                seen = look(sources, begin, end, clock, wanted, follow=follow)
                if graph:
                    draw(counted(seen, end, tally), streams, clock)
                else:
                    write_lines(seen, shape, end, tally, tell_lost=style.lost)
        finish(tally, end, follow=follow)


def _ns(end: End) -> int:
    return int(end.timeout_s * SECOND_NS)


@contextmanager
def _looking(clock: Clock, tally: Tally) -> Iterator[None]:
    """Let a person or a pipe end a look at any time; damage exits 5."""
    try:
        with reader_may_leave():
            yield
    except KeyboardInterrupt:
        click.echo(f"\n{tally.text(clock.mono_ns())}", err=True)
    except (JournalError, ProtocolError) as error:
        raise as_integrity(error) from error
