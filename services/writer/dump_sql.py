"""A shard's rows and tables as SQL that any SQLite reads back, each INSERT on a line of its own."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

import apsw

from bus.reading import Value
from bus.shard import Connection
from services.writer.dump import Block, Row, Snapshot, Table

END = ");\n"
_control = re.compile(r"[\n\r\0]")
_literal = re.compile(
    r"(?:NULL|(?P<whole>-?[0-9]{1,19})(?=[,)])|(?P<real>-?[0-9.]+(?:e[-+]?[0-9]+)?)"
    r"|'(?P<text>[^']*(?:''[^']*)*)'|CAST\(X'(?P<coded>[0-9a-f]*)' AS TEXT\)"
    r"|X'(?P<blob>[0-9A-F]*)')(?P<end>, |\);\n?\Z)"
)


def sql_head(snapshot: Snapshot) -> Iterator[str]:
    """Yield the lines of a dump before the rows: who it is, and its tables."""
    yield "PRAGMA foreign_keys=OFF;"
    yield f"PRAGMA application_id={snapshot.kind.application_id};"
    yield f"PRAGMA user_version={snapshot.version};"
    yield "BEGIN;"
    for sql in snapshot.schema().values():
        if sql.startswith("CREATE TABLE"):
            yield f"{sql};"
    yield from _steps(snapshot.db)


def _steps(db: Connection) -> Iterator[str]:
    for (name,) in db.execute("SELECT name FROM shard.migration ORDER BY name").fetchall():
        yield f'INSERT INTO "migration" ("name") VALUES ({literal(name)});'  # noqa: S608 - text


def sql_tail(snapshot: Snapshot) -> Iterator[str]:
    """Yield the lines of a dump behind the rows: indexes, and triggers that guard what is there."""
    for sql in snapshot.schema().values():
        if not sql.startswith("CREATE TABLE"):
            yield f"{sql};"
    yield "COMMIT;"


def sql_rows(table: Table, block: Block) -> Iterator[str]:
    """Yield one INSERT for each row, each on one line, or many lines at once."""
    head = sql_insert(table.name, table.columns)
    if table.exact:
        line = f"{head}{', '.join(['%d'] * len(table.columns))});\n"
        yield (line * len(block)) % tuple(block.ravel().tolist())
        return
    for row in block:
        yield f"{head}{', '.join(map(literal, row))});\n"


def sql_insert(name: str, columns: Sequence[str]) -> str:
    """Return how an INSERT of ours begins, up to its values."""
    listed = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{name}" ({listed}) VALUES ('  # noqa: S608 - text, not run here


def literal(value: Value) -> str:
    """Return a value as SQL, exactly and on one line."""
    if isinstance(value, str):
        if _control.search(value):
            return f"CAST(X'{value.encode().hex()}' AS TEXT)"
        return "'" + value.replace("'", "''") + "'"
    return str(value) if isinstance(value, int) else apsw.format_sql_value(value)


def literals(text: str, *, exact: bool = False) -> Row | None:
    """Return the values that `literal` wrote, up to the end of the statement; None for others."""
    if exact and text.endswith(END):
        with suppress(ValueError):
            return tuple(map(int, text[: -len(END)].split(", ")))
    found: list[Value] = []
    at = 0
    while match := _literal.match(text, at):
        found.append(_read(match))
        at = match.end()
        if match["end"] != ", ":
            return tuple(found)
    return None


def _read(match: re.Match[str]) -> Value:
    whole, real, text, coded, blob = match.group("whole", "real", "text", "coded", "blob")
    if whole is not None:
        return int(whole)
    if text is not None:
        return text.replace("''", "'")
    if coded is not None:
        return bytes.fromhex(coded).decode()
    if blob is not None:
        return bytes.fromhex(blob)
    return float(real) if real is not None else None
