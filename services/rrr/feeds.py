"""`rrr feeds`: how far each symbol's market data can be trusted, and what is wrong with it."""

import json
from typing import Any

import click

from bus.errors import UnreachableError
from bus.house import House
from schema.market import FeedStatus
from schema.units import iso
from services.rrr.asking import asked, body_of
from services.rrr.pipes import reader_may_leave
from services.rrr.said import last_said, said_with
from services.rrr.screen import numbers, table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

INGEST = "ingest"
FEED = "ingest.feed"
STANDS = "Ingest does not answer ({}); this is what it said last."
SHORT = 48

Row = dict[str, Any]

NUMBERS = {
    "AGE": "age_ms", "GAP": "median_gap_ms", "PER MIN": "trades_per_min",
    "LOST": "gaps_given_up", "REDIALS": "redials", "RECONN": "reconnects",
    "CROSSED": "crossed", "OFFSET": "offset_ms", "REFUSED": "quarantined",
}  # fmt: skip


@click.command()
@click.argument("symbol", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def feeds(symbol: str | None, *, as_json: bool) -> None:
    """Show how well each symbol's feed is, or the feed of one SYMBOL.

    AGE is since its newest trade, GAP the median between two lately, OFFSET the exchange's clock
    to ours, all in ms of market time; REFUSED rows could not be true and went no further. While
    ingest is down, what it said last is shown.
    """
    house = running_house(standing_house())
    found = told(house)
    why = found if isinstance(found, str) else ""
    rows = kept(house) if isinstance(found, str) else found
    if symbol is not None:
        rows = [_one(rows, symbol.upper())]
    with reader_may_leave():
        told_as = {"world": house.world, "answers": not why, "why": why, "feeds": rows}
        click.echo(json.dumps(told_as) if as_json else page(house, rows, why))


def told(house: House) -> list[Row] | str:
    """Return what ingest tells of each feed; a text that says why it does not."""
    try:
        done = asked(house.run, INGEST, "feeds")
    except UnreachableError as error:
        return error.what
    return body_of(done, list[Row], INGEST, "its feeds") if done.ok else done.text


def kept(house: House) -> list[Row]:
    """Return the newest word on each feed of the house."""
    if last_said(house.journal_dir, FEED) is None:
        return []
    symbols = house.settings.ingest.symbols or house.settings.venue.symbol
    rows = (_said_of(house, symbol) for symbol in symbols)
    return [row for row in rows if row is not None]


def _said_of(house: House, symbol: str) -> Row | None:
    for seen in said_with(house.journal_dir, FEED, symbol):
        said = seen.message
        if isinstance(said, FeedStatus) and said.symbol == symbol:
            return _row(said)
    return None


def page(house: House, rows: list[Row], why: str) -> str:
    """Return feeds as lines to read."""
    lines = [world_line(house.world)]
    if rows:
        names = ["SYMBOL", *(_text(row, "symbol") for row in rows)]
        states = ["STATE", *(_text(row, "state") or "-" for row in rows)]
        columns = [
            numbers(head, [_text(row, name) or "-" for row in rows])
            for head, name in NUMBERS.items()
        ]
        reasons = ["REASON", *(_text(row, "reason")[:SHORT] for row in rows)]
        lines += table(list(zip(names, states, *columns, reasons, strict=True)))
    else:
        lines.append("no feeds")
    return "\n".join([*lines, *([STANDS.format(why)] if why else [])])


def _row(said: FeedStatus) -> Row:
    return {
        "symbol": said.symbol,
        "state": said.state,
        "reason": said.reason,
        "since": iso(said.ts_event),
        "watermark": iso(said.last_trade_ns) if said.last_trade_ns else "",
        "last_trade_id": said.last_trade_id,
        "median_gap_ms": said.median_gap_ms,
        "reconnects": said.reconnects,
        "offset_ms": said.offset_ms,
        "quarantined": said.quarantined,
    }


def _one(rows: list[Row], symbol: str) -> Row:
    for row in rows:
        if row.get("symbol") == symbol:
            return row
    known = ", ".join(_text(row, "symbol") for row in rows) or "none"
    raise click.UsageError(f"no feed of {symbol!r}; there are: {known}")


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)
