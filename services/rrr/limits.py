"""`rrr risk`: the limits, how much of each is used, and how a person sets one."""

from pathlib import Path

import click
import msgspec

from bus.errors import HouseError
from services.risk.terms import Term, parsed, term_of
from services.risk.uses import Use
from services.rrr.asking import asked, body_of
from services.rrr.limits_rows import Wanted, preview, shown
from services.rrr.pipes import reader_may_leave
from services.rrr.resume import confirm, reason_of, show_done
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

RISK = "risk"
WORD = "yes"


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def risk(ctx: click.Context, *, as_json: bool) -> None:
    """Show the limits of risk with their use, or set one while the house runs.

    What a person sets holds over the settings, from the next verdict on and across restarts, until
    `rrr risk unset`. A limit that lets more happen waits ten minutes in live mode.
    """
    if ctx.invoked_subcommand is not None:
        return
    house = running_house(standing_house())
    limits = limits_told(house.run)
    with reader_may_leave():
        text = msgspec.json.encode(limits).decode() if as_json else shown(limits, house.world)
        click.echo(text)


@risk.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--why", required=True, metavar="TEXT", help="Kept for the audit.")
@click.option("--symbol", default="", help="Of this symbol alone, such as BTC/USDT.")
@click.option("--strategy", default="", help="Of this strategy alone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def set_limit(
    name: str, value: str, why: str, symbol: str, strategy: str, *, yes: bool, as_json: bool
) -> None:
    """Set limit NAME to VALUE; 0 is off where the settings say so."""
    term, scope = _named(name, symbol, strategy)
    try:
        wanted = Wanted(name, scope, parsed(term, value), "set")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _change(wanted, (name, wanted.after, scope, reason_of(why)), yes=yes, as_json=as_json)


@risk.command()
@click.argument("name")
@click.option("--why", required=True, metavar="TEXT", help="Kept for the audit.")
@click.option("--symbol", default="", help="Of this symbol alone.")
@click.option("--strategy", default="", help="Of this strategy alone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def unset(name: str, why: str, symbol: str, strategy: str, *, yes: bool, as_json: bool) -> None:
    """Let limit NAME be what the settings say again."""
    _, scope = _named(name, symbol, strategy)
    wanted = Wanted(name, scope, "", "unset")
    _change(wanted, (name, scope, reason_of(why)), yes=yes, as_json=as_json)


@risk.command()
@click.argument("name")
@click.option("--why", default="by a person", metavar="TEXT", help="Kept for the audit.")
@click.option("--symbol", default="", help="Of this symbol alone.")
@click.option("--strategy", default="", help="Of this strategy alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def cancel(name: str, why: str, symbol: str, strategy: str, *, as_json: bool) -> None:
    """Let a change of limit NAME that still waits not happen."""
    _, scope = _named(name, symbol, strategy)
    wanted = Wanted(name, scope, "", "cancel")
    _change(wanted, (name, scope, reason_of(why)), yes=True, as_json=as_json)


def limits_told(run: Path) -> list[Use]:
    """Return the limits as risk tells them; HouseError where it does not."""
    done = asked(run, RISK, "limits")
    if not done.ok:
        raise HouseError(f"risk does not tell its limits: {done.text}", "`rrr logs risk` says more")
    return body_of(done, list[Use], RISK, "its limits")


def _named(name: str, symbol: str, strategy: str) -> tuple[Term, str]:
    if symbol and strategy:
        raise click.UsageError("expected --symbol or --strategy, and not both")
    scope = symbol.upper() or strategy
    try:
        return term_of(name, scope), scope
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _change(wanted: Wanted, args: tuple[str, ...], *, yes: bool, as_json: bool) -> None:
    house = running_house(standing_house())
    limits = limits_told(house.run)
    if not as_json:
        click.echo(preview(wanted, limits, house.world))
    if not yes:
        confirm(f"{wanted.verb} {wanted.key}", WORD)
    show_done(asked(house.run, RISK, wanted.verb, args), as_json=as_json)
