"""The SQL by which a server pages through a table, adds it up, and shows rows to compare."""

import json
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from services.rrr.pg_lines import fields_of
from services.rrr.pg_tables import Column, Table
from services.rrr.pg_totals import EXACT, HASH_LIMIT, SHOWN_CHARS, Span, Totals, plain
from services.rrr.pg_types import NOT_FINITE, precision_of
from services.rrr.pg_values import INT64_LIMIT, Keeping
from services.writer.legacy_tables import quoted

if TYPE_CHECKING:
    from psycopg import Connection

SAMPLE_ROWS = 200
ROW_HASH = "('x' || substr(md5(convert_to({0}, 'UTF8')), 1, 15))::bit(60)::bigint"


def all_sql(table: Table) -> str:
    """Return the COPY of a whole table."""
    names = _names(table.columns)
    return f"COPY (SELECT {names} FROM {_from(table)}) TO STDOUT"  # noqa: S608 - quoted names


def page_sql(table: Table, last_key: str, rows: int) -> str:
    """Return the COPY of the next rows behind a key."""
    names = _names(table.key)
    behind = f"WHERE ({names}) > ({_key_literals(table, last_key)})" if last_key else ""
    return (
        f"COPY (SELECT {_names(table.columns)} FROM {_from(table)} "  # noqa: S608 - quoted names
        f"{behind} ORDER BY {names} LIMIT {rows}) TO STDOUT"
    )


def key_of(line: bytes, places: Sequence[int]) -> str:
    """Return the key in a line of COPY, as it is noted."""
    fields = fields_of(line)
    return json.dumps([fields[place] for place in places])


def fitting(
    db: "Connection[tuple[Any, ...]]", table: Table, columns: Sequence[str]
) -> frozenset[str]:
    """Return which of some numeric columns hold nothing that does not fit 64 bits."""
    if not columns:
        return frozenset()
    greatest = ", ".join(
        f"max(CASE WHEN concat({name}) NOT IN {NOT_FINITE} THEN abs({name}) END)"
        for name in map(quoted, columns)
    )
    found = _row(db, f"SELECT {greatest} FROM {_from(table)}")  # noqa: S608 - quoted names
    types = {column.name: column.type for column in table.columns}
    with localcontext(EXACT):
        return frozenset(
            name
            for name, most in zip(columns, found, strict=True)
            if Decimal(most or 0).scaleb(precision_of(types[name])[1]) < INT64_LIMIT
        )


def totals(db: "Connection[tuple[Any, ...]]", table: Table, keepings: Sequence[Keeping]) -> Totals:
    """Return what a server adds up of a table."""
    wanted = ["count(*)", f"sum({ROW_HASH.format(_row_text(table))})"]
    for nth, keeping in enumerate(keepings):
        wanted += _asked(keeping, f"x{nth}", f"v{nth}")
    values = ", ".join(f"{quoted(one.name)} AS v{nth}" for nth, one in enumerate(table.columns))
    texts = _texts(table, keepings)
    source = f"SELECT {values}, {texts} FROM {_from(table)}"  # noqa: S608 - quoted names
    sql = f"SELECT {', '.join(wanted)} FROM ({source}) AS t"  # noqa: S608 - what stands above
    rows, hashed, *found = _row(db, sql)
    spans = {}
    for nth, (column, keeping) in enumerate(zip(table.columns, keepings, strict=True)):
        spans[column.name] = _span(keeping, *found[nth * 4 : nth * 4 + 4])
    return Totals(rows, int(hashed or 0) % HASH_LIMIT, spans)


def _asked(keeping: Keeping, text: str, name: str) -> list[str]:
    """Return count, least, greatest and sum of a column, the last NULL where there is none."""
    if keeping.stat == "text":
        spread = f'left({text}, {SHOWN_CHARS}) COLLATE "C"'
        return [f"count({text})", f"min({spread})", f"max({spread})", "NULL"]
    number = keeping.plain.format(name)
    if keeping.stat == "real":
        return [f"count({text})", f"min({number})", f"max({number})", "NULL"]
    number = f"({number})::numeric"
    return [f"count({text})", f"min({number})", f"max({number})", f"sum({number})"]


def _span(keeping: Keeping, count: int, low: Any, high: Any, total: Any) -> Span:
    return Span(count, *(_shown(keeping, one) for one in (low, high, total)))


def _shown(keeping: Keeping, value: Any) -> str | None:
    if value is None:
        return None
    match keeping.stat:
        case "whole":
            with localcontext(EXACT):
                return str(int(Decimal(value).scaleb(keeping.exponent or 0)))
        case "decimal":
            return plain(Decimal(value))
        case "real":
            return repr(float(value))
        case "text":
            return str(value)


def otherwise(
    db: "Connection[tuple[Any, ...]]",
    table: Table,
    keepings: Sequence[Keeping],
    rows: Sequence[Sequence[str | None]],
) -> list[str]:
    """Return the keys of those rows that the server does not show as they are here."""
    places = [table.columns.index(column) for column in table.key]
    found: set[tuple[str | None, ...]] = set()
    for begin in range(0, len(rows), SAMPLE_ROWS):
        keys = ", ".join(
            f"({_literals(table, [row[place] for place in places])})"
            for row in rows[begin : begin + SAMPLE_ROWS]
        )
        sql = (
            f"SELECT {_texts(table, keepings)} FROM {_from(table)} "  # noqa: S608 - quoted names
            f"WHERE ({_names(table.key)}) IN ({keys})"
        )
        found.update(db.execute(sql.encode()).fetchall())
    wrong = [row for row in rows if tuple(row) not in found]
    return [json.dumps([row[place] for place in places]) for row in wrong]


def _texts(table: Table, keepings: Sequence[Keeping]) -> str:
    """Return each column's canonical text, NULL for NULL, under the names x0, x1 ..."""
    shown = []
    for nth, (column, keeping) in enumerate(zip(table.columns, keepings, strict=True)):
        name = quoted(column.name)
        text = keeping.sql.format(name)
        shown.append(f"CASE WHEN {name} IS NULL THEN NULL ELSE {text} END AS x{nth}")
    return ", ".join(shown)


def _row_text(table: Table) -> str:
    parts = (f"coalesce(length(x{nth}) || ':' || x{nth}, '-')" for nth in range(len(table.columns)))
    return " || ".join(parts)


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(quoted(column.name) for column in columns)


def _from(table: Table) -> str:
    only = "" if table.whole else "ONLY "
    return f"{only}public.{quoted(table.name)}"


def _key_literals(table: Table, last_key: str) -> str:
    return _literals(table, json.loads(last_key))


def _literals(table: Table, key: Sequence[str | None]) -> str:
    pairs = zip(table.key, key, strict=True)
    return ", ".join(f"{_literal(text or '')}::{column.type}" for column, text in pairs)


def _literal(text: str) -> str:
    # Both kinds of quote doubled: it holds whatever standard_conforming_strings says.
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f" E'{escaped}'" if "\\" in text else f"'{escaped}'"


def _row(db: "Connection[tuple[Any, ...]]", sql: str) -> tuple[Any, ...]:
    (found,) = db.execute(sql.encode()).fetchall()
    return found
