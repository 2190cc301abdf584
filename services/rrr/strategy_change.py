"""`rrr strategy add`, `reload`, `set`, `budget`, `promote`, `shadow` and `drop`.

Each shows what would change, asks, writes it into settings.local.toml and tells the engine; the
other strategies never stop.
"""

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.errors import HouseError
from bus.house import House, open_house
from bus.settings import SHIPPED
from schema.strategy import Scalar
from services.rrr.asking import asked
from services.rrr.resume import confirm, reason_of
from services.rrr.screen import world_line
from services.rrr.strategy_rows import Row, held_by, told_by_engine
from services.rrr.strategy_settings import drop as drop_table
from services.rrr.strategy_settings import put
from services.rrr.survey import running_house

if TYPE_CHECKING:
    from services.rrr.strategy_wish import Changes

BUDGET = 1000.0
YES = click.option("--yes", is_flag=True, help="Do not ask.")
OLD_RUNS = "The old one runs on, and the settings are as they were"
NOTHING = "Nothing was changed, and the settings are as they were"


@click.command()
@click.argument("file")
@click.option("--name", help="Its name; without it that of the file.")
@click.option("--budget", type=click.FloatRange(0, min_open=True), help="Quote money, 1000.")
@click.option("--symbols", metavar="LIST", help="e.g. BTC/USDT,ETH/USDT; without it all.")
@click.option("--shadow", "as_shadow", is_flag=True, help="It decides, and orders nothing.")
@click.option("--short", is_flag=True, help="It may sell what the account holds beside.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A parameter.")
@click.option("--why", default="by hand", show_default=True, help="The reason, for the audit.")
@YES
def add(
    file: str,
    name: str | None,
    budget: float | None,
    symbols: str | None,
    *,
    as_shadow: bool,
    short: bool,
    sets: tuple[str, ...],
    why: str,
    yes: bool,
) -> None:
    """Let the strategy in FILE run, or one that the settings name already."""
    house = _house()
    changes: dict[str, Scalar | tuple[str, ...]] = {}
    if not _is_file(file):
        name = name or file
        mode = _known(house, name)
        changes["mode"] = "shadow" if as_shadow or mode == "shadow" else "trade"
    else:
        name = name or Path(file).stem.lower()
        _require_new(house, name)
        changes |= {"file": _placed(house, file), "budget": budget or BUDGET}
        changes["mode"] = "shadow" if as_shadow else "trade"
    if budget is not None:
        changes["budget"] = budget
    if symbols:
        changes["symbols"] = tuple(symbols.upper().split(","))
    if short:
        changes["short"] = True
    changes |= _params(sets)
    _carry(house, name, changes, ("add", why), yes=yes, refused=NOTHING)


@click.command()
@click.argument("name")
@click.argument("why", default="by hand")
@YES
def reload(name: str, why: str, *, yes: bool) -> None:
    """Read file and settings of a strategy again; it keeps its position and what it remembers."""
    house = _house()
    if _known(house, name) == "off":
        raise HouseError(f"`strategy.{name}.mode` is off", f"Add it: rrr strategy add {name}")
    _carry(house, name, {}, ("reload", why), yes=yes, refused=OLD_RUNS)


@click.command("set")
@click.argument("name")
@click.argument("words", metavar="PARAM=VALUE ... WHY", nargs=-1, required=True)
@YES
def set_params(name: str, words: tuple[str, ...], *, yes: bool) -> None:
    """Change parameters; while it holds a position those alone that are marked `live`."""
    house = _house()
    _known(house, name)
    sets, rest = [word for word in words if _is_set(word)], [w for w in words if not _is_set(w)]
    if not sets or len(rest) != 1:
        raise click.UsageError(f'expected `rrr strategy set {name} fast=12 "why"`')
    _carry(house, name, _params(sets), ("set", rest[0]), yes=yes, refused=OLD_RUNS)


@click.command()
@click.argument("name")
@click.argument("amount", type=click.FloatRange(0, min_open=True))
@click.argument("why")
@YES
def budget(name: str, amount: float, why: str, *, yes: bool) -> None:
    """Change the quote money that a strategy trades with."""
    house = _house()
    _known(house, name)
    _carry(house, name, {"budget": amount}, ("budget", why), yes=yes, refused=OLD_RUNS)


@click.command()
@click.argument("name")
@click.argument("why")
@YES
def promote(name: str, why: str, *, yes: bool) -> None:
    """Let a shadow trade."""
    house = _house()
    if _known(house, name) != "shadow":
        raise HouseError(
            f"{name} is no shadow: `strategy.{name}.mode` is {_known(house, name)}",
            f"`rrr strategy add {name}` lets one run that is off",
        )
    _carry(house, name, {"mode": "trade"}, ("promote", why), yes=yes, refused=OLD_RUNS)


@click.command()
@click.argument("name")
@click.argument("why")
@YES
def shadow(name: str, why: str, *, yes: bool) -> None:
    """Let a strategy decide and order nothing; refused while it holds a position."""
    house = _house()
    _known(house, name)
    _carry(house, name, {"mode": "shadow"}, ("shadow", why), yes=yes, refused=OLD_RUNS)


@click.command()
@click.argument("name")
@click.argument("why")
@YES
def drop(name: str, why: str, *, yes: bool) -> None:
    """Let a strategy run no more; its file stays where it is."""
    from services.rrr.strategy_wish import put_back  # noqa: PLC0415 - a word of help needs no numpy

    house, reason = _house(), reason_of(why)
    told = told_by_engine(house.run)
    row = (told or {}).get(name)
    if row is None:
        _known(house, name)
    shipped = name in _shipped(house)
    _show(house, [f"  {name} runs no more: {_leaving(name, shipped=shipped)}", *_kept(name, row)])
    if not yes:
        confirm(f"drop {name}", "drop")
    with put_back(house.root):
        if shipped:
            put(house.root, name, {"mode": "off"})
        else:
            drop_table(house.root, name)
        if row is not None:
            done = asked(house.run, "engine", "retire", (name, reason))
            if not done.ok:
                raise HouseError(f"the engine refused it: {done.text}", NOTHING)
    click.echo(f"{name} is dropped")


def _leaving(name: str, *, shipped: bool) -> str:
    where = f"[strategy.{name}]"
    return f"{where} gets mode = off" if shipped else f"{where} leaves settings.local.toml"


def _kept(name: str, row: Row | None) -> list[str]:
    held = held_by(row)
    if not held:
        return []
    shown = " ".join(f"{symbol} {qty}" for symbol, qty in held.items())
    out = f'rrr strategy pause {name} "why" --close'
    return [f"  it holds {shown}: the stop stays, and nobody else sells it. First: {out}"]


def _carry(
    house: House, name: str, changes: "Changes", said: tuple[str, str], *, yes: bool, refused: str
) -> None:
    from services.rrr.strategy_wish import carry_out, preview, wish_of  # noqa: PLC0415 - as above

    verb, reason = said[0], reason_of(said[1])
    wish = wish_of(house, name, changes)
    told = told_by_engine(house.run)
    row = (told or {}).get(name)
    if verb == "set":
        _require_live(name, wish.loaded.live, changes, row)
    if row is None and told is not None and verb in {"reload", "set", "budget", "shadow"}:
        _require_wanted(house, name)
    _show(house, preview(house, wish, row, whole=verb == "promote"))
    if not yes:
        confirm(f"{verb} {name}", verb)
    click.echo(carry_out(house, wish, reason, refused))


def _require_live(name: str, live: tuple[str, ...], changes: "Changes", row: Row | None) -> None:
    held = held_by(row)
    for key in changes:
        param = key.removeprefix("params.")
        if held and param not in live:
            marked = " ".join(live) or "none"
            raise HouseError(
                f"parameter `{param}` is not live, and {name} holds {' '.join(held)}: "
                f"live are {marked}",
                f'First `rrr strategy pause {name} "why" --close`, or mark it `# live` and reload',
            )


def _require_wanted(house: House, name: str) -> None:
    if house.settings.strategy[name].mode == "off":
        raise HouseError(f"{name} does not run", f"Let it run: rrr strategy add {name}")


def _house() -> House:
    return running_house(open_house())


def _show(house: House, lines: list[str]) -> None:
    click.echo("\n".join([world_line(house.world), *lines]))


def _known(house: House, name: str) -> str:
    """Return the mode of a strategy that the settings name."""
    from services.rrr.strategy_wish import known_name  # noqa: PLC0415 - as above

    return known_name(house, name).mode


def _require_new(house: House, name: str) -> None:
    if name in house.settings.strategy:
        raise HouseError(
            f"a strategy is named {name!r} already",
            f"Choose another one with --name, or: rrr strategy reload {name}, "
            f"rrr strategy add {name}",
        )


def _is_file(word: str) -> bool:
    return word.endswith(".py") or "/" in word


def _placed(house: House, file: str) -> str:
    path = Path(file).expanduser()
    place = path if path.is_absolute() else Path.cwd() / path
    if not place.exists() and not path.is_absolute():
        place = house.root / path
    resolved = Path(os.path.realpath(place))
    root = house.root.resolve()
    return str(resolved.relative_to(root) if resolved.is_relative_to(root) else resolved)


def _shipped(house: House) -> frozenset[str]:
    data = tomllib.loads((house.root / SHIPPED).read_text("utf-8"))
    return frozenset(data.get("strategy", {}))


def _is_set(word: str) -> bool:
    return word.partition("=")[0].isidentifier() and "=" in word


def _params(sets: "tuple[str, ...] | list[str]") -> dict[str, Scalar | tuple[str, ...]]:
    for text in sets:
        if not _is_set(text):
            raise click.UsageError(f"--set is {text!r}; expected NAME=VALUE, as fast=12")
    split = (text.partition("=") for text in sets)
    return {f"params.{name}": _scalar(value) for name, _, value in split}


def _scalar(text: str) -> Scalar:
    try:
        found = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return found if isinstance(found, bool | int | float | str) else text
