"""`rrr venue`: the local exchange, its play money, and the faults that it makes for drills."""

import click
import msgspec

from bus.errors import HouseError
from services.rrr.asking import asked, body_of
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house


class Listed(msgspec.Struct):
    """One fault as the venue shows it."""

    name: str
    what: str
    active: bool
    left: int
    left_ms: int
    hits: int
    scope: dict[str, str]
    params: dict[str, int | str]


class Told(msgspec.Struct):
    """What the venue says about its faults."""

    text: str
    faults: list[Listed]
    during_ban: int


@click.group()
def venue() -> None:
    """Look at the local exchange, have it make faults, and move its play money."""


@venue.command(short_help="Have the local exchange make a fault, for tests and drills.")
@click.argument("name", required=False)
@click.argument("words", metavar="[key=value]...", nargs=-1)
@click.option("--for", "seconds", type=click.IntRange(1, 86_400), help="So many wall seconds.")
@click.option("--count", type=click.IntRange(1, 1_000_000), help="So many cases.")
@click.option("--list", "listing", is_flag=True, help="Show every fault, and what is active.")
@click.option("--clear", is_flag=True, help="End the fault NAME, or all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def fault(
    name: str | None,
    words: tuple[str, ...],
    seconds: int | None,
    count: int | None,
    *,
    listing: bool,
    clear: bool,
    as_json: bool,
) -> None:
    """Have the local exchange make the fault NAME.

    `symbol=BTC/USDT`, `side=buy` and `call=place` bind it; what else it takes, `--list` shows.
    A restart of the venue ends every fault. Only local mode has faults.
    """
    bounds = _bounds(seconds, count)
    if listing and (clear or name):
        raise click.UsageError("--list takes no fault")
    if clear and (words or bounds):
        raise click.UsageError("--clear takes the name of a fault, or nothing")
    if clear:
        _ask(("clear", *([name] if name else [])), as_json=as_json)
    elif listing or not name:
        _ask(("list",), as_json=as_json)
    else:
        _ask(("set", name, *words, *bounds), as_json=as_json)


@venue.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(*, as_json: bool) -> None:
    """Show what the local exchange was told to do wrong."""
    _ask(("list",), as_json=as_json, all_of_them=False)


@venue.command(short_help="Put play money into the account of the local exchange.")
@click.argument("asset")
@click.argument("amount")
def deposit(asset: str, amount: str) -> None:
    """Put AMOUNT of ASSET into the account, as its owner would, while the exchange runs."""
    _move("deposit", asset, amount)


@venue.command(short_help="Take play money out of the account of the local exchange.")
@click.argument("asset")
@click.argument("amount")
def withdraw(asset: str, amount: str) -> None:
    """Take AMOUNT of ASSET out of the account; no more than is free."""
    _move("withdraw", asset, amount)


def _move(verb: str, asset: str, amount: str) -> None:
    house = running_house(standing_house())
    done = asked(house.run, "venue", verb, (asset.upper(), amount))
    if not done.ok:
        if "expected" in done.text:
            raise click.UsageError(done.text)
        raise HouseError(f"the venue refused: {done.text}", "`rrr balance`")
    with reader_may_leave():
        click.echo(done.text)


def _bounds(seconds: int | None, count: int | None) -> list[str]:
    found = [f"for_s={seconds}"] if seconds else []
    return [*found, f"count={count}"] if count else found


def _ask(args: tuple[str, ...], *, as_json: bool, all_of_them: bool = True) -> None:
    house = running_house(standing_house())
    done = asked(house.run, "venue", "fault", args)
    if not done.ok:
        if "there is no fault" in done.text or "expected" in done.text or " has no " in done.text:
            raise click.UsageError(done.text)
        raise HouseError(f"the venue refused: {done.text}", "`rrr venue fault --list`")
    told = body_of(done, Told, "venue", "its faults")
    with reader_may_leave():
        if as_json:
            click.echo(done.body.decode())
        elif args == ("list",):
            faults = [one for one in told.faults if all_of_them or one.active]
            head: tuple[str, ...] = ("FAULT", "ACTIVE", "HITS", "WHAT")
            rows = [head, *map(_row, faults)]
            lines = table(rows) if len(rows) > 1 else ["It makes no fault."]
            click.echo("\n".join([world_line(house.world), *lines]))
        else:
            click.echo(told.text)


def _row(one: Listed) -> tuple[str, ...]:
    last = f"{one.left_ms / 1_000:.0f} s" if one.left_ms else ""
    count = f"{one.left} times" if one.left else ""
    active = ", ".join(filter(None, (last, count))) or "yes"
    own = {**one.scope, **one.params} if one.active else {}
    words = " ".join(f"{key}={value}" for key, value in own.items())
    return one.name, active if one.active else "-", str(one.hits), f"{one.what} {words}".strip()
