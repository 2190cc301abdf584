"""`rrr lock`: no entries in a symbol for a while; exits and stops go on."""

import click

from schema.units import parse_iso
from services.rrr.asking import asked
from services.rrr.places import span_ns
from services.rrr.resume import confirm, reason_of, show_done, stops_told
from services.rrr.screen import world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

WORD = "lock"
BY_HAND = "by hand"


@click.command()
@click.argument("symbol")
@click.argument("why", required=False)
@click.option("--until", "moment", metavar="TIME", help="Market time, as 2026-01-31T12:00:00Z.")
@click.option("--for", "stretch", metavar="SPAN", help="From now on, in market time: 90s, 10m, 2h.")
@click.option("--clear", is_flag=True, help="Let it be entered again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def lock(
    symbol: str,
    why: str | None,
    moment: str | None,
    stretch: str | None,
    *,
    clear: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Let nothing enter SYMBOL (or "*", any) until a time; without one until it is cleared.

    A lock needs a reason WHY, which is kept for the audit.
    """
    symbol = symbol.upper()
    kind, span = _stretch(moment, stretch)
    if clear and (moment or stretch):
        raise click.UsageError("a lock is cleared now: --clear goes without --until and --for")
    reason = reason_of(why or (BY_HAND if clear else ""))
    args = (symbol, reason) if clear else (symbol, kind, str(span), reason)
    house = running_house(standing_house())
    preview = stops_told(house.run, "engine")
    if not as_json:
        click.echo("\n".join([world_line(house.world), *preview]))
    if not yes:
        confirm(f"{'clear the lock of' if clear else 'lock'} {symbol}", WORD)
    verb = "unlock" if clear else "lock"
    show_done(asked(house.run, "engine", verb, args), as_json=as_json)


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
