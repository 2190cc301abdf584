"""What is locked, as `rrr lock` lists it: the engine is asked, and while it is away the shard."""

import json
from collections.abc import Iterable

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import UnreachableError
from bus.house import House
from schema.locks import Lock, Locks, fold_lock
from schema.trading import PairLocked, Protection
from services.engine.locks import Row, row_of
from services.rrr.asking import asked, body_of
from services.rrr.books import Row as ShardRow
from services.rrr.books import shard_rows
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import table, world_line
from services.rrr.survey import market_clock

HEAD = ("SYMBOL", "SIDE", "UNTIL", "BY", "WHY", "RELEASE")
SAID = """
SELECT type, detail FROM trading.risk_events WHERE type IN ('PairLocked', 'Protection') ORDER BY id
"""
KINDS: dict[str, type[PairLocked | Protection]] = {
    "PairLocked": PairLocked,
    "Protection": Protection,
}
MEANS = "Entries are stopped; exits and stops go on."
STANDS = "The engine does not run; this is what the trading shard holds."


def show(house: House, *, as_json: bool) -> None:
    """Show every lock that holds."""
    rows, stands = _rows(house)
    with reader_may_leave():
        if as_json:
            click.echo(msgspec.json.encode(rows).decode())
            return
        click.echo("\n".join([world_line(house.world), *_page(rows, stands=stands)]))


def _rows(house: House) -> tuple[list[Row], bool]:
    try:
        done = asked(house.run, "engine", "locks")
    except UnreachableError:
        return [row_of(lock) for lock in _of_shard(house)], True
    return body_of(done, list[Row], "engine", "its locks"), False


def _page(rows: list[Row], *, stands: bool) -> list[str]:
    note = [STANDS] if stands else []
    if not rows:
        return ["Nothing is locked.", *note]
    lines = [
        (
            row.symbol,
            row.side,
            row.until or "cleared",
            row.protection or row.by,
            row.why,
            row.release,
        )
        for row in rows
    ]
    return [*table([HEAD, *lines]), MEANS, *note]


def _of_shard(house: House) -> list[Lock]:
    said = [_message(row) for row in shard_rows(house, SAID)]
    market = market_clock(house)
    last_ns = max((message.ts_event for message in said), default=0)
    now_ns = last_ns if market is None else market.market_ns(SystemClock().wall_ns())
    return _folded(said).now(now_ns)


def locks_of(rows: Iterable[ShardRow]) -> Locks:
    """Return what is locked by the rows of SAID."""
    return _folded(_message(row) for row in rows)


def _folded(said: Iterable[PairLocked | Protection]) -> Locks:
    locks = Locks()
    for message in said:
        fold_lock(locks, message)
    return locks


def _message(row: ShardRow) -> PairLocked | Protection:
    kind = KINDS[str(row["type"])]
    known = {field.name for field in msgspec.structs.fields(kind)}
    told = json.loads(str(row["detail"]))
    return kind(**{name: value for name, value in told.items() if name in known})
