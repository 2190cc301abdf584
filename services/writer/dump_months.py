"""One moment of a month of the market: its rows alike, whether they lie in rows or in chunks.

A month that has a file in both places has late rows: they are laid over its archive, as the next
archive will have them. What an archive goes without because its chunks say it is worked out anew,
so that whoever reads the export back has it.
"""

from collections.abc import Iterator
from pathlib import Path

from bus import chunks
from bus.migrations import Kind
from bus.month_names import ARCHIVED, IDX_BITS, TRADE_ID_BITS, archive_dir
from schema.units import MINUTE_NS
from services.writer.archive_build import Sources, build
from services.writer.dump import (
    CHUNKS,
    Block,
    Choice,
    Snapshot,
    Span,
    Table,
    matrix,
    open_at,
    take_snapshot,
)

CHUNKS_AT_ONCE = 32


class SealedMonth(Snapshot):
    """A month as its archive has it."""

    def stretch(self, table: Table, span: Span, choice: Choice) -> Iterator[Block]:
        if table.name in CHUNKS:
            yield from self._unsealed(table.name, span, choice)
        elif table.name == "tick_mark":
            yield from self._marks(span)
        else:
            yield from super().stretch(table, span, choice)

    def _unsealed(self, name: str, span: Span, choice: Choice) -> Iterator[Block]:
        decode = chunks.decode_bars if name == "bar" else chunks.decode_ticks
        first = "first" if name == "bar" else "k"
        sql = (
            f"SELECT codec, crc, body FROM shard.{CHUNKS[name]} "  # noqa: S608 - names of ours
            f"WHERE {first} <= ? AND last >= ? ORDER BY k"
        )
        for some in self.batches(sql, (span[1], span[0])):
            for at in range(0, len(some), CHUNKS_AT_ONCE):
                rows = decode(some[at : at + CHUNKS_AT_ONCE])  # type: ignore[arg-type]
                yield _chosen(rows, span, choice)

    def _marks(self, span: Span) -> Iterator[Block]:
        table = self.table("tick")
        assert table is not None
        found: dict[int, tuple[int, int]] = {}
        for rows in self.rows(table):
            ids = rows[:, 0] & ((1 << TRADE_ID_BITS) - 1)
            keys = (rows[:, 0] >> TRADE_ID_BITS) << IDX_BITS | rows[:, 1] // MINUTE_NS
            for key, trade_id in zip(keys.tolist(), ids.tolist(), strict=True):
                low, high = found.get(key, (trade_id, trade_id))
                found[key] = min(low, trade_id), max(high, trade_id)
        chosen = [(key, *found[key]) for key in sorted(found) if span[0] <= key <= span[1]]
        if chosen:
            yield matrix(chosen)


def take_month(kind: Kind, path: Path, scratch: Path) -> Snapshot | None:
    """Return a month as it is now, from its file and its archive; None for one being made."""
    if path.name.endswith(ARCHIVED):
        return _sealed(kind, path, None)
    archive = archive_dir(path.parents[1]) / f"{path.stem}{ARCHIVED}"
    if not path.exists():  # It went into the archive meanwhile.
        return _sealed(kind, archive, None)
    if not archive.exists():
        return take_snapshot(kind, path, scratch)
    united = scratch / archive.name
    build(Sources(united, path, archive), 0, 0, 0, lambda _rows: None)
    return _sealed(kind, united, united)


def _sealed(kind: Kind, path: Path, made: Path | None) -> Snapshot | None:
    opened = open_at(kind, path, None)
    return SealedMonth(kind, path, opened[0], made) if opened is not None else None


def _chosen(rows: Block, span: Span, choice: Choice) -> Block:
    chosen = (rows[:, 0] >= span[0]) & (rows[:, 0] <= span[1])
    if choice.times is not None:
        chosen &= (rows[:, 1] >= choice.times[0]) & (rows[:, 1] < choice.times[1])
    return rows if chosen.all() else rows[chosen]
