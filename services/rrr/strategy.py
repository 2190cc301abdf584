"""`rrr strategy`: write one, check it, let it run, change it while it runs, and stop it."""

from pathlib import Path

import click
import msgspec

from bus.errors import HouseError
from bus.house import House, open_house
from bus.settings_tables import NAME, TAKEN
from services.rrr.asking import asked
from services.rrr.pipes import reader_may_leave
from services.rrr.resume import confirm, reason_of, show_done, stops_told
from services.rrr.screen import world_line
from services.rrr.standing import standing_house
from services.rrr.strategy_change import add, budget, drop, promote, reload, set_params, shadow
from services.rrr.strategy_check import check
from services.rrr.strategy_rows import held_by, rows_of, shown_rows, told_by_engine
from services.rrr.strategy_template import strategy_file, test_file
from services.rrr.survey import running_house

DESK = Path("tests", "services", "strategies", "desk.py")


@click.group()
def strategy() -> None:
    """Write strategies, check them, let them run, change and stop them."""


@strategy.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a strategy that already decides something, and its test."""
    house = open_house()
    if name in TAKEN or not NAME.fullmatch(name):
        raise HouseError(f"{name!r} cannot name a strategy", "Choose a name like my_dip")
    if name in house.settings.strategy:
        raise HouseError(f"a strategy is named {name!r} already", "Choose another name")
    files = [strategy_file(name)]
    if (house.root / DESK).exists():  # What its test is played on.
        files.append(test_file(name))
    for place, _ in files:
        if (house.root / place).exists():
            raise HouseError(f"{house.root / place} is there already", "Choose another name")
    for place, text in files:
        (house.root / place).parent.mkdir(parents=True, exist_ok=True)
        (house.root / place).write_text(text, encoding="utf-8")
        click.echo(f"wrote {place}")
    file = files[0][0]
    click.echo(f"Next:\n  rrr strategy check {file}\n  rrr backtest {file} --since 90d")
    click.echo(f"  rrr strategy add {file} --shadow")


@strategy.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_strategies(*, as_json: bool) -> None:
    """Show all strategies: what they are, what they hold, and what to do."""
    house = running_house(standing_house())
    told = told_by_engine(house.run)
    rows = rows_of(house, told, _digests(house))
    with reader_may_leave():
        if as_json:
            said = {"world": house.world, "running": told is not None, "strategies": rows}
            click.echo(msgspec.json.encode(said).decode())
            return
        away = "" if told is not None else "\nNo engine runs: this is what the settings say."
        click.echo("\n".join([world_line(house.world) + away, "", *shown_rows(rows)]))


@strategy.command("pause")
@click.argument("name")
@click.argument("why")
@click.option("--close", "sell", is_flag=True, help="Sell out, too.")
@click.option("--yes", is_flag=True, help="Do not ask before it sells.")
def pause(name: str, why: str, *, sell: bool, yes: bool) -> None:
    """Stop the entries of a strategy; its exits and stops go on."""
    house = standing_house()
    reason = reason_of(why)
    if sell:
        _preview_close(house, name)
        if not yes:
            confirm(f"pause {name} and sell what it holds", "close")
    show_done(asked(house.run, "engine", "close" if sell else "pause", (name, reason)))


@strategy.command("resume")
@click.argument("name")
@click.argument("why")
@click.option("--yes", is_flag=True, help="Do not ask.")
def resume_strategy(name: str, why: str, *, yes: bool) -> None:
    """Let a strategy trade again that was paused or that failed."""
    house = running_house(standing_house())
    reason = reason_of(why)
    click.echo("\n".join([world_line(house.world), *stops_told(house.run, "engine")]))
    if not yes:
        confirm(f"resume {name} {reason}")
    show_done(asked(house.run, "engine", "resume", (name, reason)))


for _verb in (check, add, reload, set_params, budget, promote, shadow, drop):
    strategy.add_command(_verb)


def _preview_close(house: House, name: str) -> None:
    held = held_by((told_by_engine(house.run) or {}).get(name))
    shown = " ".join(f"{symbol} {qty}" for symbol, qty in held.items()) or "nothing"
    click.echo(f"{world_line(running_house(house).world)}\n  {name} holds {shown}")


def _digests(house: House) -> dict[str, str]:
    from services.engine.sources import offer_of  # noqa: PLC0415 - a word of help needs no numpy

    return {
        name: offer_of(house.root, name, own, ("",)).digest
        for name, own in house.settings.strategy.items()
    }
