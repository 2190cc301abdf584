"""What the catalog of a PostgreSQL server says: tables, columns, keys, and what a role may see."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bus.errors import HouseError
from services.rrr.pg_tables import Column, Table

if TYPE_CHECKING:
    from psycopg import Connection

SUPABASE = ("auth", "storage", "realtime", "supabase_%", "extensions", "graphql%", "vault", "net")

RELATIONS = """
SELECT c.oid::bigint, c.relname::text, greatest(c.reltuples, 0)::bigint,
  c.relkind = 'p' OR EXISTS (
    SELECT FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS part ON part.oid = i.inhrelid
    WHERE i.inhparent = c.oid AND part.relnamespace <> c.relnamespace)
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C"
"""

COLUMNS = """
SELECT a.attrelid::bigint, a.attname::text, a.atttypid::bigint, a.atttypmod,
  coalesce(array_position((k.indkey::int2[])[0:k.indnkeyatts - 1], a.attnum), 0)::int,
  a.attgenerated <> ''
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_index AS k ON k.indrelid = a.attrelid AND k.indisprimary
WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

DOMAINS = """
SELECT oid::bigint, typbasetype::bigint, typtypmod FROM pg_catalog.pg_type WHERE typtype = 'd'
"""
LABELS = """
SELECT enumtypid::bigint, array_agg(enumlabel::text ORDER BY enumsortorder)
FROM pg_catalog.pg_enum GROUP BY 1
"""
OTHERS = """
SELECT DISTINCT n.nspname::text FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('public', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_%%' AND NOT n.nspname LIKE ANY (%s) ORDER BY 1
"""
SIGHT = """
SELECT c.relname::text, has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid)
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s) ORDER BY 1
"""


def encoding(db: "Connection[tuple[Any, ...]]") -> str:
    """Return the encoding of the database."""
    return str(_rows(db, "SHOW server_encoding")[0][0])


def tables(db: "Connection[tuple[Any, ...]]", notes: list[str]) -> list[Table]:
    """Return the tables of the schema public, and note what is left out."""
    relations = _rows(db, RELATIONS)
    columns = _columns(db, [oid for oid, *_ in relations])
    others = [name for (name,) in _rows(db, OTHERS, (list(SUPABASE),))]
    if others:
        notes.append(f"other schemas are left out: {', '.join(others)}")
    bare = [name for oid, name, *_ in relations if oid not in columns]
    if bare:
        notes.append(f"tables without a column are left out: {', '.join(bare)}")
    return [
        Table(name, tuple(columns[oid]), rows, whole)
        for oid, name, rows, whole in relations
        if oid in columns
    ]


def _columns(db: "Connection[tuple[Any, ...]]", oids: Sequence[int]) -> dict[int, list[Column]]:
    domains = {oid: (base, modifier) for oid, base, modifier in _rows(db, DOMAINS)}
    labels = dict(_rows(db, LABELS))
    found: dict[int, list[Column]] = {}
    for relation, name, kind, modifier, key, generated in _rows(db, COLUMNS, (list(oids),)):
        while kind in domains:
            kind, modifier = domains[kind]  # noqa: PLW2901 - a domain may stand on a domain
        ((text,),) = _rows(db, "SELECT format_type(%s::oid, %s)", (kind, modifier))
        one = Column(name, text, key, tuple(labels.get(kind, ())), generated)
        found.setdefault(relation, []).append(one)
    return found


def require_readable(db: "Connection[tuple[Any, ...]]", names: Sequence[str]) -> None:
    """Raise HouseError for tables that this role may not read, or of which rows are hidden."""
    seen = _rows(db, SIGHT, (list(names),))
    closed = [name for name, readable, _ in seen if not readable]
    if closed:
        raise HouseError(
            f"this role may not read {', '.join(closed)}",
            "Connect as the owner, GRANT SELECT to it, or choose others with --tables",
        )
    hidden = [name for name, _, active in seen if active]
    if hidden:
        raise HouseError(
            f"row security hides rows of {', '.join(hidden)} from this role, and a copy would "
            "lack them",
            "Connect as the owner of the tables, or as a role with BYPASSRLS; "
            "at Supabase that is `postgres`",
        )


def _rows(
    db: "Connection[tuple[Any, ...]]", sql: str, bindings: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    return db.execute(sql.encode(), bindings or None).fetchall()
