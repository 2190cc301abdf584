"""What a copy came to: a report in a file, a table on a terminal."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from bus.errors import HouseError
from bus.plain import printable
from schema.units import iso
from services.rrr.pg_copying import Verdict
from services.rrr.pg_tables import Source
from services.rrr.pipes import reader_may_leave
from services.rrr.tables import table
from services.writer.legacy import FILE

REPORT = "legacy.report.json"


class Report(msgspec.Struct, frozen=True):
    """All that is known of a copy when it ends."""

    source: str
    path: str
    at: str
    ok: bool
    rows: int
    quarantined: int
    notes: list[str]
    tables: list[Verdict]


def write_report(place: Path, source: Source, verdicts: Sequence[Verdict], wall_ns: int) -> Report:
    """Write the report whole or not at all, and return it."""
    report = Report(
        *(source.label, str(place / FILE), iso(wall_ns)),
        all(not one.differences for one in verdicts),
        sum(one.rows for one in verdicts),
        sum(one.quarantined for one in verdicts),
        source.notes,
        list(verdicts),
    )
    path, draft = place / REPORT, place / f"{REPORT}.tmp"
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise HouseError(
            f"{path} cannot be written: {error.strerror}", "Free space, and run --verify-only"
        ) from error
    return report


def show(report: Report, place: Path, written: Sequence[str], *, as_json: bool) -> None:
    """Show a report to a person, or to a pipe."""
    with reader_may_leave():
        if as_json:
            found = {**msgspec.to_builtins(report), "commands": list(written)}
            sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
            return
        for line in _lines(report, place, written):
            click.echo(line)


def _lines(report: Report, place: Path, written: Sequence[str]) -> Iterator[str]:
    yield from table([_row(one) for one in report.tables])
    yield ""
    for one in report.tables:
        for column, reason, times in one.reasons:
            where = f"{one.table}.{column}" if column else one.table
            yield f"in quarantine: {printable(where)}: {printable(reason)} ({times:,})"
        for difference in one.differences:
            yield f"DIFFERS: {printable(one.table)}: {printable(difference)}"
    yield from (f"note: {printable(note)}" for note in report.notes)
    verdict = "equals its source" if report.ok else "DIFFERS from its source"
    yield f"{report.rows:,} rows, {report.quarantined:,} of them in quarantine: {verdict}"
    yield f"report: {place / REPORT}"
    yield f"the tables: {report.path}"
    asked = shlex.join(["rrr", "db", "query", f"legacy:{place.name}", "SELECT * FROM column_map"])
    yield f"ask them:   {asked}"
    yield from written


def _row(one: Verdict) -> dict[str, Any]:
    return {
        "table": one.table,
        "rows": one.rows,
        "quarantined": one.quarantined,
        "sampled": one.sampled,
        "hash": one.hash,
        "verdict": "differs" if one.differences else "equal",
    }
