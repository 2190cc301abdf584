"""`rrr db restore`: backups back into a new directory, never over what lives."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError
from bus.history import exchange_of, history_place
from bus.house import House
from bus.month_names import PREFIX, archive_dir
from schema.units import iso
from services.rrr.books import as_integrity
from services.rrr.db_backup import require_shards
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress_of
from services.rrr.screen import mebibytes
from services.rrr.spans import FilePath, moment_ns
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, market_clock, running_house

if TYPE_CHECKING:
    from services.writer.restore import Restored, Wanted


@click.command("restore")
@click.argument("shards", nargs=-1, metavar="[SHARD]...")
@click.option("--to", required=True, type=FilePath(), help="A new or an empty directory.")
@click.option("--from", "source", type=FilePath(), help="A backup, a folder of them, or a bundle.")
@click.option("--at", help="As of a UTC time of your clock: ISO, or @-2h.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def restore(
    shards: tuple[str, ...], to: Path, source: Path | None, at: str | None, *, as_json: bool
) -> None:
    """Put the newest proven backups into a new directory, and say how to put them into place.

    With --at it is the last backup before that time, and what the journals hold up to it.
    """
    require_shards(shards)
    clock = SystemClock()
    at_ns = None if at is None else moment_ns(at, clock.wall_ns())
    if at_ns is not None and at_ns > clock.wall_ns():
        raise click.UsageError(f"{at} is not over yet; leave --at away for the newest")
    house = running_house(standing_house())
    try:
        wanted = _wanted(house, shards, to.absolute(), source, at_ns)
        done = _restore(house, wanted)
    except BusyError as error:
        raise NotReadyError(error.what, error.hint) from error
    except HouseError as error:
        raise as_integrity(error) if error.exit_code not in {3, 5} else error from error
    with reader_may_leave():
        _show(house, done, as_json=as_json)


def _wanted(
    house: House, shards: Sequence[str], to: Path, source: Path | None, at_ns: int | None
) -> "Wanted":
    from services.writer.backup_orders import target_of  # noqa: PLC0415 - help is quick
    from services.writer.backup_places import place_root  # noqa: PLC0415 - as above
    from services.writer.restore import Wanted  # noqa: PLC0415 - as above

    own = place_root(target_of(house), house.world_dir, house.world)
    return Wanted(
        source=own if source is None else source.absolute(),
        to=to,
        world=house.world,
        shards=tuple(shards),
        at_ns=at_ns,
        now_ns=SystemClock().wall_ns() if source is None else None,
        forbidden=(house.db_dir, house.journal_dir, house.world_dir / "archive"),
        journals=house.journal_dir,
    )


def _restore(house: House, wanted: "Wanted") -> "Restored":
    from services.writer.restore import restore as put_back  # noqa: PLC0415 - as above

    with progress_of(f"to {wanted.to.name}") as tell:
        return put_back(wanted, tell, _folding(house))


def _folding(house: House) -> "Callable[[Path, int, Any], str]":
    clock = SystemClock(market_clock(house))
    if clock.market is None:  # The house is down; its market ran at this speed.
        clock.scale = house.settings.clock.scale

    def fold(db_dir: Path, until_ns: int, tell: Callable[[float], None]) -> str:
        from services.writer.rebuild import fold_onto  # noqa: PLC0415 - as above

        done = fold_onto(db_dir, house.journal_dir, until_ns, clock, tell)
        return f"{done.messages} messages folded, up to {iso(until_ns)}"

    return fold


def _show(house: House, done: "Restored", *, as_json: bool) -> None:
    commands = _commands(house, done)
    if as_json:
        click.echo(msgspec.json.encode(_report(done, commands)).decode())
        return
    for one in done.shards:
        taken = f"{iso(one.wall_ns)[:19]}Z"
        click.echo(f"{one.file}: {mebibytes(one.bytes)} as of {taken}, proven again")
        for name, pos in sorted(done.positions[one.file].items()):
            click.echo(f"    {name} up to {pos}")
    for name in done.archives:
        click.echo(f"archive: {name}")
    if done.folded:
        click.echo(f"journals: {done.folded}")
    if done.missing:
        click.echo("Beyond what the journals still hold:")
        for line in done.missing:
            click.echo(f"    {line}")
    click.echo(f"Restored to {done.to}. Nothing of the house was changed. To look into it:")
    asked = shlex.join(["rrr", "db", "query", done.shards[0].shard, "SELECT …", "--in", done.to])
    click.echo(f"    {asked}")
    click.echo("To put it into place:")
    for line in commands:
        click.echo(f"    {line}")


def _report(done: "Restored", commands: Sequence[str]) -> dict[str, Any]:
    return {
        "to": done.to,
        "world": done.world,
        "shards": [
            {
                "file": one.file,
                "shard": one.shard,
                "backup": one.name.text,
                "taken": iso(one.wall_ns),
                "verified": one.verified_at,
                "bytes": one.bytes,
                "rows": sum(content.rows for content in one.contents.values()),
                "positions": done.positions[one.file],
            }
            for one in done.shards
        ],
        "archives": done.archives,
        "folded": done.folded,
        "missing": done.missing,
        "commands": list(commands),
    }


def _commands(house: House, done: "Restored") -> list[str]:
    """Return what a person types to let the house live with what was restored."""
    exchange = exchange_of(done.world)
    own = history_place(house, exchange) if exchange else house.world_dir
    to, away = Path(done.to), own / f"before-{Path(done.to).name}"
    quote = shlex.quote
    patterns = sorted({_pattern(one.shard) for one in done.shards})
    live = quote(str(own / "db"))
    found = ["rrr down", f"mkdir -p {quote(str(away))} {live}"]
    # A shell stops at a pattern that fits nothing, as where the shard itself is lost.
    there = [pattern for pattern in patterns if any((own / "db").glob(pattern))]
    found += [f"mv {live}/{pattern} {quote(str(away))}/" for pattern in there]
    found.append(f"mv {quote(str(to / 'db'))}/*.db {live}/")
    if done.archives:
        target = archive_dir(own)
        found.append(f"mkdir -p {quote(str(target))}")
        found.append(f"cp -pn {quote(str(archive_dir(to)))}/* {quote(str(target))}/")
    return [*found, "rrr up"]


def _pattern(shard: str) -> str:
    return f"{PREFIX}*.db*" if shard == "market" else f"{shard}.db*"
