"""`rrr bus record`: a copy of streams, frame by frame, to look at or to play again elsewhere."""

import json
from pathlib import Path

import click
import msgspec

from bus.build import contract_hash
from bus.clock import SystemClock
from bus.disk import make_directory
from bus.errors import HouseError, JournalError
from bus.house import House
from schema.streams import STREAMS
from schema.units import SECOND_NS
from services.rrr.books import as_integrity
from services.rrr.bus_names import chosen
from services.rrr.pipes import reader_may_leave
from services.rrr.places import FORMS, span_ns
from services.rrr.recorder import Bounds, Recorder
from services.rrr.recording import Manifest, write_manifest
from services.rrr.screen import mebibytes
from services.rrr.signals import noticed
from services.rrr.spans import FilePath, moment_ns, size_bytes, stretch_ns
from services.rrr.standing import standing_house
from services.rrr.survey import market_clock, running_house


@click.command()
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@click.option(
    "-o", "--output", required=True, metavar="DIR", type=FilePath(),
    help="Where to; a directory that is empty or not there yet.",
)  # fmt: skip
@click.option(
    "--offset", metavar="PLACE",
    help=f"Begin at: {FORMS}.  [default: end; with --exit-at-end: beginning]",
)  # fmt: skip
@click.option("--since", metavar="SPAN", help="Begin a stretch of time ago, e.g. 10m.")
@click.option("--until", metavar="TIME", help="End with what was said at @ISO-TIME or @-10m.")
@click.option(
    "-d", "--duration", "lasting", metavar="SPAN", help="End after so long, e.g. 90s, 10m."
)
@click.option("-b", "--max-bytes", metavar="SIZE", help="End once so much is there, e.g. 64m.")
@click.option("-e", "--exit-at-end", is_flag=True, help="End when all that was said is there.")
@click.option("-J", "--json", "as_json", is_flag=True, help="Show the manifest as one object.")
def record(
    names: tuple[str, ...],
    output: Path,
    offset: str | None,
    since: str | None,
    until: str | None,
    lasting: str | None,
    max_bytes: str | None,
    *,
    exit_at_end: bool,
    as_json: bool,
) -> None:
    """Copy streams, byte for byte, into a directory; without STREAM all that have a journal.

    STREAM may end in *. It reads the journals, which costs the house nothing; streams without one,
    such as engine.hb, are heard on their sockets when they are named. Ctrl-C ends it well.
    """
    if since is not None:
        if offset is not None:
            raise click.UsageError("give one place to begin: --offset or --since")
        span_ns(since)
        offset = f"@-{since}"
    now_ns = SystemClock().wall_ns()
    bounds = Bounds(
        offset=offset or ("beginning" if exit_at_end else "end"),
        until_ns=moment_ns(until, now_ns) if until is not None else 0,
        duration_ns=stretch_ns(lasting) if lasting is not None else 0,
        size_bytes=size_bytes(max_bytes) if max_bytes is not None else 0,
        follow=not exit_at_end,
    )
    house, streams = running_house(standing_house()), _streams(names)
    _refuse_used(output)
    manifest = _recorded(house, output, streams, bounds)
    with reader_may_leave():
        click.echo(_as_line(manifest) if as_json else _as_text(manifest, output))


def _streams(names: tuple[str, ...]) -> list[str]:
    if names:
        return chosen(names)
    return [stream.name for stream in STREAMS.values() if stream.journaled]


def _refuse_used(output: Path) -> None:
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise HouseError(
            f"{output} is not empty: a recording is made in a directory of its own",
            "Name another one, or move that one away",
        )


def _recorded(house: House, output: Path, streams: list[str], bounds: Bounds) -> Manifest:
    try:
        recorder = Recorder(house, output, streams, bounds, SystemClock())
        _make(output)
        return _written(house, output, recorder)
    except JournalError as error:
        raise as_integrity(error) from error


def _make(output: Path) -> None:
    try:
        make_directory(output.absolute())
    except OSError as error:
        raise HouseError(
            f"{output} cannot be made: {error.strerror or error}", "Name another directory"
        ) from error


def _written(house: House, output: Path, recorder: Recorder) -> Manifest:
    clock = SystemClock()
    begun_ns = clock.wall_ns()
    with noticed() as ending:
        ended_by = recorder.run(ending)
    manifest = Manifest(
        world=house.world,
        contract=contract_hash(house),
        begun_ns=begun_ns,
        ended_ns=clock.wall_ns(),
        ended_by=ended_by,
        clock=market_clock(house),
        streams=recorder.close(),
    )
    write_manifest(output, manifest)
    return manifest


def _as_line(manifest: Manifest) -> str:
    return json.dumps(msgspec.to_builtins(manifest))


def _as_text(manifest: Manifest, output: Path) -> str:
    seconds = (manifest.ended_ns - manifest.begun_ns) / SECOND_NS
    size = sum(one.size for one in manifest.streams)
    lines = [
        f"  {one.stream}: {one.messages} messages in {one.frames} frames, {one.first} to {one.last}"
        for one in manifest.streams
        if one.frames
    ]
    silent = [one.stream for one in manifest.streams if not one.frames]
    lines += [f"  nothing was said on {' '.join(silent)}"] if silent else []
    total = sum(one.messages for one in manifest.streams)
    head = f"Recorded {total} messages, {mebibytes(size)}, in {seconds:.1f} s into {output}"
    return "\n".join([f"{head}; {manifest.ended_by}:", *lines])
