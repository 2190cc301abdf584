"""`rrr report`: what a day or a month brought, exactly, with the identity of the books."""

import json
from io import StringIO
from typing import Any

import click

from bus.clock import SystemClock
from bus.errors import HouseError, ShardError
from bus.house import House
from services.rrr.books import as_integrity
from services.rrr.cells import Cells
from services.rrr.moment import Moment
from services.rrr.period import period_of
from services.rrr.pipes import reader_may_leave
from services.rrr.report_build import report_of
from services.rrr.report_page import page
from services.rrr.standing import standing_house
from services.rrr.survey import market_clock, running_house

INTEGRITY = 5
COLUMNS = (
    *("scope", "name", "quote", "realized", "fees", "fees_elsewhere", "funding", "income", "net"),
    *("turnover", "fills", "trades", "wins", "losses", "unrealized_end", "equity_start"),
    *("equity_end", "deposits", "residual", "max_drawdown"),
)


@click.command()
@click.argument("period", metavar="[DAY|MONTH]", default="today")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="A line for the account, symbol and strategy.")
def report(period: str, *, as_json: bool, as_csv: bool) -> None:
    """Show profit and loss, fees, funding and turnover of a day or a month of market time, UTC.

    DAY is like 2026-11-30, `today` (without one) or `yesterday`; MONTH is like 2026-11. Ends with 5
    where the account's change is not explained to the last unit.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of the same: give one")
    period_of(period, 0)  # What is none is told before anything is read.
    house = running_house(standing_house())
    try:
        now_ns = market_now_ns(house)
        found = report_of(house, period_of(period, now_ns), now_ns)
    except ShardError as error:
        raise as_integrity(error) from error
    with reader_may_leave():
        form = json.dumps if as_json else as_lines if as_csv else page
        click.echo(form(found), nl=not as_csv)
    _refuse_residual(found)


def market_now_ns(house: House) -> int:
    """Return the market time of the house that runs here; without one, that of the newest row."""
    market = market_clock(house)
    if market is not None:
        return market.market_ns(SystemClock().wall_ns())
    with Moment(house) as moment:
        return moment.newest_ns()


def as_lines(found: dict[str, Any]) -> str:
    """Return a report as CSV with a head: the account first, then symbols and strategies."""
    text = StringIO()
    lines = Cells(text, COLUMNS)
    for row in found["accounts"]:
        lines.write({"scope": "account", "name": found["world"], **row})
    for row in found["symbols"]:
        lines.write({"scope": "symbol", "name": row["symbol"], **row})
    for row in found["strategies"]:
        lines.write({"scope": "strategy", "name": row["strategy"], **row})
    return text.getvalue()


def _refuse_residual(found: dict[str, Any]) -> None:
    odd = [one for one in found["accounts"] if one["residual"] != "0"]
    if odd:
        told = ", ".join(f"{one['residual']} {one['quote']}" for one in odd)
        failure = HouseError(
            f"{told} of the account's change in {found['period']} is not explained by its fills "
            "and deposits",
            "`rrr audit` and `rrr db verify trading` look for the rows that differ",
        )
        failure.exit_code = INTEGRITY
        raise failure
