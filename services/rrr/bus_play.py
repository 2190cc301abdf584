"""`rrr bus play`: a recording, said again in a sandbox by its own times; never in a house."""

import sys
from math import isnan
from pathlib import Path

import click

from bus.errors import JournalError
from services.rrr.books import as_integrity
from services.rrr.performance import Plan, perform
from services.rrr.recording import open_recording
from services.rrr.recording_page import show_recording
from services.rrr.rounds import Choice, renamed
from services.rrr.sandbox import make_sandbox
from services.rrr.spans import FilePath, stretch_ns
from services.rrr.standing import standing_house

EVER_NS = 1 << 62


@click.command()
@click.argument("directory", metavar="DIR", type=FilePath())
@click.option("--info", is_flag=True, help="Show what it holds, and whether it is whole.")
@click.option(
    "-r", "--rate", type=click.FloatRange(0, 1e6), default=1.0, show_default=True,
    help="So many times as fast as it was; 0 is as fast as possible.",
)  # fmt: skip
@click.option("-l", "--loop", is_flag=True, help="Begin again at its end, until Ctrl-C.")
@click.option("--start-offset", metavar="SPAN", default="0", help="Begin so long behind its begin.")
@click.option("--until", metavar="SPAN", help="End so long behind its begin.")
@click.option("--remap", metavar="A:=B", multiple=True, help="Say stream A as B.")
@click.option("--clock", is_flag=True, help="Let the sandbox's market clock tell its time.")
@click.option("-p", "--start-paused", is_flag=True, help="Wait for the Enter key first.")
@click.option("-b", "--burst", type=click.IntRange(1), metavar="N", help="N messages at once.")
@click.option("-d", "--delay", "pause", metavar="SPAN", default="0", help="Wait so long first.")
@click.option("--home", metavar="SANDBOX", type=FilePath(), help="Where to.")
@click.option("--i-know", is_flag=True, help="Take a SANDBOX that is not empty.")
@click.option("-J", "--json", "as_json", is_flag=True, help="One JSON object a line.")
def play(
    directory: Path,
    rate: float,
    start_offset: str,
    until: str | None,
    remap: tuple[str, ...],
    burst: int | None,
    pause: str,
    home: Path | None,
    *,
    info: bool,
    loop: bool,
    clock: bool,
    start_paused: bool,
    i_know: bool,
    as_json: bool,
) -> None:
    """Play a recording in a sandbox: a home and sockets of its own, never those of a house.

    It prints with which environment `rrr bus watch` in another terminal sees the sandbox. What was
    played stays there, and can be read or recorded like any other journal.
    """
    recording = open_recording(directory)
    if info:
        show_recording(recording, as_json=as_json)
        return
    plan = Plan(
        rate=0.0 if burst is not None else rate,
        burst=burst or 0,
        loop=loop,
        clock=clock,
        paused=start_paused,
        delay_ns=stretch_ns(pause),
        as_json=as_json,
    )
    _refuse_odd(plan)
    until_ns = stretch_ns(until) if until is not None else EVER_NS
    names = renamed(remap, recording)
    choice = Choice(start_ns=stretch_ns(start_offset), until_ns=until_ns, names=names)
    sandbox = make_sandbox(standing_house(), home, recording.world, used=i_know)
    try:
        perform(recording, choice, plan, sandbox)
    except JournalError as error:
        raise as_integrity(error) from error


def _refuse_odd(plan: Plan) -> None:
    if isnan(plan.rate):
        raise click.UsageError("no rate 'nan'; expected a number")
    if plan.clock and not plan.rate:
        raise click.UsageError("a clock cannot run as fast as possible: --clock needs a --rate")
    if plan.paused and not sys.stdin.isatty():
        raise click.UsageError("--start-paused waits for a key, and there is no terminal")
