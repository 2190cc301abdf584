"""`rrr adopt`: what a person knows of and the house did not do: others' orders, moved money."""

import click
import msgspec

from bus.errors import HouseError
from services.rrr.asking import asked, body_of
from services.rrr.looking import look
from services.rrr.resume import confirm, reason_of, show_done
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

WORD = "adopt"
CELLS = ("symbol", "venue_order_id", "side", "qty", "filled", "open", "adopted", "by", "why")
USAGE = (
    'expected `rrr adopt SYMBOL VENUE_ORDER_ID "why"`, '
    '`rrr adopt ASSET DELTA --book external|trading "why"` or `rrr adopt --list`'
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="SYMBOL|ASSET ID|DELTA WHY", nargs=-1)
@click.option("--book", type=click.Choice(("external", "trading")), help="Whose the money is.")
@click.option("--list", "only_list", is_flag=True, help="Show others' orders, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON value.")
def adopt(
    words: tuple[str, ...], book: str | None, *, only_list: bool, yes: bool, as_json: bool
) -> None:
    """Explain an order that was not made here, or a balance that differs from the books.

    An order is known from then on, counted, and never touched. A difference becomes a deposit of
    exactly DELTA: in the trading book the house may trade with it, in the external one not.
    """
    if only_list:
        _list(as_json=as_json)
        return
    args = _wish(words, book)
    house = running_house(standing_house())
    lines = look(house.run, "gateway", "adopt", args[:-1])
    if not as_json:
        click.echo("\n".join([world_line(house.world), *lines]))
    if not yes:
        confirm(" ".join(("adopt", *args[1:])), WORD)
    show_done(asked(house.run, "gateway", "adopt", args), as_json=as_json)


def _wish(words: tuple[str, ...], book: str | None) -> tuple[str, ...]:
    if len(words) != 3 or any(word.startswith("--") for word in words[:2]):
        raise click.UsageError(USAGE)
    what, which, why = words
    reason = reason_of(why)
    if "/" in what and book is None:
        return ("order", what.upper(), which, reason)
    if "/" not in what and book is not None:
        return ("balance", what.upper(), which, book, reason)
    raise click.UsageError(USAGE)


def _list(*, as_json: bool) -> None:
    house = running_house(standing_house())
    done = asked(house.run, "gateway", "external")
    if not done.ok:
        raise HouseError(f"it was refused: {done.text}", "`rrr status` shows what stops it")
    rows = body_of(done, list[dict[str, str]], "gateway", "others' orders")
    cells = [tuple(row.get(name) or "-" for name in CELLS) for row in rows]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    head = tuple(name.upper().replace("_", " ") for name in CELLS)
    shown = table([head, *cells]) if cells else ["no orders but our own"]
    click.echo("\n".join([world_line(house.world), *shown]))
