"""`rrr trades export`: all fills and all lots as CSV, for a tax program or a sheet."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from decimal import localcontext
from pathlib import Path
from typing import TextIO

import click

from bus.errors import HouseError, ShardError
from bus.house import House
from schema.units import parse_iso
from services.rrr.books import as_integrity
from services.rrr.cells import Cells
from services.rrr.moment import Moment
from services.rrr.opening_lots import Opening, read_openings
from services.rrr.pipes import reader_may_leave
from services.rrr.places import span_ns
from services.rrr.prices import Prices
from services.rrr.report import market_now_ns
from services.rrr.report_build import DIGITS
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.rrr.tax import FILL_COLUMNS, LOT_COLUMNS, Tax

EVER_NS = 1 << 62
STDOUT = Path("-")
WHEN = "Market time, UTC: 2026-01-01, or a stretch before now such as 90d."


@click.command("export")
@click.option("--since", default="", metavar="TIME", help=f"The first fill. {WHEN}")
@click.option("--until", default="", metavar="TIME", help="The end, which is not in it.")
@click.option("--csv", "fills_to", type=FilePath(), default=STDOUT, metavar="FILE",
              show_default=True, help="Where the fills go; - is the standard output.")  # fmt: skip
@click.option("--lots", "lots_to", type=FilePath(), metavar="FILE", help="Where the lots go.")
@click.option("--method", type=click.Choice(["fifo"]), default="fifo", show_default=True)
@click.option("--opening", type=FilePath(), metavar="FILE",
              help="Lots from before: a CSV of asset, qty, cost, acquired.")  # fmt: skip
def export(
    since: str, until: str, fills_to: Path, lots_to: Path | None, method: str, opening: Path | None
) -> None:
    """Write our fills as CSV, and with --lots which lot each sale came out of.

    All fills are looked at, whatever --since and --until choose, so that cost and lots are right.
    docs/reports.md has the columns.
    """
    assert method == "fifo"
    if lots_to == fills_to:
        raise click.UsageError("fills and lots are two files: give --lots another name than --csv")
    span_of(since, until, 0)  # What is no time is told before anything is read.
    house = running_house(standing_house())
    span = span_of(since, until, market_now_ns(house) if since or until else 0)
    openings = read_openings(opening, _quote(house)) if opening is not None else []
    told: list[str] = []
    try:
        with reader_may_leave(), ExitStack() as files:
            fills = files.enter_context(_written(fills_to))
            lots = files.enter_context(_written(lots_to)) if lots_to is not None else None
            told = write(house, span, openings, fills, lots)
    except ShardError as error:
        raise as_integrity(error) from error
    for line in told:
        click.echo(f"rrr: {line}", err=True)


def write(
    house: House, span: tuple[int, int], openings: list[Opening], fills: TextIO,
    lots: TextIO | None,
) -> list[str]:  # fmt: skip
    """Write the fills of a stretch of time, and their lots; return what a person should know."""
    prices = Prices(house)
    out, more = Cells(fills, FILL_COLUMNS), Cells(lots, LOT_COLUMNS) if lots is not None else None
    try:
        with localcontext() as context, Moment(house) as moment:
            context.prec = DIGITS
            tax = Tax(moment.strategies(), prices, openings)
            for fill in moment.fills(span[1]):
                row, taken = tax.take(fill)
                if fill.ts_event < span[0]:
                    continue
                out.write(row)
                if more is not None:
                    more.write_all(taken)
            return tax.remarks()
    finally:
        prices.close()


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """Open a file that has its name once it is whole; `-` is the standard output."""
    if path == STDOUT:
        yield sys.stdout
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BrokenPipeError:  # Of the other file, which nobody reads any more.
        raise
    except OSError as error:
        raise HouseError(
            f"{path} cannot be written: {error.strerror}", "Free space, or name another place"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def span_of(since: str, until: str, now_ns: int) -> tuple[int, int]:
    """Return the stretch of time that a person chose, seen from a market time."""
    return _moment_ns(since, now_ns, 0), _moment_ns(until, now_ns, EVER_NS)


def _moment_ns(text: str, now_ns: int, otherwise_ns: int) -> int:
    if not text:
        return otherwise_ns
    try:
        return parse_iso(text)
    except ValueError:
        return now_ns - span_ns(text)


def _quote(house: House) -> str:
    """Return the currency of the house's first market: that of costs which name none."""
    symbols = house.settings.ingest.symbols or tuple(house.settings.venue.symbol)
    return symbols[0].partition("/")[2]
