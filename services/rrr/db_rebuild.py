"""`rrr db rebuild`: every row is a fold; here it is folded again and compared."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError
from bus.history import histories, history_of, history_world
from bus.house import House
from bus.lease import Lease
from bus.migrations import KINDS
from bus.rows import shard_files
from services.rrr.books import as_integrity
from services.rrr.journal_files import IntegrityError
from services.rrr.lines import json_text
from services.rrr.pipes import reader_may_leave
from services.rrr.places import position_text
from services.rrr.progress import WHOLE, progress
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, market_clock, running_house

if TYPE_CHECKING:
    from services.writer.rebuild import Tell
    from services.writer.rebuild_compare import Difference
    from services.writer.rebuild_run import Rebuilt

NOWHERE = "nowhere"
SCRATCH = ".rebuild"
WRONG_HINT = "docs/runbook.md, ShardDamaged, tells what to do; --keep leaves both folds to look at"
ROOM_HINT = "Make room there, or name a directory on another volume with --keep"
NOWHERE_HINT = "`rrr db backup` makes a backup to begin with from now on"


@click.command("rebuild")
@click.argument("shards", nargs=-1, metavar="[SHARD]...")
@click.option("--verify", is_flag=True, help="Compare with the live shard, row by row.")
@click.option("--history", is_flag=True, help="Every imported history, too.")
@click.option("--keep", type=FilePath(), help="A new directory for the copy and the new fold.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def rebuild(
    shards: tuple[str, ...], keep: Path | None, *, verify: bool, history: bool, as_json: bool
) -> None:
    """Fold the journals into fresh shards, and compare them with those that live.

    It begins with the first message where the journals still have it, else with the newest proven
    backup; it says which. It reads beside a living house and changes nothing of it. The history of
    the world's own exchange is folded from its imports, with the market.
    """
    if not verify and keep is None:
        raise click.UsageError("say --verify to compare, or --keep DIR to have the new fold")
    house = running_house(standing_house())
    imported = histories(house) if history else ()
    named = wanted_shards(house, shards, imported)
    try:
        done = _rebuild_all(house, named, imported, keep, verify=verify)
    except BusyError as error:
        raise NotReadyError(error.what, error.hint) from error
    except HouseError as error:
        raise as_integrity(error) if error.exit_code not in {3, 5} else error from error
    with reader_may_leave():
        if as_json:
            click.echo(json_text(report(done)))
        else:
            click.echo("\n".join(line for one in done for line in told(one, verify=verify)))
    _require_same(done)


def require_shards(house: House, shards: Sequence[str]) -> list[str]:
    """Return the shards that are meant: those named, or all that have a file."""
    unknown = [shard for shard in shards if shard not in KINDS]
    if unknown:
        known = ", ".join(KINDS)
        raise click.UsageError(f"There is no shard {unknown[0]!r}. The shards are: {known}")
    there = [shard for shard in KINDS if shard_files(house.db_dir, KINDS[shard])]
    missing = [shard for shard in shards if shard not in there]
    if missing or not there:
        raise NotReadyError(
            f"there is no {(missing or ['shard'])[0]} in {house.db_dir} yet",
            "A writer makes its shard with its first rows: `rrr status` shows how it is",
        )
    return list(dict.fromkeys(shards)) or there


def wanted_shards(house: House, shards: Sequence[str], imported: Sequence[Path]) -> list[str]:
    """Return the shards that are meant; none where there is nothing but what was imported."""
    if imported and not shards and not any(house.db_dir.glob("*.db")):
        return []
    return require_shards(house, shards)


def _rebuild_all(
    house: House,
    shards: Sequence[str],
    imported: Sequence[Path],
    keep: Path | None,
    *,
    verify: bool,
) -> "list[Rebuilt]":
    from services.writer.backup_orders import target_of  # noqa: PLC0415 - help is quick
    from services.writer.backup_places import place_root  # noqa: PLC0415 - as above
    from services.writer.rebuild_history import rebuild_history  # noqa: PLC0415 - as above
    from services.writer.rebuild_run import Where  # noqa: PLC0415 - as above
    from services.writer.rebuild_run import rebuild as rebuilt  # noqa: PLC0415 - as above

    market = market_clock(house)
    scale = market.scale if market is not None else house.settings.clock.scale
    backups = place_root(target_of(house), house.world_dir, house.world)
    clock, done = SystemClock(), []
    behind = history_of(house) if "market" in shards else ()
    places = tuple(dict.fromkeys((*behind, *imported)))
    with _scratch(house, keep) as scratch, _telling([*shards, *map(str, places)]) as telling:
        for shard in shards:
            where = Where(house.world_dir, backups, _folder(scratch, shard), scale)
            done.append(rebuilt(shard, where, clock, telling(shard), verify=verify))
            _leave(where.scratch, keep)
        for place in places:
            folder = _folder(scratch, history_world(place.name))
            done.append(rebuild_history(place, folder, clock, telling(str(place))))
            _leave(folder, keep)
    return done


@contextmanager
def _telling(names: Sequence[str]) -> "Iterator[Callable[[str], Tell]]":
    """Show one bar over all that is rebuilt; what each is told is its own share."""
    with progress(WHOLE * len(names)) as advance:

        def telling(name: str) -> "Tell":
            shown = [0]

            def tell(share: float) -> None:
                advance(Path(name).name, max(0, int(WHOLE * share) - shown[0]))
                shown[0] = max(shown[0], int(WHOLE * share))

            return tell

        yield telling


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir(mode=0o700)
    return folder


def _leave(folder: Path, keep: Path | None) -> None:
    if keep is None:
        shutil.rmtree(folder)


@contextmanager
def _scratch(house: House, keep: Path | None) -> Iterator[Path]:
    """Yield an empty directory on the volume of the world, or the one that is to be kept."""
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise click.UsageError(f"{keep} is not empty: name a new directory with --keep")
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield keep.absolute()
        return
    # Where only history is, no world has begun yet, and looking must not begin one.
    base = house.world_dir if house.world_dir.is_dir() else house.world_dir.parent
    folder = base / SCRATCH
    lease = Lease(base / f"{SCRATCH}.lease")
    try:
        taken = lease.take()
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not taken:
        raise NotReadyError(f"another rebuild is under way: {lease.whose()}", "Wait for its end")
    try:
        shutil.rmtree(folder, ignore_errors=True)  # Of one that was killed.
        folder.mkdir(mode=0o700)
        yield folder
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lease.release()


def _unwritable(folder: Path, error: OSError) -> HouseError:
    what = f"the copy for the comparison, {folder}, cannot be written: {error.strerror}"
    return HouseError(what, ROOM_HINT)


def report(done: "Sequence[Rebuilt]") -> dict[str, Any]:
    """Return what was found as one object."""
    found = [{**msgspec.to_builtins(one), "same": one.same} for one in done]
    wrong = any(one.same is False or one.begun == NOWHERE for one in done)
    return {"ok": not wrong, "shards": found}


def told(one: "Rebuilt", *, verify: bool) -> list[str]:
    """Return what was found of one shard, for people."""
    messages = sum(stream.messages for stream in one.streams)
    if one.begun == NOWHERE:
        return [f"{one.shard}: cannot be rebuilt: {one.base}"]
    found = "the same" if one.same else f"{len(one.differences)} tables differ"
    lines = [f"{one.shard}: {found if verify else 'folded'}; {messages} messages from {_from(one)}"]
    for stream in one.streams:
        if stream.last:
            where = f"{position_text(stream.first)} to {position_text(stream.last)}"
            lines.append(
                f"    {stream.stream}  {where}  {stream.messages} messages, "
                f"retained from {stream.retained_from or 'nowhere'}"
            )
    if verify:
        rows = sum(one.rows.values())
        beyond = f"; {one.beyond} rows from before are not compared" if one.beyond else ""
        lines.append(f"    {rows} rows in {len(one.rows)} tables and series{beyond}")
    return [*lines, *(line for wrong in one.differences for line in _difference(wrong))]


def _from(one: "Rebuilt") -> str:
    return f"{one.begun} {one.base}" if one.base else one.begun


def _difference(wrong: "Difference") -> list[str]:
    counts = f"{wrong.live_rows} rows live, {wrong.fold_rows} in the fold"
    lines = [f"    {wrong.file} {wrong.table} differs: {counts}"]
    lines += [f"        live only: {json_text(row)}" for row in wrong.only_live]
    return [*lines, *(f"        fold only: {json_text(row)}" for row in wrong.only_fold)]


def _require_same(done: "Sequence[Rebuilt]") -> None:
    wrong = [one.shard for one in done if one.same is False]
    if wrong:
        raise IntegrityError(f"{', '.join(wrong)}: not what the journals say", WRONG_HINT)
    unknown = [one.shard for one in done if one.begun == NOWHERE]
    if unknown:
        raise NotReadyError(f"{', '.join(unknown)}: nothing to rebuild from", NOWHERE_HINT)
