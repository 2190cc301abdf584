"""`rrr bus journal verify`: is every record what was written, and is none missing?"""

from typing import Any

import click
import msgspec

from bus.audit import Audit, audit
from bus.errors import HouseError
from bus.plain import printable
from services.rrr.journal_files import IntegrityError, Journal, journals_named
from services.rrr.pipes import reader_may_leave
from services.rrr.places import position_text
from services.rrr.progress import Passed, progress_over
from services.rrr.screen import mebibytes, table
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

PROBLEMS_SHOWN = 10


@click.command("verify")
@click.argument("names", metavar="[STREAM...]", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Tell all that is wrong, however much it is.")
@click.option("-J", "--json", "json_lines", is_flag=True, help="One JSON object a line.")
def verify(names: tuple[str, ...], *, every: bool, json_lines: bool) -> None:
    """Prove all journals or some: checksums, order, epochs and the chain of hashes.

    It reads beside a living house and changes nothing. Exits 5 when anything is wrong.
    """
    house = running_house(standing_house())
    found = journals_named(house, names)
    with progress_over(sum(one.size for one in found), "verifying") as passed:
        audits = [(one, _audit(one, passed)) for one in found]
    with reader_may_leave():
        if json_lines:
            for one, done in audits:
                click.echo(msgspec.json.encode(_row(one, done)).decode())
        else:
            _show(audits, PROBLEMS_SHOWN if not every else None)
            if not audits:
                click.echo(f"no journal in {house.journal_dir}")
    wrong = [one.stream.name for one, done in audits if done.problems]
    if wrong:
        raise IntegrityError(
            f"{' '.join(wrong)}: not what was written, or not all of it",
            "docs/runbook.md, JournalDamaged and JournalHole, tells what to do",
        )


def _audit(journal: Journal, passed: Passed) -> Audit:
    try:
        return audit(journal.directory, journal.stream, passed)
    except HouseError as error:
        return Audit(problems=[error.what])


def _show(audits: list[tuple[Journal, Audit]], limit: int | None) -> None:
    rows: list[tuple[str, ...]] = [
        (one.stream.name, _word(done), _told(done)) for one, done in audits
    ]
    lines = table(rows) if rows else []
    for (_, done), line in zip(audits, lines, strict=True):
        click.echo(line)
        for problem in done.problems[:limit]:
            click.echo(f"  {printable(problem)}")
        more = len(done.problems[limit:]) if limit is not None else 0
        if more:
            click.echo(f"  and {more} more: --all tells them")


def _word(done: Audit) -> str:
    if not done.problems:
        return "sound"
    return f"{len(done.problems)} problem{'s' * (len(done.problems) > 1)}"


def _told(done: Audit) -> str:
    counted = (
        f"{done.segments} segments, {done.epochs} epochs, {done.records} records, "
        f"{done.messages} messages, {mebibytes(done.size)}"
    )
    if done.last:
        counted += f", {position_text(done.first)} to {position_text(done.last)}"
    notes = {
        "holes accepted": done.accepted,
        "tails lost by a power cut": done.ahead,
        "bytes torn at the end": done.torn_bytes,
    }
    return counted + "".join(f", {count} {what}" for what, count in notes.items() if count)


def _row(journal: Journal, done: Audit) -> dict[str, Any]:
    return {
        "stream": journal.stream.name,
        "sound": not done.problems,
        "segments": done.segments,
        "epochs": done.epochs,
        "records": done.records,
        "messages": done.messages,
        "bytes": done.size,
        "first": done.first,
        "last": done.last,
        "torn_bytes": done.torn_bytes,
        "ahead": done.ahead,
        "holes_accepted": done.accepted,
        "problems": done.problems,
    }
