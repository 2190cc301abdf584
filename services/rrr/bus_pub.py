"""`rrr bus pub`: a person's or a script's own words on the bus, on `cli.*` alone."""

import json
import sys
from collections.abc import Iterator
from itertools import repeat
from math import isinf, isnan
from typing import NoReturn

import click
import msgspec

from bus.clock import SystemClock
from bus.plain import printable
from schema.frame import FRAME_BYTES_MAX, HEADER_BYTES
from schema.house import Note
from schema.messages import encode
from schema.streams import PERSON, STREAMS, home
from services.rrr.pipes import reader_may_leave
from services.rrr.signals import ended_by_signal
from services.rrr.speaker import Speaker, speaking
from services.rrr.standing import standing_house
from services.rrr.survey import market_clock, running_house

EVERY_S = 1.0
SHOWN_CHARS = 60


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said, how often, and to how many at least."""

    bodies: Iterator[str]
    topic: str
    pause_s: float
    listeners: int
    timeout_s: float


@click.command()
@click.argument("stream")
@click.argument("body", metavar="[JSON]", required=False)
@click.option("--topic", default="", help="What it is about, for those who choose by it.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Say each line of the input.")
@click.option(
    "-r", "--rate", type=click.FloatRange(0, 1e6, min_open=True), help="So many a second."
)
@click.option("-t", "--times", type=click.IntRange(1), help="So many times.")
@click.option("-1", "--once", is_flag=True, help="One time; so it is without --rate and --times.")
@click.option(
    "-w",
    "--wait-subs",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Wait first until N subscribers listen.",
)
@click.option(
    "-W",
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, 1e9),
    default=0,
    metavar="S",
    help="Wait no longer for them; then it ends with 3.",
)
@click.option("-J", "--json", "as_json", is_flag=True, help="Tell what was said as one object.")
def pub(
    stream: str,
    body: str | None,
    topic: str,
    rate: float | None,
    times: int | None,
    wait_subs: int,
    timeout_s: float,
    *,
    from_stdin: bool,
    once: bool,
    as_json: bool,
) -> None:
    """Say JSON on STREAM, which is cli.note: nobody speaks for a service but itself.

    Who listens hears it; it is not kept. With --rate and without --times it goes on until Ctrl-C.
    """
    _refuse_forgery(stream)
    if isnan(timeout_s) or (rate is not None and isnan(rate)):
        raise click.UsageError("no number 'nan'; expected seconds, or so many a second")
    if (body is None) != from_stdin:
        raise click.UsageError("expected JSON as an argument, or --stdin with one JSON a line")
    if times is not None and (once or from_stdin):
        raise click.UsageError("--times does not go with --once, nor with --stdin")
    forever = rate is not None and times is None and not once
    wish = Wish(
        bodies=_lines(topic)
        if body is None
        else _again(_checked(body, topic), times, forever=forever),
        topic=topic,
        pause_s=1 / rate if rate is not None else (0.0 if from_stdin else EVERY_S),
        listeners=wait_subs,
        timeout_s=timeout_s,
    )
    said, listeners = _say_all(wish)
    with reader_may_leave():
        told = {"stream": stream, "said": said, "listeners": listeners}
        click.echo(json.dumps(told) if as_json else f"Said {said} on {stream}, {listeners} listen")


def _refuse_forgery(stream: str) -> None:
    known = STREAMS.get(stream)
    if known is not None and known is home(Note):
        return
    if known is None:
        raise click.UsageError(f"no stream {printable(stream)!r} for a person; it is cli.note")
    raise click.UsageError(
        f"{stream} is for {known.owner} alone to say: whoever trades by it must be able to rely "
        f"on that. {PERSON}.note is yours"
    )


def _checked(text: str, topic: str) -> str:
    """Return JSON as one line; UsageError when it is none, or too long to be sent."""
    try:
        body = msgspec.json.encode(
            json.loads(text, parse_constant=_refused, parse_float=_float)
        ).decode()
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        shown = printable(text[:SHOWN_CHARS])
        raise click.UsageError(f"{shown!r} is no JSON: {error}") from error
    size = HEADER_BYTES + len(encode([Note(ts_event=1 << 62, topic=topic, body=body)]))
    if size > FRAME_BYTES_MAX:
        raise click.UsageError(f"it has {size} bytes with its head; at most {FRAME_BYTES_MAX} fit")
    return body


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _float(text: str) -> float:
    if isinf(number := float(text)):
        raise ValueError(f"{text} is larger than any number that is kept")
    return number


def _again(body: str, times: int | None, *, forever: bool) -> Iterator[str]:
    return repeat(body) if forever else repeat(body, times or 1)


def _lines(topic: str) -> Iterator[str]:
    for line in sys.stdin:
        if line.strip():
            yield _checked(line, topic)


def _say_all(wish: Wish) -> tuple[int, int]:
    """Say all; return how much was said, and how many listened at the end."""
    house, clock = running_house(standing_house()), SystemClock()
    market = market_clock(house)
    if market is not None:
        clock.start(market)
    with speaking(house, clock) as speaker:
        try:
            with ended_by_signal():
                speaker.wait_for(wish.listeners, wish.timeout_s)
                _say(speaker, wish)
        except KeyboardInterrupt:
            pass  # It was told to go on until then.
        return speaker.said, speaker.listeners


def _say(speaker: Speaker, wish: Wish) -> None:
    for number, body in enumerate(wish.bodies):
        if number:
            speaker.rest(wish.pause_s)
        speaker.say(wish.topic, body)
