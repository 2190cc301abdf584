"""`rrr bus watch`: what is said, as it is said; it only reads, and costs the publishers nothing."""

import os
import sys
from typing import Any

import click

from services.rrr.bus_look import look_at
from services.rrr.bus_names import chosen
from services.rrr.bus_options import (
    CHOICES,
    ENDS,
    SHAPES,
    STARTS,
    begin_of,
    end_of,
    with_options,
)


@click.command("watch")
@click.argument("names", metavar="STREAM...", nargs=-1, required=True)
@click.option(
    "--from",
    "source",
    type=click.Choice(["journal", "live"]),
    default="journal",
    show_default=True,
    help="From the files, or from the sockets.",
)
@click.option("--live", "source", flag_value="live", help="The same as --from live.")
@click.option("-e", "--exit-at-end", is_flag=True, help="Stop when all was shown.")
@click.option("--graph", is_flag=True, help="Draw the rate of each stream; on a terminal.")
@with_options(STARTS, CHOICES, ENDS, SHAPES)
def watch(
    names: tuple[str, ...], source: str, *, exit_at_end: bool, graph: bool, **given: Any
) -> None:
    """Show messages as they are said; STREAM may end in *, as in ingest.*.

    \b
    rrr bus watch ingest.bar                   what is said from now on
    rrr bus watch gateway.order -o -20         the last 20, then what follows
    rrr bus watch 'engine.*' --since 10m -e    the last ten minutes, then stop
    rrr bus watch ingest.trade --key BTC/USDT --filter "px * qty > 100000"
    rrr bus watch risk.verdict --once -W 5     exit 3 when none comes in 5 s
    rrr bus watch ingest.bar -o beginning -e --field close,volume --csv
    ssh HOST rrr bus watch 'gateway.*' --json  from another machine

    It begins at the end, unless -o, --since, --last or --last-per-key says otherwise.
    Ctrl-C ends it and tells how much was seen. In a format, %s is the stream, %p and %P the
    position, %t and %T the time, %y the type, %k the key, %m the message, %{close} a field.
    """  # noqa: D301 - click reads the mark itself
    streams = chosen(names, given["exclude"])
    begin, live = begin_of("end", given), source == "live"
    if live and begin != begin_of("end", dict.fromkeys(given)):
        raise click.UsageError("sockets know no past: begin elsewhere without --live")
    if graph and not (sys.stdout.isatty() and os.environ.get("TERM") != "dumb"):
        raise click.UsageError("--graph draws on a terminal, and this is none")
    look_at(streams, begin, end_of(given), given, live=live, follow=not exit_at_end, graph=graph)
