"""`rrr audit`: do all books of the account say the same, and was every law of an order kept?"""

import click
import msgspec

from bus.archive import bases
from bus.clock import SystemClock
from bus.house import House
from bus.plain import printable
from schema.streams import STREAMS
from services.rrr.audit_read import PATH
from services.rrr.audit_run import Check, Report, run
from services.rrr.digging import directory_of
from services.rrr.journal_files import IntegrityError, Journal
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress_over
from services.rrr.screen import table, world_line
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError, running_house

SHOWN = 10


@click.command()
@click.option("--running", is_flag=True, help="A service that does not run is a difference.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(*, running: bool, as_json: bool) -> None:
    """Fold all journals anew and compare: engine, risk, gateway, shard and venue.

    It reads beside a living house or of one that is down, and changes nothing.
    Exits 5 at a difference, 3 when somebody never stood still long enough to be compared.
    """
    house = running_house(standing_house())
    with progress_over(2 * _size(house), "folding") as passed:
        report = run(house, SystemClock(), passed, running=running)
    with reader_may_leave():
        click.echo(_as_json(report) if as_json else "\n".join(_lines(house, report)))
    _judge(report)


def _size(house: House) -> int:
    journals = [Journal(STREAMS[n], directory_of(house.journal_dir, STREAMS[n])) for n in PATH]
    return sum(one.size for one in journals if bases(one.directory))


def _as_json(report: Report) -> str:
    checks = [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in report.checks]
    return msgspec.json.encode({"ok": report.ok, "checks": checks}).decode()


def _lines(house: House, report: Report) -> list[str]:
    rows: list[tuple[str, ...]] = [(one.name, "ok" if one.ok else "DIFFERS", _remark(report, one))
            for one in report.checks]  # fmt: skip
    lines = [world_line(house.world)]
    for one, line in zip(report.checks, table(rows), strict=True):
        lines.append(line)
        faults = report.faults.get(one.name, [])
        lines += [f"  {printable(fault)}" for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            lines.append(f"  and {len(faults) - SHOWN} more; --json tells more of them")
    return lines


def _remark(report: Report, one: Check) -> str:
    faults = report.faults.get(one.name, [])
    return one.detail if one.ok else f"{len(faults)} difference{'s' * (len(faults) != 1)}"


def _judge(report: Report) -> None:
    wrong = [one.name for one in report.checks if not one.ok and one.name not in report.behind]
    if wrong:
        raise IntegrityError(
            f"{', '.join(wrong)}: not as it has to be",
            "Stop trading (`rrr kill WHY`), then look at docs/runbook.md, BooksDiffer",
        )
    if report.behind:
        raise NotReadyError(
            f"{' '.join(report.behind)} never stood still long enough to be compared",
            "Ask again in a moment; `rrr bus lag` shows who is behind",
        )
