"""The tables of what came from PostgreSQL: their names here, their DDL, and a view for people."""

from collections.abc import Callable, Iterable

import msgspec

OWN = ("meta", "migration", "column_map", "quarantine", "mig_state")
READABLE = "readable"
"""What a view for people has behind the name of its table."""


class LegacyColumn(msgspec.Struct, frozen=True):
    """One column: what it was there, and how it is kept here."""

    name: str
    legacy: str
    source_type: str
    kept: str  # INTEGER, REAL, TEXT or BLOB
    form: str  # how people and the copy read it: whole, decimal, instant, uuid ...
    exponent: int | None
    rule: str
    key: int  # its place in the primary key, from 1; 0: it is not in it
    generated: bool = False


class LegacyTable(msgspec.Struct, frozen=True):
    """One table: its name there, its name here, its columns in the order of the source."""

    name: str
    legacy: str
    columns: tuple[LegacyColumn, ...] = ()

    @property
    def view(self) -> str:
        """The name of its view, whose numbers have a point and whose times are text."""
        return f"{self.legacy}_{READABLE}"

    @property
    def key(self) -> list[LegacyColumn]:
        """The columns of its primary key, in the order of the key."""
        return sorted((one for one in self.columns if one.key), key=lambda one: one.key)


def quoted(name: str) -> str:
    """Return a name as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a name that SQLite does not take for one of those taken: case means nothing to it."""
    used = {other.lower() for other in taken}
    if name.lower().startswith("sqlite_"):
        name = f"pg_{name}"
    wanted, number = name, 1
    while {wanted.lower(), f"{wanted}_{READABLE}".lower()} & used:
        number += 1
        wanted = f"{name}_{number}"
    return wanted


def create_sql(table: LegacyTable) -> str:
    """Return the statement that makes a table; one whole number as its key is the rowid."""
    key = table.key
    lone = key[0] if len(key) == 1 and key[0].form == "whole" and not key[0].exponent else None
    lines = [_column_sql(column, alone=column is lone) for column in table.columns]
    if key and lone is None:
        lines.append(f"PRIMARY KEY ({', '.join(quoted(column.legacy) for column in key)})")
    body = ",\n  ".join(lines)
    return f"CREATE TABLE {quoted(table.legacy)} (\n  {body}\n) STRICT"


def _column_sql(column: LegacyColumn, *, alone: bool) -> str:
    name = quoted(column.legacy)
    if alone:
        return f"{name} INTEGER PRIMARY KEY"
    checks = {"boolean": f" CHECK ({name} IN (0, 1))", "json": f" CHECK (json_valid({name}))"}
    checks["array"] = checks["json"]
    never = " NOT NULL" if column.key else ""
    return f"{name} {column.kept}{never}{checks.get(column.form, '')}"


def view_sql(table: LegacyTable) -> str:
    """Return the statement that makes the view for people."""
    shown = ",\n  ".join(f"{_shown(column)} AS {quoted(column.legacy)}" for column in table.columns)
    return f"CREATE VIEW {quoted(table.view)} AS SELECT\n  {shown}\nFROM {quoted(table.legacy)}"


def _shown(column: LegacyColumn) -> str:
    name = quoted(column.legacy)
    shows: dict[str, Callable[[str], str]] = {
        "instant": lambda name: _time(name, "Z"),
        "local_time": lambda name: _time(name, ""),
        "uuid": _uuid,
    }
    if column.form == "whole" and column.exponent:
        return _decimal(name, column.exponent)
    return shows.get(column.form, str)(name)


def _decimal(name: str, exponent: int) -> str:
    # By text, for 10^exponent need not fit an integer.
    if exponent < 0:
        return f"CASE {name} WHEN 0 THEN '0' ELSE {name} || '{'0' * -exponent}' END"
    digits = f"printf('%0{exponent + 1}d', abs({name}))"
    whole, rest = f"substr({digits}, 1, length({digits}) - {exponent})", -exponent
    sign = f"CASE WHEN {name} < 0 THEN '-' ELSE '' END"
    text = f"{sign} || {whole} || '.' || substr({digits}, {rest})"
    return f"CASE WHEN {name} IS NOT NULL THEN {text} END"


def _time(name: str, zone: str) -> str:
    micros = f"(({name} % 1000000 + 1000000) % 1000000)"
    second = f"({name} - {micros}) / 1000000"
    return (
        f"strftime('%Y-%m-%dT%H:%M:%S', {second}, 'unixepoch') || printf('.%06d{zone}', {micros})"
    )


def _uuid(name: str) -> str:
    hexed = f"lower(hex({name}))"
    parts = [f"substr({hexed}, {at}, {size})" for at, size in PARTS_OF_A_UUID]
    dashed = " || '-' || ".join(parts)
    return f"CASE WHEN {name} IS NOT NULL THEN {dashed} END"


PARTS_OF_A_UUID = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
