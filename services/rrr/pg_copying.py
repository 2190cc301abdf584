"""Copies tables batch by batch, and compares what is kept with its source.

What a batch brings and how far the table is are committed together, so that a death at any moment
costs one batch: whoever runs the same command again goes on behind the last one.
"""

import json
from collections.abc import Callable, Iterator, Sequence

import msgspec

from services.rrr.pg_lines import columns_of
from services.rrr.pg_tables import Batch, Source, Table, key_text
from services.rrr.pg_totals import (
    Converted,
    Span,
    Texts,
    Totals,
    added_up,
    converted,
    differences,
    merged,
    written,
)
from services.rrr.pg_values import Keeping
from services.writer.legacy import Legacy, Refused, State
from services.writer.legacy_tables import LegacyTable

SAMPLE_EACH = 1000
READ_ROWS = 2000  # Long rows are as many: a piece of them has to fit into memory.
WRONG_SHOWN = 5

Progress = Callable[[int], None]
"""Is told how many rows more were done."""

_sums = msgspec.json.Decoder(dict[str, Span])


class Job(msgspec.Struct, frozen=True):
    """One table: what the source says of it, what it is here, and how its values are kept."""

    table: Table
    made: LegacyTable
    keepings: list[Keeping]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.table.columns]


class Verdict(msgspec.Struct, frozen=True):
    """What became of one table."""

    table: str
    legacy_table: str
    rows: int
    quarantined: int
    sampled: int
    hash: str
    columns: dict[str, Span]
    reasons: list[tuple[str, str, int]]
    differences: list[str]


def copy_table(source: Source, legacy: Legacy, job: Job, progress: Progress) -> State:
    """Bring a table over, or the rest of it; return how far it is: whole."""
    state = legacy.state(job.table.name)
    if state.done:
        return state
    if state.rows and not source.resumes(job.table):
        legacy.restart(job.made)
        state = State(job.table.name)
    progress(state.rows)
    for batch in source.batches(job.table, state.last_key, state.rows):
        state = _keep(legacy, job, batch, state)
        progress(len(batch.lines))
    legacy.finish(state)
    return legacy.state(job.table.name)


def totals_so_far(state: State) -> Totals:
    """Return what was added up while a table was copied."""
    return Totals(state.rows, state.hash, _sums.decode(state.sums))


def _keep(legacy: Legacy, job: Job, batch: Batch, state: State) -> State:
    texts = columns_of(batch.lines, len(job.keepings), job.table.name)
    columns = _converted(job, texts)
    totals = merged(
        job.names,
        job.keepings,
        [totals_so_far(state), added_up(job.names, job.keepings, columns)],
    )
    unfit = sorted({nth for column in columns for nth in column.unfit})
    refused = [one for nth in unfit for one in _refused(job, texts, columns, nth, state.rows)]
    rows = list(zip(*(column.values for column in columns), strict=True))
    kept = _without(range(len(rows)), unfit)

    def refuse(nth: int, why: str) -> Refused:
        return _record(job, texts, columns, kept[nth], state.rows, ("", None, why))

    def after(clashes: int) -> State:
        quarantined = state.quarantined + len(unfit) + clashes
        sums = msgspec.json.encode(totals.columns).decode()
        key = (batch.last_key, totals.rows, quarantined, sums, totals.hash)
        return State(job.table.name, *key)

    return legacy.keep(job.made, [rows[nth] for nth in kept], refused, refuse, after)


def _without(numbers: Sequence[int], some: Sequence[int]) -> Sequence[int]:
    if not some:
        return numbers
    left_out = frozenset(some)
    return [number for number in numbers if number not in left_out]


def _converted(job: Job, texts: Sequence[Texts]) -> list[Converted]:
    return [converted(keeping, column) for keeping, column in zip(job.keepings, texts, strict=True)]


def _refused(
    job: Job, texts: Sequence[Texts], columns: Sequence[Converted], nth: int, before: int
) -> Iterator[Refused]:
    for name, text, column in zip(job.names, texts, columns, strict=True):
        if nth in column.unfit:
            what = (name, text[nth], column.unfit[nth])
            yield _record(job, texts, columns, nth, before, what)


def _record(
    job: Job,
    texts: Sequence[Texts],
    columns: Sequence[Converted],
    nth: int,
    before: int,
    what: tuple[str, str | None, str],
) -> Refused:
    """Return the record of a row of a batch: `what` is the column, its text, and the reason."""
    column, value, reason = what
    fields = [text[nth] for text in texts]
    return Refused(
        before + nth + 1,
        key_text(job.table, [_named(*one, nth) for one in zip(job.keepings, columns, strict=True)]),
        column,
        None if value is None else value.encode("utf-8", "backslashreplace").decode(),
        reason,
        json.dumps(dict(zip(job.names, fields, strict=True))),
    )


def _named(keeping: Keeping, column: Converted, nth: int) -> str | None:
    # The canonical text, whichever zone a moment was written in; of a double nobody reads its bits.
    value = column.values[nth]
    return repr(value) if keeping.stat == "real" else column.texts[nth]


def verified(source: Source, legacy: Legacy, job: Job, expected: Totals | None) -> Verdict:
    """Read a table back and compare it with its source, or with what was `expected` of it."""
    state = legacy.state(job.table.name)
    there = source.totals(job.table, job.keepings) or expected or _read_again(source, job)
    found, sample = _read_back(legacy, job)
    wrong = differences(there, found)
    wrong += _sampled(source, job, sample)
    if not state.done:
        wrong.append("its copy is not whole yet")
    return Verdict(
        *(job.table.name, job.made.legacy, found.rows, state.quarantined, len(sample)),
        f"{found.hash:016x}",
        found.columns,
        legacy.reasons(job.table.name),
        wrong,
    )


def _read_back(legacy: Legacy, job: Job) -> tuple[Totals, list[list[str | None]]]:
    """Return what is in the file, added up, and one row of a thousand as canonical texts."""
    totals: list[Totals] = [Totals()]
    sample: list[list[str | None]] = []
    done = 0
    for batch in legacy.rows(job.made, READ_ROWS):
        pairs = zip(job.keepings, zip(*batch, strict=True), strict=True)
        columns = [written(keeping, values) for keeping, values in pairs]
        totals.append(added_up(job.names, job.keepings, columns))
        sampled = range(-done % SAMPLE_EACH, len(batch), SAMPLE_EACH)
        sample += [[column.texts[nth] for column in columns] for nth in sampled]
        done += len(batch)
    for rows in legacy.refused_rows(job.made, READ_ROWS):
        columns = _converted(job, list(zip(*rows, strict=True)))
        totals.append(added_up(job.names, job.keepings, columns))
    return merged(job.names, job.keepings, totals), sample


def _read_again(source: Source, job: Job) -> Totals:
    """Return what the lines of a source come to."""
    totals = [Totals()]
    for batch in source.batches(job.table, "", 0):
        texts = columns_of(batch.lines, len(job.keepings), job.table.name)
        totals.append(added_up(job.names, job.keepings, _converted(job, texts)))
    return merged(job.names, job.keepings, totals)


def _sampled(source: Source, job: Job, sample: Sequence[Sequence[str | None]]) -> list[str]:
    keyed = {column.name for column in job.table.key}
    pairs = zip(job.names, job.keepings, strict=True)
    if not keyed or any(one.stat == "real" for name, one in pairs if name in keyed):
        return []  # Bits are compared, and no key is found by its bits.
    wrong = source.same_rows(job.table, job.keepings, sample)
    shown = [f"the row {key} is otherwise at the source" for key in wrong[:WRONG_SHOWN]]
    more = len(wrong) - len(shown)
    return [*shown, f"and {more} rows more of the sample"] if more else shown
