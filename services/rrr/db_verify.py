"""`rrr db verify`: is every shard sound, and do the books balance?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.history import histories, history_of, history_world
from bus.house import House
from bus.plain import printable
from bus.wire import socket_path
from services.rrr.books import as_integrity
from services.rrr.db_rebuild import wanted_shards
from services.rrr.journal_files import IntegrityError
from services.rrr.lines import json_text
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress
from services.rrr.screen import table
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

if TYPE_CHECKING:
    from services.writer.proofs import Check
    from services.writer.proofs_run import Examined

MARKET = "market"
HINT = "docs/runbook.md, ShardDamaged, tells what to do; `rrr db rebuild --verify` names the rows"


@click.command("verify")
@click.argument("shards", nargs=-1, metavar="[SHARD]...")
@click.option("--history", is_flag=True, help="Every imported history, too.")
@click.option("--quick", is_flag=True, help="Leave out what reads every page and every archive.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(shards: tuple[str, ...], *, history: bool, quick: bool, as_json: bool) -> None:
    """Check pages, keys, checksums, archives, books and the audit's chain.

    It reads beside a living house and changes nothing. Exits 5 when a check fails. Of the history,
    that of the world's own exchange is checked with the market.
    """
    house = running_house(standing_house())
    imported = histories(house) if history else ()
    named = wanted_shards(house, shards, imported)
    try:
        checks = list(_checks(house, named, imported, quick=quick))
    except HouseError as error:
        raise as_integrity(error) from error
    failed = [one for one in checks if not one.ok]
    with reader_may_leave():
        if as_json:
            found: dict[str, Any] = {"ok": not failed, "checks": msgspec.to_builtins(checks)}
            click.echo(json_text(found))
        else:
            _show(checks)
    if failed:
        names = ", ".join(dict.fromkeys(f"{one.shard} {one.name}" for one in failed))
        raise IntegrityError(f"{len(failed)} of {len(checks)} checks failed: {names}", HINT)


def _checks(
    house: House, named: list[str], imported: tuple[Path, ...], *, quick: bool
) -> "Iterator[Check]":
    from services.writer.proofs_run import shard_checks  # noqa: PLC0415 - help is quick

    clock, looks = SystemClock(), list(_looks(house, named, imported, quick=quick))
    with progress(len(looks)) as advance:
        for shard, at in looks:
            yield from shard_checks(shard, at, clock, lambda what: advance(what, 0))
            advance(shard, 1)


def _looks(
    house: House, named: list[str], imported: tuple[Path, ...], *, quick: bool
) -> "Iterator[tuple[str, Examined]]":
    """Yield where a shard lies: in the world, and of the market in its history, too."""
    from services.writer.backup_orders import target_of  # noqa: PLC0415 - help is quick
    from services.writer.backup_places import place_root  # noqa: PLC0415 - as above
    from services.writer.proofs_run import Examined  # noqa: PLC0415 - as above

    def examined(shard: str, place: Path, world: str) -> tuple[str, Examined]:
        alive = socket_path(house.run, f"writer_{shard}", "ctl").exists()
        backups = place_root(target_of(house), place, world)
        return shard, Examined(place, world, backups, quick, alive)

    for shard in named:
        yield examined(shard, house.world_dir, house.world)
    behind = history_of(house) if MARKET in named else ()
    for place in dict.fromkeys((*behind, *imported)):
        yield examined(MARKET, place, history_world(place.name))


def _show(checks: "list[Check]") -> None:
    rows: list[tuple[str, ...]] = [
        (one.shard, one.name, "ok" if one.ok else "WRONG", printable(one.detail)) for one in checks
    ]
    click.echo("\n".join(table(rows)))
