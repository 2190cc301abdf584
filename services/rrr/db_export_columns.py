"""An export as Parquet under way: bars and ticks by series and month, other tables as they are."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bus.errors import HouseError
from bus.migrations import Kind
from bus.month_names import month_named
from services.rrr.db_export_choice import Selection, Series, series_of
from services.rrr.db_export_manifest import FileEntry, Manifest, Part
from services.rrr.db_export_names import Order
from services.rrr.db_export_parquet import (
    KINDS,
    NARROW,
    WIDE,
    Digits,
    ParquetForm,
    TooWideError,
)
from services.rrr.db_export_place import LEASE
from services.rrr.db_export_run import Run, Share, series_blocks, table_entry
from services.writer.dump import Block, Digest, Snapshot, Table, open_live

PARTITIONED = ("bar", "tick")


def run_columns(
    kind: Kind, files: Sequence[Path], draft: Path, order: Order
) -> tuple[Manifest, list[str]]:
    """Write a shard as Parquet into a draft; return what it is, and which files were copied first.

    Its decimals have 18 digits; where the shard holds a number that needs more, those of its kind
    are written anew with 38, which any int64 fits into.
    """
    widths = dict.fromkeys(KINDS, NARROW)
    for _ in range(len(KINDS) + 2):  # Once for each kind, and for series that came meanwhile.
        under_way = ColumnRun(kind, files, draft, order, digits(kind, files, widths))
        try:
            return under_way.run()
        except TooWideError as error:
            widths[error.kind] = WIDE
            _clear(draft)
        finally:
            under_way.form.close()
    raise HouseError("the shard's series change faster than they are exported", "Try again")


class ColumnRun(Run):
    """One export as Parquet."""

    def __init__(
        self, kind: Kind, files: Sequence[Path], draft: Path, order: Order, wanted: Digits
    ) -> None:
        super().__init__(kind, files, draft, order)
        self.form = ParquetForm(draft, wanted)
        if kind.monthly:
            self.manifest.decimals = wanted

    def tables(
        self, snapshot: Snapshot, tables: Sequence[Table], entry: FileEntry, share: Share
    ) -> None:
        """Write the tables of one file."""
        for table in tables:
            digest = Digest(exact=table.exact)
            if snapshot.kind.monthly and table.name in PARTITIONED:
                parts = self._partitioned(snapshot, table, digest, share)
            else:
                blocks = share.over(self.blocks(snapshot, table, digest))
                parts = self.form.table(
                    snapshot.stem, table.name, table.columns, table.types, blocks
                )
            entry.tables.append(table_entry(table, digest, parts))

    def _partitioned(
        self, snapshot: Snapshot, table: Table, digest: Digest, share: Share
    ) -> list[Part]:
        write = self.form.bars if table.name == "bar" else self.form.ticks
        parts: list[Part] = []
        for series, blocks in series_blocks(snapshot, table, self.order.selection):
            seen = _seen(share.over(blocks), digest)
            parts += write(series, month_named(snapshot.path.name), seen)
        return parts


def digits(kind: Kind, files: Sequence[Path], widths: dict[str, int]) -> Digits:
    """Return for each kind of number the digits, and the decimals of the series with most."""
    found: list[Series] = []
    for path in files if kind.monthly else ():
        snapshot = open_live(kind, path)
        if snapshot is not None:
            with snapshot:
                found += series_of(snapshot, Selection())
    exponents = [(one.px_exp, one.qty_exp, one.quote_exp) for one in found] or [(0, 0, 0)]
    return {
        name: (widths[name], max(column))
        for name, column in zip(KINDS, zip(*exponents, strict=True), strict=True)
    }


def _seen(blocks: Iterator[Block], digest: Digest) -> Iterator[Block]:
    for block in blocks:
        digest.add(block)
        yield block


def _clear(draft: Path) -> None:
    for path in draft.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LEASE:
            path.unlink()
