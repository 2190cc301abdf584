"""`rrr symbols add` and `remove`: one symbol more or less, in settings.local.toml.

Who hears and trades the symbols reads them at its start, so that a change begins with a restart;
ingest then fetches the history of a new one by itself.
"""

import re
from collections.abc import Callable

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House, open_house
from bus.settings import LOCAL, SHIPPED
from schema.listing import instrument_of
from services.rrr.data_origin import open_door, place_of
from services.rrr.house import start_again
from services.rrr.resume import confirm
from services.rrr.screen import world_line
from services.rrr.strategy_settings import put_all
from services.rrr.strategy_wish import put_back
from services.rrr.supervisor import Supervisor
from services.rrr.survey import running_house
from services.rrr.symbols_held import held_now, named_by, symbols_of
from services.rrr.toml_text import Keys

NAME = re.compile(r"[A-Z0-9]{1,15}/[A-Z0-9]{1,15}")
READERS = ("venue", "risk", "gateway", "ingest", "predictor", "engine")
"""Who reads the symbols at its start; so ordered that each finds those that it asks."""

INGEST: Keys = ("ingest", "symbols")
VENUE: Keys = ("venue", "symbol")
NOTHING = "Nothing was changed"
Changes = dict[Keys, tuple[str, ...]]

YES = click.option("--yes", is_flag=True, help="Do not ask.")
RESTART = click.option("--restart", is_flag=True, help="Restart who reads the symbols, in order.")


@click.command()
@click.argument("symbol")
@RESTART
@YES
def add(symbol: str, *, restart: bool, yes: bool) -> None:
    """Hear and trade SYMBOL too, once those that read the symbols are restarted.

    The exchange has to list it and trade it; the local venue lists what the settings name.
    """
    house, name = running_house(open_house()), _name(symbol)
    if name in symbols_of(house):
        raise HouseError(f"{name} is one of this house's symbols already", "`rrr symbols` has all")
    changes = _with(house, name)
    _require_free(house, changes)
    told = _listed(house, name)
    lines = [told, *(_written(key, value) for key, value in changes.items())]
    all_of = named_by(house, name, every=True)
    if all_of:
        lines.append(f"it is traded by {' '.join(all_of)}, which trade all symbols")
    _carry_out(house, changes, lines, f"add {name}", restart=restart, yes=yes)


@click.command()
@click.argument("symbol")
@RESTART
@YES
def remove(symbol: str, *, restart: bool, yes: bool) -> None:
    """Hear and trade SYMBOL no more; refused while a position or an order of it is open.

    What was kept of it stays, and so does what is too little for the exchange to take.
    """
    house, name = running_house(open_house()), _name(symbol)
    heard = symbols_of(house)
    if name not in heard:
        raise HouseError(f"{name} is none of this house's symbols: {' '.join(heard)}", NOTHING)
    if len(heard) == 1:
        raise HouseError(f"{name} is the only symbol of this house", "Add another one first")
    if names := named_by(house, name):
        raise HouseError(
            f"{name} is named by the settings of {' '.join(names)}: "
            + ", ".join(f"`strategy.{one}.symbols`" for one in names),
            "Take it out there first, in settings.local.toml",
        )
    _require_flat(house, name)
    changes = _without(house, name)
    _require_free(house, changes)
    lines = [_written(key, value) for key, value in changes.items()]
    # While a person was asked, it may have been bought.
    _carry_out(
        house, changes, lines, f"remove {name}", lambda: _require_flat(house, name),
        restart=restart, yes=yes,
    )  # fmt: skip


def _require_flat(house: House, name: str) -> None:
    if text := held_now(house, name).text:
        raise HouseError(
            f"{name} is not removed: {text}",
            f"First `rrr close {name}`, and `rrr cancel` for what waits; then do it again",
        )


def _name(symbol: str) -> str:
    name = symbol.upper()
    if NAME.fullmatch(name) is None:
        raise click.UsageError(f"{symbol!r} is no symbol: expected one such as BTC/USDT")
    return name


def _with(house: House, name: str) -> Changes:
    ingest, venue = _said(house, INGEST), _said(house, VENUE)
    if house.settings.mode == "local" and house.settings.venue.market == "replay":
        raise HouseError("a replay has the symbols of its files", "Name others in `venue.replay`")
    found: Changes = {VENUE: (*venue, name)} if name not in venue else {}
    return found | ({INGEST: (*ingest, name)} if ingest else {})


def _said(house: House, key: Keys) -> tuple[str, ...]:
    # As it is written: what is empty there stands for the other list.
    text = next(text for name, text, _ in house.rows if name == ".".join(key))
    return msgspec.json.decode(text, type=tuple[str, ...])


def _without(house: House, name: str) -> Changes:
    # The local venue goes on listing it, as an exchange would: what was traded there once, and what
    # fees left of it, is asked for at every comparison of the books.
    return {INGEST: tuple(one for one in symbols_of(house) if one != name)}


def _require_free(house: House, changes: Changes) -> None:
    for key in changes:
        dotted = ".".join(key)
        origin = house.origins[dotted]
        if origin not in {SHIPPED, LOCAL}:
            raise HouseError(
                f"`{dotted}` is set by {origin}, which counts more than {LOCAL}",
                f"Unset it, or change it there; {NOTHING.lower()}",
            )


def _listed(house: House, name: str) -> str:
    place, clock = place_of(house), SystemClock()
    if place.made:
        return "the local venue lists it once it is restarted"
    with open_door(house, place, clock) as door:
        entry = door.listed((name,)).get(name)
    if entry is None:
        raise HouseError(f"{place.address} does not list {name}", NOTHING)
    try:
        instrument = instrument_of(entry, clock.wall_ns())
    except ValueError as error:
        raise HouseError(f"the listing of {name} cannot be read: {error}", NOTHING) from error
    if instrument.status != "TRADING":
        raise HouseError(f"{place.address} says of {name}: {instrument.status}", NOTHING)
    return f"{place.address} lists it, and it trades"


def _written(key: Keys, value: tuple[str, ...]) -> str:
    return f"`{'.'.join(key)}` becomes {' '.join(value)}"


def _carry_out(
    house: House,
    changes: Changes,
    lines: list[str],
    what: str,
    still: Callable[[], None] = lambda: None,
    *,
    restart: bool,
    yes: bool,
) -> None:
    names = tuple(one for one in READERS if one in house.programs)
    runs = Supervisor(house).alive()
    if restart and runs:
        lines.append(f"{' '.join(names)} are restarted, in this order")
    click.echo("\n".join([world_line(house.world), *(f"  {line}" for line in lines)]))
    if not yes:
        confirm(what, what.partition(" ")[0])
    with put_back(house.root):
        still()
        put_all(house.root, changes)
    if not runs:
        click.echo("It is written; no house runs: it begins with the next `rrr up`")
    elif not restart:
        click.echo(f"It is written, and begins with: rrr restart {' '.join(names)}")
    else:
        start_again(open_house(), names)
        click.echo("It is written, and those who read the symbols have begun anew")
