"""`rrr data status`: which bars are there, and which are missing."""

import sys
from collections.abc import Sequence

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import ShardError
from bus.reading import Value
from schema.setting_types import TIMEFRAMES_NS
from services.rrr.data_coverage import Coverage, coverage, places_of
from services.rrr.data_house import Standing, standings
from services.rrr.data_report import Entry
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house
from services.rrr.tables import table

GAPS = 3


@click.command()
@click.argument("symbol", required=False)
@click.option("--timeframe", type=click.Choice(list(TIMEFRAMES_NS)), help="Only this one.")
@click.option("--exchange", default="", help="Only this history.")
@click.option("--gaps", type=click.IntRange(0, 10_000), default=GAPS, show_default=True,
              help="So many of the largest gaps of each series.")  # fmt: skip
@click.option("--house", "of_house", is_flag=True,
              help="Of each symbol of the settings: all that there is, and all that is missing.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def status(
    symbol: str | None,
    timeframe: str | None,
    exchange: str,
    gaps: int,
    *,
    of_house: bool,
    as_json: bool,
) -> None:
    """Show which bars there are of SYMBOL, or of all, and which are missing.

    Counts the absent intervals between the first and the last bar of each series, over the months
    of the world, their archives and the imported history. --json is an array of objects: place
    (the world, or `history`), exchange, symbol, timeframe, first, last (UTC), rows, missing, and
    gaps, the largest first, each with from, to (the first and the last absent bar) and missing.

    With --house the live months and the history behind them count as one, and what is missing is
    counted from the first bar up to now: symbol, timeframe, first, last, rows, missing, behind
    (of what is missing, what comes after the last bar), and gaps.
    """
    if of_house:
        if symbol or exchange:
            raise click.UsageError("--house is of the settings' symbols, and of no other exchange")
        _show_house(timeframe or "1m", gaps, as_json=as_json)
        return
    wanted_symbol = symbol.upper() if symbol else ""
    house = running_house(standing_house())
    places = [one for one in places_of(house) if not exchange or one.exchange == exchange]
    found: list[Coverage] = []
    damaged: list[str] = []
    with progress(max(1, len(places))) as advance:
        for place in places:
            found += coverage(
                place,
                SystemClock(),
                gaps,
                lambda one, tf: wanted_symbol in {"", one} and timeframe in {None, tf},
                damaged,
            )
            advance(f"{place.name} {place.exchange}", 1)
    with reader_may_leave():
        _show(found, as_json=as_json)
    for text in damaged:
        click.echo(f"rrr: {text}", err=True)
    _end(found, damaged, wanted_symbol)


def _show_house(timeframe: str, gaps: int, *, as_json: bool) -> None:
    damaged: list[str] = []
    house = running_house(standing_house())
    found = list(standings(house, timeframe, gaps, SystemClock(), damaged))
    with reader_may_leave():
        if as_json:
            click.echo(msgspec.json.encode(found).decode())
        else:
            click.echo("\n".join(table([_house_row(one) for one in found])))
            _show_gaps([(f"{one.symbol} {one.timeframe}", one.gaps) for one in found])
    for text in damaged:
        click.echo(f"rrr: {text}", err=True)
    if damaged:
        raise _unread()


def _house_row(one: Standing) -> dict[str, Value]:
    return {
        "symbol": one.symbol,
        "timeframe": one.timeframe,
        "first": one.first or "none",
        "last": one.last or "none",
        "rows": f"{one.rows:,}",
        "missing": f"{one.missing:,}",
        "behind": f"{one.behind:,}",
    }


def _show_gaps(found: Sequence[tuple[str, list[Entry]]]) -> None:
    for where, gaps in found:
        for gap in gaps:
            click.echo(f"{where} misses {gap['missing']:,}: {gap['from']} … {gap['to']}")


def _unread() -> ShardError:
    error = ShardError(
        "some bars cannot be read, what can be is above", "`rrr db verify` tells more"
    )
    error.exit_code = 5
    return error


def _show(found: Sequence[Coverage], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()
        return
    if not found:
        return
    rows: list[dict[str, Value]] = [
        {
            "place": one.place,
            "exchange": one.exchange,
            "symbol": one.symbol,
            "timeframe": one.timeframe,
            "first": one.first,
            "last": one.last,
            "rows": f"{one.rows:,}",
            "missing": f"{one.missing:,}",
        }
        for one in found
    ]
    click.echo("\n".join(table(rows)))
    _show_gaps([(f"{one.exchange} {one.symbol} {one.timeframe}", one.gaps) for one in found])


def _end(found: Sequence[Coverage], damaged: Sequence[str], symbol: str) -> None:
    if damaged:
        raise _unread()
    if not found:
        of = f" of {symbol}" if symbol else ""
        raise NotReadyError(
            f"there are no bars{of} yet",
            "`rrr data import FILE` brings in history; `rrr up` starts a market",
        )
