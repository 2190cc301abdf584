"""What a source says of its tables, and what becomes of them here."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import click
import msgspec

from bus.errors import HouseError
from services.rrr.pg_totals import Totals
from services.rrr.pg_types import IsJson, is_wide, keeping_of
from services.rrr.pg_values import Keeping
from services.writer.legacy_tables import OWN, LegacyColumn, LegacyTable, free_name

BATCH_BYTES = 16 << 20
"""A batch is in memory several times over, as lines, texts and values."""

Fit = Callable[["Table", Sequence[str]], frozenset[str]]
"""Returns which of some wide columns hold nothing that does not fit 64 bits."""


class Column(msgspec.Struct, frozen=True):
    """One column as its source describes it."""

    name: str
    type: str
    key: int = 0
    labels: tuple[str, ...] = ()
    generated: bool = False


class Table(msgspec.Struct, frozen=True):
    """One table as its source describes it."""

    name: str
    columns: tuple[Column, ...]
    rows: int = 0  # about so many, for the bar
    whole: bool = False  # its parts hold its rows

    @property
    def key(self) -> list[Column]:
        """The columns of its primary key, in the order of the key."""
        return sorted((one for one in self.columns if one.key), key=lambda one: one.key)


class Batch(msgspec.Struct, frozen=True):
    """Some rows as lines of COPY without their ends, and where to go on behind them."""

    lines: list[bytes]
    last_key: str


def cut(lines: Iterable[bytes], rows: int) -> Iterator[list[bytes]]:
    """Yield lines in pieces of at most so many, and fewer where they are long."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if len(piece) == rows or size > BATCH_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


class Source(Protocol):
    """Where tables come from: a server, or a file that its pg_dump wrote."""

    label: str
    notes: list[str]

    def tables(self) -> list[Table]: ...

    def fits(self, table: Table, columns: Sequence[str]) -> frozenset[str]: ...

    def resumes(self, table: Table) -> bool:
        """Return whether a table can be gone on with, in another run."""

    def batches(self, table: Table, last_key: str, done_rows: int) -> Iterator[Batch]: ...

    def totals(self, table: Table, keepings: Sequence[Keeping]) -> Totals | None:
        """Return what the source itself adds up; None when only its lines can be."""

    def same_rows(
        self, table: Table, keepings: Sequence[Keeping], rows: Sequence[Sequence[str | None]]
    ) -> list[str]:
        """Return the keys of the rows that are otherwise at the source."""


def chosen(tables: Sequence[Table], names: Sequence[str]) -> list[Table]:
    """Return the tables that were asked for; all of them when none was."""
    known = {table.name: table for table in tables}
    for name in names:
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise click.UsageError(f"there is no table {name!r} in public; found: {there}")
    if not tables:
        raise HouseError("there is no table in public", "Name a database, or a dump, that has some")
    return [known[name] for name in dict.fromkeys(names)] if names else list(tables)


def lay_out(
    tables: Iterable[Table], known: dict[str, LegacyTable], is_json: IsJson, fits: Fit
) -> list[LegacyTable]:
    """Return how tables that are not known here yet will be kept."""
    taken = [*OWN, *(name for one in known.values() for name in (one.legacy, one.view))]
    made = []
    for table in tables:
        if table.name in known:
            continue
        fitting = fits(table, [one.name for one in table.columns if is_wide(one.type)])
        one = _laid_out(table, free_name(table.name, taken), is_json, fitting)
        taken += [one.legacy, one.view]
        made.append(one)
    return made


def _laid_out(table: Table, legacy: str, is_json: IsJson, fitting: frozenset[str]) -> LegacyTable:
    columns: list[LegacyColumn] = []
    for one in table.columns:
        keeping = keeping_of(one.type, is_json, one.labels, fits=one.name in fitting)
        columns.append(
            LegacyColumn(
                one.name,
                free_name(one.name, [column.legacy for column in columns]),
                one.type,
                *(keeping.kept, keeping.form, keeping.exponent, keeping.rule),
                *(one.key, one.generated),
            )
        )
    return LegacyTable(table.name, legacy, tuple(columns))


def keepings_of(table: Table, made: LegacyTable, is_json: IsJson) -> list[Keeping]:
    """Return how the columns are kept; HouseError when the source's are others than before."""
    there = [(one.name, one.type, one.key) for one in table.columns]
    here = [(one.name, one.source_type, one.key) for one in made.columns]
    if there != here:
        changed = sorted({str(one[:2]) for one in {*there} ^ {*here}}) or ["their order"]
        raise HouseError(
            f"the columns of {table.name} are others than when its copy began: "
            f"{', '.join(changed)}",
            "Begin anew with --restart",
        )
    return [
        keeping_of(one.type, is_json, one.labels, fits=mine.exponent is not None)
        for one, mine in zip(table.columns, made.columns, strict=True)
    ]


def key_text(table: Table, fields: Sequence[str | None]) -> str:
    """Return the key of a row as JSON; an empty list where its table has none."""
    places = {column.name: number for number, column in enumerate(table.columns)}
    return json.dumps([fields[places[column.name]] for column in table.key])
