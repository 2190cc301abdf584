"""`rrr balance`: what we own of each asset, what the exchange says of it, and what is fenced in."""

import json
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any

import click
import msgspec

from bus.errors import ShardError, UnreachableError
from bus.house import House
from services.rrr.asking import asked, body_of
from services.rrr.books import as_integrity
from services.rrr.moment import UNIT, Moment, exact, plain
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import numbers, table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

GATEWAY = "gateway"
SUMS = f"""
SELECT l.account AS account, l.asset AS asset, l.exp AS exp, sum(l.amount / {UNIT}) AS high,
    sum(l.amount % {UNIT}) AS low
FROM trading.ledger AS l WHERE l.account IN ('trading', 'external', 'suspense') GROUP BY 1, 2, 3
"""  # noqa: S608 - a number of ours
HEADS = {
    "OURS": "ours", "EXTERNAL": "external", "VENUE": "venue", "FREE": "free", "LOCKED": "locked",
    "DIFFERENCE": "difference", "FENCE": "fence",
}  # fmt: skip
DIFFERS = (
    "A difference was seen twice with nothing under way: it stops trading, and `rrr status` names "
    "the way out."
)
AS_OF = "VENUE, FREE and LOCKED are what the exchange said at {}."
UNKNOWN = "The venue's figures are not known: {}"

Row = dict[str, Any]


class Balance(msgspec.Struct):
    """One asset as the gateway tells it: plain decimals, empty where it does not know."""

    asset: str
    ours: str
    external: str = "0"
    free: str | None = None
    locked: str | None = None
    venue: str | None = None
    difference: str | None = None
    fence: str | None = None
    as_of: str | None = None  # when the exchange said its figures, market time


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def balance(*, as_json: bool) -> None:
    """Show each asset: ours, other people's on the account, the exchange's figure, the difference.

    FENCE is what of it may be traded with; DIFFERENCE is what the books do not explain: proven, not
    what was traded since the exchange was asked. While the house is down, ours are shown as the
    ledger has them.
    """
    house = running_house(standing_house())
    found = told(house)
    rows, why = (kept(house), found) if isinstance(found, str) else (found, "")
    with reader_may_leave():
        click.echo(json.dumps(as_object(house, rows, why)) if as_json else page(house, rows, why))


def told(house: House) -> list[Balance] | str:
    """Return what the gateway tells of each asset; a text that says why it does not."""
    try:
        done = asked(house.run, GATEWAY, "balances")
    except UnreachableError as error:
        return error.what
    return body_of(done, list[Balance], GATEWAY, "its balances") if done.ok else done.text


def kept(house: House) -> list[Balance]:
    """Return what the ledger has of each asset; what is in suspense is a difference."""
    sums: dict[tuple[str, str], Decimal] = {}
    try:
        with localcontext() as context, Moment(house) as moment:
            context.prec = 80
            for row in moment.rows(SUMS):
                key = (row["asset"], row["account"])
                amount = exact(row["high"] * UNIT + row["low"], row["exp"])
                sums[key] = sums.get(key, Decimal(0)) + amount
    except ShardError as error:
        raise as_integrity(error) from error
    return [_kept(asset, sums) for asset in sorted({asset for asset, _ in sums})]


def _kept(asset: str, sums: dict[tuple[str, str], Decimal]) -> Balance:
    ours, external, suspense = (
        sums.get((asset, account), Decimal(0)) for account in ("trading", "external", "suspense")
    )
    return Balance(asset, plain(ours), plain(external), difference=plain(suspense))


def as_object(house: House, rows: Sequence[Balance], why: str) -> Row:
    """Return balances as JSON holds them."""
    return {
        "world": house.world,
        "venue_known": not why,
        "why": why,
        "balances": [msgspec.structs.asdict(row) for row in rows],
    }


def page(house: House, rows: Sequence[Balance], why: str) -> str:
    """Return balances as lines to read."""
    lines = [world_line(house.world)]
    if rows:
        names = ["ASSET", *(row.asset for row in rows)]
        columns = [
            numbers(head, [getattr(row, name) or "-" for row in rows])
            for head, name in HEADS.items()
        ]
        lines += table(list(zip(names, *columns, strict=True)))
    else:
        lines.append("no balances")
    if any(row.difference and Decimal(row.difference) for row in rows):
        lines.append(DIFFERS)
    lines += [AS_OF.format(time) for time in sorted({row.as_of for row in rows if row.as_of})]
    return "\n".join([*lines, *([UNKNOWN.format(why)] if why else [])])
