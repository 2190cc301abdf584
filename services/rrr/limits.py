"""`rrr risk`: the limits, and how much of each is used."""

import click
import msgspec

from bus.errors import HouseError
from services.rrr.asking import asked, body_of
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import running_house


class Limit(msgspec.Struct):
    """One limit as risk tells it."""

    name: str
    value: str
    used: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def risk(*, as_json: bool) -> None:
    """Show the limits of risk, and how much of each is used."""
    house = running_house(standing_house())
    done = asked(house.run, "risk", "limits")
    if not done.ok:
        raise HouseError(f"risk does not tell its limits: {done.text}", "`rrr logs risk` says more")
    limits = body_of(done, list[Limit], "risk", "its limits")
    if as_json:
        click.echo(msgspec.json.encode(limits).decode())
        return
    rows = [(one.name, one.value, one.used) for one in limits]
    click.echo("\n".join([world_line(house.world), *table([("LIMIT", "VALUE", "USED"), *rows])]))
