"""Whom `rrr data fetch` asks, and into whose history the answers go.

In local mode that is the local venue, whose market is made: its bars never stand beside those of an
exchange, so their history has the name of their world. What a stand-in prints has its own, too.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import click
import msgspec

from bus.clock import Clock
from bus.errors import HouseError, UnreachableError
from bus.house import House
from bus.wire import socket_path
from services.ingest.edge_history import BINANCE, BannedError, Door
from services.rrr.asking import asked, body_of
from services.rrr.survey import market_clock

EXCHANGE = "binance"
MADE = ("local-", "replay-")


class Place(NamedTuple):
    """Who is asked, and the name of the history."""

    address: str
    history: str
    made: bool  # its market is made here, and has a clock of its own


class Budget(msgspec.Struct):
    """What ingest tells of the exchange's budget."""

    limit: int = 0
    retry_wall_ms: int = 0


def place_of(house: House, wanted: str = "") -> Place:
    """Return whom to ask; UsageError for an exchange whose bars are not read."""
    own = _own(house)
    if wanted in {"", own.history}:
        return own
    if wanted == EXCHANGE:
        return Place(BINANCE, EXCHANGE, made=False)
    known = " or ".join(dict.fromkeys((own.history, EXCHANGE)))
    raise click.UsageError(f"--exchange {wanted!r}: bars are fetched of {known}")


def _own(house: House) -> Place:
    if house.world.startswith(MADE):
        address = f"http://127.0.0.1:{house.settings.ports.venue}"
        return Place(address, _named(house.world), made=True)
    exchange = house.settings.exchange
    history = f"{exchange.name}-standin" if exchange.url else exchange.name
    return Place(exchange.url or BINANCE, _named(history), made=False)


def _named(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower())


@contextmanager
def open_door(
    house: House, place: Place, clock: Clock, waits: Callable[[], None] = lambda: None
) -> Iterator[Door]:
    """Yield who asks, within the budget; a ban that it meets is told to the feed that runs here."""
    if place.made and market_clock(house) is None:
        raise UnreachableError("venue does not run", "Start the house: `rrr up`")
    with Door(place.address, house.settings.ingest.weight_share, clock, waits) as door:
        known_ms = _ban(house).retry_wall_ms
        door.obey(known_ms)
        try:
            yield door
        except BannedError as error:
            if error.until_wall_ms > known_ms:
                _tell(house, error.until_wall_ms)
            raise


def market_ns(house: House, place: Place, door: Door, clock: Clock) -> int:
    """Return the market's time: that of the exchange, or of the market that is made here."""
    told_ns = door.set_clock()
    market = market_clock(house) if place.made else None
    return market.market_ns(clock.wall_ns()) if market is not None else told_ns


def _ban(house: House) -> Budget:
    if not socket_path(house.run, "ingest", "ctl").exists():
        return Budget()  # Nobody here knows of any.
    return body_of(asked(house.run, "ingest", "budget"), Budget, "ingest", "its budget")


def _tell(house: House, until_wall_ms: int) -> None:
    with suppress(HouseError):  # It does not run, and meets the ban by itself.
        asked(house.run, "ingest", "budget", (str(until_wall_ms),))
