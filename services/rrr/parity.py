"""`rrr parity`: a day of the running house through the backtest, and each difference named."""

import datetime as dt
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError, JournalError
from bus.house import House, open_house
from schema.units import DAY_NS, iso
from services.rrr.books import as_integrity, require_shard
from services.rrr.lab_stream import known_to
from services.rrr.lab_time import EPOCH, now_ns
from services.rrr.pipes import reader_may_leave
from services.rrr.survey import running_house

if TYPE_CHECKING:
    from services.backtest.parity import Report

MARKET = "market"
TODAY, YESTERDAY = "today", "yesterday"


@click.command()
@click.argument("strategy")
@click.option("--day", required=True, metavar="DATE", help="UTC, e.g. 2026-03-01, or yesterday.")
@click.option("--symbol", help="Compare this one alone, e.g. BTC/USDT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def parity(strategy: str, day: str, symbol: str | None, *, as_json: bool) -> None:
    """Play a day of the house again, and name each difference.

    The source, the parameters, the bars and the forecasts are those of that day. A decision that
    differs is a `signal`; of the same decision, `latency`, `fill` and `fee` are told apart. Ends
    with 0 when all decisions are the same, and with 1 otherwise.
    """
    from services.rrr.parity_text import as_text  # noqa: PLC0415 - a word of help needs no more

    house = running_house(open_house())
    try:
        report = built(house, strategy, day, symbol or "")
    except JournalError as error:
        raise as_integrity(error) from error
    with reader_may_leave():
        click.echo(msgspec.json.encode(report).decode() if as_json else as_text(report))
    if not report.alike:
        sys.exit(1)


def built(house: House, strategy: str, day: str, symbol: str) -> "Report":
    """Return the report of a day."""
    from services.backtest.parity import compare  # noqa: PLC0415 - as above
    from services.backtest.shelf import newest_ns  # noqa: PLC0415 - as above
    from services.engine.sources import offer_of  # noqa: PLC0415 - as above
    from services.rrr.parity_journals import Span, day_of  # noqa: PLC0415 - as above

    if not known_to(house, strategy):
        raise click.UsageError(
            f"there is no strategy {strategy!r}; the settings name "
            f"{', '.join(sorted(house.settings.strategy))}"
        )
    require_shard(house, MARKET)
    from_ns = _midnight_ns(day, now_ns(house, SystemClock()))
    symbols = house.settings.ingest.symbols or house.settings.venue.symbol
    newest = {name: newest_ns(house.db_dir, name) for name in symbols}
    until_ns = min(from_ns + DAY_NS, max(newest.values()))
    if until_ns <= from_ns:
        raise HouseError(
            f"there are no bars of {day} yet: the newest closes at {iso(max(newest.values()))}",
            "Ask for a day that has been traded",
        )
    found = day_of(house, strategy, Span(from_ns, until_ns), symbol.upper())
    notes = []
    if until_ns < from_ns + DAY_NS:
        notes.append(f"the day is not over: it is compared until {iso(until_ns)}")
    if symbol:
        notes.append("one symbol alone: what its others earn and tie up meanwhile is left out")
    own = house.settings.strategy.get(strategy)
    if found.words and not found.loads and own is not None:
        offer = offer_of(house.root, strategy, own, symbols)
        found = msgspec.structs.replace(found, offer=offer)
        notes.append("the journal no longer tells what was loaded: today's source is played")
    report = compare(house, found, iso(from_ns)[:10])
    report.notes = [*notes, *report.notes]
    return report


def _midnight_ns(day: str, market_ns: int) -> int:
    today_ns = market_ns // DAY_NS * DAY_NS
    if day in {TODAY, YESTERDAY}:
        return today_ns - DAY_NS * (day == YESTERDAY)
    try:
        date = dt.date.fromisoformat(day)
    except ValueError as error:
        raise click.UsageError(
            f"no day {day!r}: expected one like 2026-03-01, {TODAY} or {YESTERDAY}"
        ) from error
    return (date - EPOCH.date()).days * DAY_NS
