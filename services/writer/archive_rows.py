"""Rows of a month as sorted blocks of numbers: read, merged, cut into chunks, tallied.

A month never fits into memory, so all of it flows through in blocks of some thousand rows.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice

import numpy as np

from bus.chunks import (
    BARS,
    BARS_BITS,
    TICKS,
    TICKS_MAX,
    Sealed,
    canonical_bytes,
    canonical_hash,
    decode_bars,
    decode_ticks,
)
from bus.errors import ShardError
from bus.migrations import refused
from bus.month_names import IDX_BITS, TRADE_ID_BITS
from bus.packing import Ints
from bus.shard import Connection
from services.writer.archive_files import Proof

BLOCK_ROWS = 16_384
BLOCK_CHUNKS = 32

Blocks = Iterator[Ints]


class Table:
    """One kind of rows: where they lie as rows and as chunks, and how keys name a series."""

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        series_bits: int,
        decode: Callable[[list[Sealed]], Ints],
    ) -> None:
        self.name = name
        self.columns = columns
        self.series_bits = series_bits
        self.decode = decode


BAR = Table("bar", BARS, IDX_BITS, decode_bars)
TICK = Table("tick", TICKS, TRADE_ID_BITS, decode_ticks)


def row_blocks(db: Connection, schema: str, table: Table) -> Blocks:
    """Yield the rows of a live month, by key."""
    names = ", ".join(table.columns)
    sql = f'SELECT {names} FROM "{schema}".{table.name} ORDER BY k'  # noqa: S608 - our own names
    rows = db.execute(sql)
    while some := list(islice(rows, BLOCK_ROWS)):
        count = len(some) * len(table.columns)
        values = np.fromiter(chain.from_iterable(some), dtype=np.int64, count=count)
        yield values.reshape(-1, len(table.columns))


def chunk_blocks(db: Connection, schema: str, table: Table) -> Blocks:
    """Yield the rows of an archive, by key; ShardError when a chunk of it is damaged."""
    chunks = f'"{schema}".{table.name}_chunk'
    rows = db.execute(f"SELECT codec, crc, body FROM {chunks} ORDER BY k")  # noqa: S608 - ours
    while some := list(islice(rows, BLOCK_CHUNKS)):
        try:
            block = table.decode(some)
        except ShardError as error:
            where = db.db_filename(schema)
            raise refused(f"{where}: {error.what}", error.hint, error.exit_code) from error
        yield block


def merged(older: Blocks, newer: Blocks) -> Blocks:
    """Yield the rows of both by key; where both have a key, that of the newer."""
    old, new = next(older, None), next(newer, None)
    while old is not None and new is not None:
        bound = min(old[-1, 0], new[-1, 0])
        a = int(np.searchsorted(old[:, 0], bound, side="right"))
        b = int(np.searchsorted(new[:, 0], bound, side="right"))
        yield _united(old[:a], new[:b])
        old = old[a:] if a < len(old) else next(older, None)
        new = new[b:] if b < len(new) else next(newer, None)
    for first, rest in ((old, older), (new, newer)):
        if first is not None:
            yield from chain((first,), rest)


def bar_chunks(blocks: Blocks) -> Blocks:
    """Cut rows into stretches of 512 aligned bars."""
    yield from _cut(blocks, lambda keys: np.diff(keys >> BARS_BITS) != 0, 1 << BARS_BITS)


def tick_chunks(blocks: Blocks) -> Blocks:
    """Cut rows into up to 4096 ticks of one series."""
    yield from _cut(blocks, lambda keys: np.diff(keys >> TRADE_ID_BITS) != 0, TICKS_MAX)


class Tally:
    """Counts and hashes rows series by series, as they come by key."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._series = -1
        self._rows = 0
        self._first = self._last = 0
        self._hash = canonical_hash()
        self._done: list[tuple[int, int, int, int, str]] = []
        self.from_trades: dict[int, int] = {}

    def add(self, rows: Ints) -> None:
        """Take rows of one series."""
        series = int(rows[0, 0]) >> self._table.series_bits
        if series != self._series:
            self._close()
            self._series, self._first = series, int(rows[0, 0])
        self._rows += len(rows)
        self._last = int(rows[-1, 0])
        self._hash.update(canonical_bytes(rows))
        if self._table is BAR:
            traded = int((rows[:, -1] == 0).sum())
            self.from_trades[series] = self.from_trades.get(series, 0) + traded

    def proofs(self, names: dict[int, tuple[str, str]]) -> tuple[Proof, ...]:
        """Return what was counted of each series; the tally is done then."""
        self._close()
        return tuple(
            Proof(
                id=series,
                symbol=names[series][0],
                timeframe=names[series][1],
                rows=rows,
                first=first,
                last=last,
                hash=digest,
            )
            for series, rows, first, last, digest in self._done
        )

    def _close(self) -> None:
        if self._rows:
            digest = self._hash.hexdigest()
            self._done.append((self._series, self._rows, self._first, self._last, digest))
        self._rows, self._hash = 0, canonical_hash()


def by_series(blocks: Blocks, table: Table) -> Blocks:
    """Cut rows where their series ends."""
    for block in blocks:
        ends = np.flatnonzero(np.diff(block[:, 0] >> table.series_bits)) + 1
        yield from np.split(block, ends)


def _united(old: Ints, new: Ints) -> Ints:
    if not len(old) or not len(new):
        return new if len(new) else old
    rows = np.concatenate((old, new))
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    last_of_key = np.append(rows[1:, 0] != rows[:-1, 0], [True])
    united: Ints = rows[last_of_key]
    return united


def _cut(blocks: Blocks, ends_at: Callable[[Ints], Ints], most: int) -> Blocks:
    rest: Ints | None = None
    for block in blocks:
        rows = block if rest is None else np.concatenate((rest, block))
        stretches = [
            stretch[begin : begin + most]
            for stretch in np.split(rows, np.flatnonzero(ends_at(rows[:, 0])) + 1)
            for begin in range(0, len(stretch), most)
        ]
        rest = stretches.pop()
        yield from stretches
    if rest is not None:
        yield rest
