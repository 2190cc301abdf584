"""`rrr bus journal repair`: what a start does to a torn tail; what a person decides about damage.

Nothing is renumbered. What damage took stays missing, and stops whoever has not read it, until a
person accepts exactly this hole.
"""

import getpass
import re
from contextlib import AbstractContextManager, closing

import click

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.holes import Accepted, Gap, Repairs, keep_repairs, place, repairs
from bus.house import House
from bus.journal import open_reader
from bus.log import Log
from bus.mend import cut_tear
from bus.plain import printable
from bus.salvage import Report, examine, holes, salvage
from services.rrr.journal_files import IntegrityError, Journal, instead_of, journal_named
from services.rrr.pipes import reader_may_leave
from services.rrr.places import read_position
from services.rrr.resume import confirm, reason_of
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

_span = re.compile(r"([0-9:]+)-([0-9:]+)")


@click.command("repair")
@click.argument("name", metavar="STREAM")
@click.option("--salvage", "salvaging", is_flag=True, help="Cut out damage, and keep all else.")
@click.option("--accept-hole", "hole", metavar="FROM-TO", help="Let every reader pass this hole.")
@click.option("--why", default="", help="Why the hole is accepted, for the audit.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def repair(
    name: str, hole: str | None, why: str, *, salvaging: bool, dry_run: bool, yes: bool
) -> None:
    """Cut the torn tail of STREAM, as a start would; --salvage cuts damage out of its middle.

    The owner must not run. A copy of each segment that is touched stays beside it, and what is
    missing afterwards stops whoever needs it, until --accept-hole.
    """
    if salvaging and hole is not None:
        raise click.UsageError("--salvage and --accept-hole are two steps; do one after the other")
    house = running_house(standing_house())
    journal = journal_named(house, name)
    if hole is not None:
        _accept(house, journal, _gap(hole), why, dry_run=dry_run, yes=yes)
        return
    with _stopped(house, journal):
        _repair(house, journal, salvaging=salvaging, dry_run=dry_run, yes=yes)


def _repair(house: House, journal: Journal, *, salvaging: bool, dry_run: bool, yes: bool) -> None:
    report = examine(journal.directory, journal.stream)
    _preview(report)
    if report.hit and not salvaging:
        raise IntegrityError(
            f"{journal.stream.name} is damaged in its middle; nothing was changed",
            "Copy the journal away, then cut the damage out: "
            f"`rrr bus journal repair {journal.stream.name} --salvage`",
        )
    if dry_run or not (report.hit or report.torn_bytes):
        some = report.hit or report.torn_bytes
        click.echo("nothing was changed" if some else "there is nothing to repair")
        return
    if report.hit:
        if not yes:
            confirm(f"cut damage out of {len(report.hit)} segments", "salvage")
        touched = salvage(journal.directory, journal.stream, SystemClock())
        _audit(house, "journal_salvaged", journal, segments=[path.name for path in touched])
    if report.torn_bytes:
        cut_tear(journal.directory, journal.stream)
    click.echo(f"done: all that was cut, and each segment as it was, lies in {journal.directory}")


def _preview(report: Report) -> None:
    with reader_may_leave():
        for one in report.hit:
            click.echo(f"{one.path}: {one.records} records stay")
            for line in one.told:
                click.echo(f"  {line}")
        for first, last in report.missing:
            click.echo(f"missing: {first} to {last} ({place(first)} to {place(last)})")
        if report.torn_bytes:
            click.echo(f"torn tail: {report.torn_bytes} bytes, which go to a .torn file")


def _accept(
    house: House, journal: Journal, gap: Gap, why: str, *, dry_run: bool, yes: bool
) -> None:
    stream, directory = journal.stream, journal.directory
    if stream.durability not in "AB":
        raise click.UsageError(f"{stream.name} is of class C: its readers pass holes, and count")
    decided, reason = repairs(directory), reason_of(why)
    _require_hole(journal, gap)
    if decided.accept(*gap):
        click.echo("it is accepted already")
        return
    first, last = gap
    click.echo(
        f"{stream.name}: {first} to {last} ({place(first)} to {place(last)}) are gone; every "
        "reader will go on without them, books and shards too"
    )
    if dry_run:
        click.echo("nothing was changed")
        return
    if not yes:
        confirm(f"let every reader of {stream.name} pass this hole", "accept")
    one = Accepted(first, last, getpass.getuser(), reason, SystemClock().wall_ns())
    keep_repairs(directory, Repairs(decided.salvaged, (*decided.accepted, one)))
    _audit(house, "hole_accepted", journal, first=first, last=last, why=reason)
    click.echo("accepted; start again who stopped at it: `rrr status` names them")


def _require_hole(journal: Journal, gap: Gap) -> None:
    with closing(open_reader(journal.directory, journal.stream)) as reader:
        there, front = list(holes(reader)), reader.first() - 1
    taken = gap[0] <= gap[1] == front  # Gone from the old end, before somebody had read it.
    if not taken and gap not in there:
        known = ", ".join(f"{first}-{last}" for first, last in there) or "none"
        raise HouseError(
            f"{journal.stream.name} has no hole {gap[0]}-{gap[1]}",
            f"Its holes are: {known}; and what went from its old end, FROM-{front}",
        )


def _gap(text: str) -> Gap:
    found = _span.fullmatch(text)
    if found is None:
        raise click.UsageError(f"no hole {text!r}; expected FROM-TO, two positions")
    return read_position(found[1]), read_position(found[2])


def _stopped(house: House, journal: Journal) -> AbstractContextManager[None]:
    owner = journal.stream.owner

    def busy(pid: str) -> HouseError:
        return HouseError(
            f"{owner}, which writes {journal.stream.name}, runs as process {pid}",
            f"Stop it first: `supervisorctl stop {owner}`; it repairs its own tail at its start",
        )

    return instead_of(house, owner, busy)


def _audit(house: House, event: str, journal: Journal, **fields: object) -> None:
    limits = house.settings.log
    sizes = (limits.file_mib << 20, limits.files)
    log = Log(house.log_dir, "rrr", house.world, SystemClock(), sizes)
    by = printable(getpass.getuser())
    log.event(event, kind="audit", stream=journal.stream.name, by=by, **fields)
    log.close()
