"""`rrr symbols`: which symbols the house hears and trades; one more, or one less."""

import json

import click

from bus.house import House
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.rrr.symbols_held import Held, held, named_by, symbols_of
from services.rrr.verbs import InnerVerbs

VERBS = {
    "list": ("symbols", "services.rrr.symbols:list_"),
    "add": ("symbols", "services.rrr.symbols_change:add"),
    "remove": ("symbols", "services.rrr.symbols_change:remove"),
}
"""Each verb, what it is for, and the file that it lives in."""

HEAD = ("SYMBOL", "STRATEGIES", "POSITION", "OPEN ORDERS")


@click.command(cls=InnerVerbs, table=VERBS, invoke_without_command=True)
@click.pass_context
def symbols(context: click.Context) -> None:
    """Show the symbols of the house; `add` and `remove` change them."""
    if context.invoked_subcommand is None:
        _show(as_json=False)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_(*, as_json: bool) -> None:
    """Show the symbols of the house, who trades them, and what is open.

    Strategies are those that trade all symbols, too. A position is the account's; it and the open
    orders are what the trading shard holds.
    """
    _show(as_json=as_json)


def _show(*, as_json: bool) -> None:
    house = running_house(standing_house())
    found = [(symbol, held(house, symbol)) for symbol in symbols_of(house)]
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps([_row(house, *one) for one in found]))
            return
        rows = [_cells(house, *one) for one in found]
        click.echo("\n".join([world_line(house.world), *table([HEAD, *rows])]))


def _row(house: House, symbol: str, of: Held) -> dict[str, object]:
    return {
        "symbol": symbol,
        "strategies": named_by(house, symbol, every=True),
        "position": of.position,
        "open_orders": list(of.orders),
    }


def _cells(house: House, symbol: str, of: Held) -> tuple[str, ...]:
    names = " ".join(named_by(house, symbol, every=True))
    return symbol, names or "-", of.position, str(len(of.orders))
