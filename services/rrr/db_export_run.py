"""An export under way: file after file of a shard, each at one moment, into a draft."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bus.migrations import Kind
from services.rrr.db_export_choice import Selection, Series, choose, chosen_series, series_of
from services.rrr.db_export_manifest import FileEntry, Manifest, TableEntry, ViewEntry
from services.rrr.db_export_names import Order, Wanted, resolve
from services.rrr.db_export_text import CsvForm, Sheet, SqlForm
from services.rrr.db_export_views import FileViews, MonthViews, Views
from services.rrr.progress import Passed, progress_over
from services.writer.dump import Block, Digest, Snapshot, Table, open_live, take_snapshot

ROW_BYTES = 40


def run(kind: Kind, files: Sequence[Path], draft: Path, order: Order) -> tuple[Manifest, list[str]]:
    """Write a shard into a draft; return what it is, and which files were copied first."""
    if order.form == "parquet":
        from services.rrr.db_export_columns import run_columns  # noqa: PLC0415 - needs duckdb

        return run_columns(kind, files, draft, order)
    return Run(kind, files, draft, order).run()


class Run:
    """One export as text; what Parquet does otherwise stands in its own."""

    def __init__(self, kind: Kind, files: Sequence[Path], draft: Path, order: Order) -> None:
        self.kind = kind
        self.draft = draft
        self.order = order
        self.copied: list[str] = []
        self.manifest = Manifest(
            form=order.form,
            shard=kind.name,
            world="",
            made="",
            selection=order.selection.told(),
            files=[],
        )
        self._files = files
        self._sheets: dict[str, Sheet] = {}

    def run(self) -> tuple[Manifest, list[str]]:
        """Go through the files, and then over the months."""
        wanted = resolve(self.kind, self._files, self.order)
        over_months = wanted.views if self.kind.monthly else []
        if wanted.tables or not self.kind.monthly:
            self._each_file(wanted)
        if over_months:
            self._months(over_months)
        self.manifest.views = [
            ViewEntry(name=name, rows=sheet.rows, parts=[sheet.part()])
            for name, sheet in self._sheets.items()
        ]
        return self.manifest, self.copied

    def _each_file(self, wanted: Wanted) -> None:
        size = sum(path.stat().st_size for path in self._files)
        with progress_over(size, "exporting") as passed:
            for path in self._files:
                snapshot = self._take(path)
                if snapshot is not None:
                    with snapshot:
                        self._file(snapshot, wanted, Share(path.stat().st_size, passed))

    def _take(self, path: Path) -> Snapshot | None:
        if not self.kind.monthly:
            return take_snapshot(self.kind, path, self.draft)
        from services.writer.dump_months import take_month  # noqa: PLC0415 - needs numpy

        return take_month(self.kind, path, self.draft)

    def _file(self, snapshot: Snapshot, wanted: Wanted, share: "Share") -> None:
        self.manifest.world = self.manifest.world or snapshot.world()
        if snapshot.copied:
            self.copied.append(snapshot.path.name)
        entry = FileEntry(
            name=f"{snapshot.stem}.db",
            version=snapshot.version,
            archived=snapshot.sealed,
            positions=snapshot.positions(),
            tables=[],
        )
        tables = [table for table in snapshot.tables if table.name in wanted.tables]
        if tables:
            self.tables(snapshot, tables, entry, share)
        self.manifest.files.append(entry)
        if wanted.views and not self.kind.monthly:
            views = FileViews(snapshot, self.order.selection)
            for name in wanted.views:
                self._view(views, name, share)
        share.rest()

    def _months(self, names: Sequence[str]) -> None:
        self.manifest.world = self.manifest.world or self._world()
        views = MonthViews(self.order.place, self.kind, self.order.selection)
        size = sum(path.stat().st_size for path in self._files)
        with closing(views), progress_over(size, "exporting") as passed:
            share = Share(size, passed)
            for name in names:
                self._view(views, name, share)

    def _view(self, views: Views, name: str, share: "Share") -> None:
        form = CsvForm(self.draft, self.order.packing, self.order.name)
        with form.sheet("views", name, views.columns(name)) as sheet:
            self._sheets[name] = sheet
            for block in share.over(views.rows(name)):
                sheet.add(block)

    def _world(self) -> str:
        for path in self._files:
            snapshot = open_live(self.kind, path)
            if snapshot is not None:
                with snapshot:
                    return snapshot.world()
        return ""

    def tables(
        self, snapshot: Snapshot, tables: Sequence[Table], entry: FileEntry, share: "Share"
    ) -> None:
        """Write the tables of one file."""
        digests = [Digest(exact=table.exact) for table in tables]
        chosen = [
            (table, share.over(self.blocks(snapshot, table, digest)))
            for table, digest in zip(tables, digests, strict=True)
        ]
        packing, name = self.order.packing, self.order.name
        if self.order.form == "sql":
            entry.parts = [SqlForm(self.draft, packing, name).write(snapshot, chosen)]
            parts: list[Any] = [[] for _ in tables]
        else:
            form = CsvForm(self.draft, packing, name)
            parts = [
                [form.write(snapshot.stem, table.name, table.columns, blocks)]
                for table, blocks in chosen
            ]
        for table, digest, files in zip(tables, digests, parts, strict=True):
            entry.tables.append(table_entry(table, digest, files))

    def blocks(self, snapshot: Snapshot, table: Table, digest: Digest) -> Iterator[Block]:
        """Yield the rows that are asked for, and let the digest have them."""
        for block in snapshot.rows(table, choose(snapshot, table, self.order.selection)):
            digest.add(block)
            yield block


class Share:
    """How much of a file's size has passed, as far as rows tell."""

    def __init__(self, size: int, passed: Passed) -> None:
        self._left = size
        self._passed = passed

    def over(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Yield blocks, and tell of them once they are written."""
        for block in blocks:
            yield block
            self._pass(len(block) * ROW_BYTES)

    def rest(self) -> None:
        """Tell of what no row stood for."""
        self._pass(self._left)

    def _pass(self, size: int) -> None:
        size = min(size, self._left)
        self._left -= size
        self._passed(size)


def table_entry(table: Table, digest: Digest, parts: list[Any]) -> TableEntry:
    """Return what a manifest says of a table."""
    return TableEntry(
        name=table.name,
        columns=table.columns,
        types=table.types,
        exact=table.exact,
        rows=digest.rows,
        hash=digest.hexdigest(),
        parts=parts,
    )


def series_blocks(
    snapshot: Snapshot, table: Table, selection: Selection
) -> Iterator[tuple[Series, Iterator[Block]]]:
    """Yield each series that is asked for, with its rows."""
    for series in series_of(snapshot, selection):
        choice = chosen_series(table, series, selection)
        if choice is not None:
            yield series, snapshot.rows(table, choice)
