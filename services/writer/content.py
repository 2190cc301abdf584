"""What a shard holds, as one hash a table: two folds of the same streams have the same.

A hash does not depend on the order in which rows came, nor on numbers that were given in that
order; what is no fold of streams is left out. Bars and ticks are hashed by series, in bulk.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import msgspec

from bus.migrations import Kind
from bus.shard import Connection

ARRIVED: Mapping[str, frozenset[str]] = {
    "order_events": frozenset({"id"}),
    "ledger": frozenset({"id"}),
    "portfolio_snapshots": frozenset({"id"}),
    "risk_events": frozenset({"id"}),
    "audit": frozenset({"id", "hash"}),  # the chain is in the order of arrival
    "dead_letter": frozenset({"id"}),
}
"""Columns that were given as rows came: another interleaving of the same streams gives others."""

NO_FOLD = frozenset(
    {
        "migration",
        "meta",
        "stream_position",
        "bar_live",  # what was under way, as of some moment
        "bar_said",  # remembered for a while only
        "import_file",  # came from files
        "bar_chunk",  # another form of bar
        "tick_chunk",
    }
)

NAMED: Mapping[str, str] = {
    "series": "SELECT symbol, timeframe, tf_s, px_exp, qty_exp, quote_exp FROM {db}.series",
    "tick_hwm": "SELECT s.symbol, t.trade_id, t.ts_ns FROM {db}.tick_hwm AS t "
    "JOIN {db}.series AS s ON s.id = t.series",
    "candlestick_metadata": "SELECT s.symbol, s.timeframe, m.bars, m.first_idx, m.last_idx, "
    "m.from_trades FROM {db}.candlestick_metadata AS m JOIN {db}.series AS s ON s.id = m.series",
    "bar_note": "SELECT s.symbol, s.timeframe, n.k & 67108863 AS idx, n.revision, n.whole "
    "FROM {db}.bar_note AS n JOIN {db}.series AS s ON s.id = n.k >> 26",
    "tick_mark": "SELECT s.symbol, t.k & 67108863 AS minute, t.first_id, t.last_id "
    "FROM {db}.tick_mark AS t JOIN {db}.series AS s ON s.id = t.k >> 26",
}
"""Tables that speak of a series by its number, which was given as it came: here by its name."""

PACKED: Mapping[str, tuple[int, str]] = {
    "bar": (26, "o, h, l, c, v, q, n, src"),
    "tick": (44, "ts_ns, px, qty, side"),
}
"""Tables whose key begins with a series: how many bits follow it, and the other columns."""

HASH_BYTES = 16
MODULUS = 1 << (8 * HASH_BYTES)
ROWS_AT_ONCE = 1 << 15

Progress = Callable[[int], None]
"""Is told how many rows were looked at since it was told last."""


class Content(msgspec.Struct, frozen=True):
    """How many rows, and the hash of them all."""

    rows: int
    hash: str


class Part(msgspec.Struct, frozen=True):
    """What is hashed as one: a table, or one series in a table."""

    name: str
    sql: str  # SELECT of what is a fold, without order
    key: str = ""  # its first column, where it orders the rows: then all are integers
    width: int = 0
    head: str = ""  # what every row of it depends on: the decimals of a series


def contents(
    db: Connection, kind: Kind, schema: str = "main", progress: Progress = lambda _rows: None
) -> dict[str, Content]:
    """Return what each table of an attached file holds, and what each series holds of bars."""
    return {part.name: content_of(db, part, progress) for part in parts(db, kind, schema)}


def content_of(db: Connection, part: Part, progress: Progress = lambda _rows: None) -> Content:
    """Return what one part holds."""
    return _ordered(db, part, progress) if part.key else _unordered(db, part, progress)


def parts(db: Connection, kind: Kind, schema: str = "main") -> list[Part]:
    """Return what is hashed of a file, each table that is a fold of streams."""
    tables: list[Any] = db.execute(
        f'SELECT name FROM "{schema}".sqlite_schema '  # noqa: S608 - a name of ours
        "WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
    ).fetchall()
    found: list[Part] = []
    for (name,) in tables:
        if kind.monthly and name in PACKED:
            found += _series_parts(db, schema, name)
        elif name not in NO_FOLD:
            found.append(Part(name, _select(db, schema, name)))
    return found


def _series_parts(db: Connection, schema: str, table: str) -> Iterator[Part]:
    bits, columns = PACKED[table]
    rows: list[Any] = db.execute(
        "SELECT id, symbol, timeframe, px_exp, qty_exp, quote_exp "  # noqa: S608 - ours
        f'FROM "{schema}".series ORDER BY symbol, timeframe'
    ).fetchall()
    for number, symbol, timeframe, *exponents in rows:
        if (timeframe == "ticks") != (table == "tick"):
            continue
        low = number << bits
        sql = (
            f'SELECT k - {low} AS key, {columns} FROM "{schema}".{table} '  # noqa: S608 - numbers
            f"WHERE k BETWEEN {low} AND {low + (1 << bits) - 1}"
        )
        width = columns.count(",") + 2
        yield Part(f"{table} {symbol} {timeframe}", sql, "key", width, str(exponents))


def _select(db: Connection, schema: str, table: str) -> str:
    if table in NAMED:
        return NAMED[table].format(db=f'"{schema}"')
    columns = db.execute(
        "SELECT name FROM pragma_table_xinfo(?, ?) WHERE hidden = 0 ORDER BY cid", (table, schema)
    ).fetchall()
    left_out = ARRIVED.get(table, frozenset())
    names = ", ".join(f'"{name}"' for (name,) in columns if name not in left_out)
    return f'SELECT {names} FROM "{schema}"."{table}"'  # noqa: S608 - names of ours


def _unordered(db: Connection, part: Part, progress: Progress) -> Content:
    total, count = 0, 0
    pack, whole = msgspec.msgpack.Encoder().encode, int.from_bytes
    cursor: Any = db.execute(part.sql)
    while rows := list(islice(cursor, ROWS_AT_ONCE)):
        for row in rows:
            total += whole(hashlib.blake2b(pack(row), digest_size=HASH_BYTES).digest(), "little")
        count += len(rows)
        progress(len(rows))
    return Content(count, f"{total % MODULUS:032x}")


def _ordered(db: Connection, part: Part, progress: Progress) -> Content:
    import numpy as np  # noqa: PLC0415 - a writer that runs never pays for it

    hashed = hashlib.blake2b(part.head.encode(), digest_size=HASH_BYTES)
    count = 0
    cursor: Any = db.execute(f"{part.sql} ORDER BY {part.key}")
    while rows := list(islice(cursor, ROWS_AT_ONCE)):
        flat = np.fromiter(chain.from_iterable(rows), "<i8", count=len(rows) * part.width)
        hashed.update(flat.tobytes())
        count += len(rows)
        progress(len(rows))
    return Content(count, hashed.hexdigest())
