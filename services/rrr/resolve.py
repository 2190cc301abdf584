"""`rrr resolve`: a person's word on an order whose evidence never came."""

from collections.abc import Mapping

import click
import msgspec

from services.rrr.asking import asked
from services.rrr.looking import look
from services.rrr.resume import confirm, reason_of, show_done
from services.rrr.screen import world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

WORD = "resolve"
FATES = ("absent", "present", "filled")
NEEDED = ("trade_id", "qty", "px", "fee", "fee_asset")


@click.command()
@click.argument("order")
@click.argument("fate", type=click.Choice(FATES))
@click.option("--evidence", required=True, metavar="TEXT", help="What shows it, for the audit.")
@click.option("--trade-id", default="", metavar="ID", help="Of a fill, as the venue's page has it.")
@click.option("--qty", default="", metavar="N", help="What was traded.")
@click.option("--px", default="", metavar="N", help="At which price.")
@click.option("--fee", default="", metavar="N", help="What it cost.")
@click.option("--fee-asset", default="", metavar="ASSET", help="In which asset.")
@click.option("--quote-qty", default="", metavar="N", help="The sum, where not qty times px.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def resolve(order: str, fate: str, evidence: str, *, yes: bool, as_json: bool, **page: str) -> None:
    """Tell what became of an ORDER that is in doubt, or that the venue does not know any more.

    ORDER is its id or the beginning of it. Look at the venue's own page first: "absent" frees what
    the order holds, "present" leaves it open, "filled" books the trade that the options describe.
    """
    given = {name: text.strip() for name, text in page.items() if text}
    _refuse_half_a_fill(fate, given)
    wish = {"order": order.strip().lower(), "fate": fate, "evidence": reason_of(evidence)} | given
    if "fee_asset" in wish:
        wish["fee_asset"] = wish["fee_asset"].upper()
    text = msgspec.json.encode(wish).decode()
    house = running_house(standing_house())
    lines = look(house.run, "gateway", "resolve", (text,))
    if not as_json:
        click.echo("\n".join([world_line(house.world), *lines]))
    if not yes:
        confirm(f"resolve {wish['order']} as {fate}", WORD)
    show_done(asked(house.run, "gateway", "resolve", (text,)), as_json=as_json)


def _refuse_half_a_fill(fate: str, given: Mapping[str, str]) -> None:
    if fate != "filled" and given:
        name = next(iter(given)).replace("_", "-")
        raise click.UsageError(f"--{name} tells of a fill, and {fate!r} is none")
    lacking = [name.replace("_", "-") for name in NEEDED if name not in given]
    if fate == "filled" and lacking:
        raise click.UsageError(f"a fill needs --{' --'.join(lacking)}, as the venue's page has it")
