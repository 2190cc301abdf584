"""`rrr lock`: no entries in a symbol for a while; exits and stops go on."""

import click

from bus.house import House
from schema.units import parse_iso
from services.rrr.asking import asked
from services.rrr.locks import show
from services.rrr.places import span_ns
from services.rrr.resume import confirm, reason_of, show_done, stops_told
from services.rrr.screen import world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

WORD = "lock"
BY_HAND = "by hand"


@click.command()
@click.argument("symbol", required=False)
@click.argument("why", required=False)
@click.option("--until", "moment", metavar="TIME", help="Market time, as 2026-01-31T12:00:00Z.")
@click.option("--for", "stretch", metavar="SPAN", help="From now on, in market time: 90s, 10m, 2h.")
@click.option("--why", "reason", metavar="TEXT", help="The same as WHY.")
@click.option("--side", type=click.Choice(["long", "short"]), help="Of the entries; else both.")
@click.option("--clear", is_flag=True, help="Let it be entered again, whoever locked it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; of the list, an array.")
def lock(
    symbol: str | None,
    why: str | None,
    moment: str | None,
    stretch: str | None,
    reason: str | None,
    side: str | None,
    *,
    clear: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Let nothing enter SYMBOL (or "*", any) until a time; without one until it is cleared.

    A lock needs a reason WHY, which is kept for the audit. Exits and stops go on. Without SYMBOL
    it lists what is locked: by whom or by which protection, with its numbers, and until when.
    """
    house = running_house(standing_house())
    if symbol is None:
        _require_nothing(moment, stretch, reason, side, clear)
        show(house, as_json=as_json)
        return
    symbol = symbol.upper()
    if why is not None and reason is not None:
        raise click.UsageError("WHY and --why are two ways to say the same: give one")
    kind, span = _stretch(moment, stretch)
    if clear and (moment or stretch):
        raise click.UsageError("a lock is cleared now: --clear goes without --until and --for")
    words = (symbol, side) if side else (symbol,)
    said = reason_of(why or reason or (BY_HAND if clear else ""))
    args = (*words, said) if clear else (*words, kind, str(span), said)
    _do(house, "unlock" if clear else "lock", args, yes=yes, as_json=as_json)


def _do(house: House, verb: str, args: tuple[str, ...], *, yes: bool, as_json: bool) -> None:
    preview = stops_told(house.run, "engine")
    if not as_json:
        click.echo("\n".join([world_line(house.world), *preview]))
    if not yes:
        confirm(f"{'clear the lock of' if verb == 'unlock' else 'lock'} {args[0]}", WORD)
    show_done(asked(house.run, "engine", verb, args), as_json=as_json)


def _require_nothing(*given: object) -> None:
    if any(given):
        raise click.UsageError('name the SYMBOL to lock, or "*" for any; alone it lists the locks')


def _stretch(moment: str | None, stretch: str | None) -> tuple[str, int]:
    if moment is not None and stretch is not None:
        raise click.UsageError("--until and --for are two ways to say the same: give one")
    if stretch is not None:
        return "for", max(1, span_ns(stretch))
    if moment is None:
        return "until", 0
    try:
        return "until", max(1, parse_iso(moment))
    except ValueError as error:
        raise click.UsageError(f"no time {moment!r}; expected 2026-01-31T12:00:00Z") from error
