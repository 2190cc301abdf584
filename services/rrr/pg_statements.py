"""The statements of a pg_dump file that say what its tables are."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from services.rrr.pg_tables import Column

NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\U0010ffff][\w$]*)'
QUALIFIED = rf"(?:{NAME}\.)?{NAME}"

_token = re.compile(
    r"""(?P<text>[Ee]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<dollar>\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollar)
    |(?P<open>'|"|/\*|\$(?:[A-Za-z_]\w*)?\$)
    |(?P<mark>[(),;])""",
    re.DOTALL | re.VERBOSE,
)
_copy = re.compile(rf"COPY ({QUALIFIED}) (?:\((.*)\))? ?FROM stdin;\s*", re.DOTALL)
_create = re.compile(rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?({QUALIFIED}) \(", re.DOTALL)
_inherits = re.compile(rf"\)\s*INHERITS \(({QUALIFIED}(?:, {QUALIFIED})*)\)", re.DOTALL)
_enum = re.compile(rf"CREATE TYPE ({QUALIFIED}) AS ENUM \((.*)\);", re.DOTALL)
_domain = re.compile(rf"CREATE DOMAIN ({QUALIFIED}) AS (.*);", re.DOTALL)
_key = re.compile(
    rf"ALTER TABLE (?:ONLY )?({QUALIFIED})\s+ADD CONSTRAINT {NAME} PRIMARY KEY \((.*?)\)", re.DOTALL
)
_attach = re.compile(
    rf"ALTER TABLE (?:ONLY )?({QUALIFIED}) ATTACH PARTITION ({QUALIFIED}) ", re.DOTALL
)
_end_of_type = re.compile(
    r"\s(?:COLLATE|DEFAULT|NOT NULL|NULL|GENERATED|CONSTRAINT|CHECK|PRIMARY KEY|UNIQUE|"
    r"REFERENCES|STORAGE|COMPRESSION|WITH OPTIONS)\b|$"
)
_constraint = re.compile(r"(?:CONSTRAINT|PRIMARY KEY|UNIQUE|CHECK|EXCLUDE|FOREIGN KEY|LIKE)\b")
_alone = re.compile(rf"({NAME})\s+(.*)", re.DOTALL)


class Copy(NamedTuple):
    """The head of a block of rows."""

    table: str
    columns: list[str]


class Schema(msgspec.Struct):
    """What the statements so far said; names are `schema.table` without quotes."""

    columns: dict[str, list[Column]] = {}
    keys: dict[str, list[str]] = {}
    labels: dict[str, tuple[str, ...]] = {}
    domains: dict[str, str] = {}
    parents: dict[str, str] = {}
    path: str = "public"

    def take(self, statement: str) -> None:
        """Learn from one statement what it says of tables."""
        statement = statement.lstrip()
        if found := _create.match(statement):
            self._table(self.name(found[1]), statement, found.end())
        elif found := _enum.match(statement):
            self.labels[self.name(found[1])] = tuple(_literals(found[2]))
        elif found := _domain.match(statement):
            self.domains[self.name(found[1])] = _type(found[2])
        elif found := _key.match(statement):
            self.keys[self.name(found[1])] = names_in(found[2])
        elif found := _attach.match(statement):
            self.parents[self.name(found[2])] = self.name(found[1])
        elif found := re.match(rf"SET search_path = ({NAME})", statement):
            self.path = unquoted(found[1])

    def name(self, text: str) -> str:
        """Return a name with its schema."""
        parts = names_in(text, ".")
        return ".".join(parts if len(parts) > 1 else [self.path, *parts])

    def root(self, name: str) -> str:
        """Return the table that a partition is a part of, or the table itself."""
        while name in self.parents:
            name = self.parents[name]
        return name

    def described(self, name: str, columns: list[str]) -> list[Column]:
        """Return the columns of a table in the order of its rows; unknown ones are text."""
        known = {one.name: one for one in self.columns.get(name, [])}
        key = self.keys.get(name, [])
        found = []
        for column in columns:
            kind = known[column].type if column in known else "text"
            while (base := self.domains.get(self.name(kind) if _is_name(kind) else "")) is not None:
                kind = base
            labels = self.labels.get(self.name(kind), ()) if _is_name(kind) else ()
            place = key.index(column) + 1 if column in key else 0
            found.append(Column(column, kind, place, labels))
        return found

    def _table(self, name: str, statement: str, begin: int) -> None:
        columns: list[Column] = []
        if found := _inherits.search(statement):
            for parent in names_in(found[1]):
                columns += self.columns.get(self.name(parent), [])
        for item in _items(statement, begin):
            alone = _alone.fullmatch(item)
            if alone is not None and not _constraint.match(item):
                columns.append(Column(unquoted(alone[1]), _type(alone[2])))
            elif inner := re.search(r"PRIMARY KEY \((.*?)\)", item):
                self.keys[name] = names_in(inner[1])
        self.columns[name] = columns


def copy_of(statement: str) -> Copy | None:
    """Return the head of a block of rows, or None when a statement is none."""
    found = _copy.fullmatch(statement)
    return Copy(found[1], names_in(found[2]) if found[2] else []) if found else None


def is_whole(statement: str) -> bool:
    """Return whether a statement has come to its end."""
    for found in _token.finditer(statement):
        if found["open"]:
            return False
        if found["mark"] == ";":
            return True
    return False


def names_in(text: str, between: str = ",") -> list[str]:
    """Return the names of a list without their quotes."""
    return (
        [unquoted(name) for name in re.findall(NAME, text)]
        if between in text
        else [unquoted(text.strip())]
    )


def unquoted(name: str) -> str:
    """Return a name as the catalog has it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _is_name(kind: str) -> bool:
    return re.fullmatch(QUALIFIED, kind) is not None


def _type(text: str) -> str:
    found = _end_of_type.search(text)
    assert found is not None
    return text[: found.start()].strip()


def _literals(text: str) -> Iterator[str]:
    for found in re.findall(r"'((?:[^']|'')*)'", text):
        yield found.replace("''", "'")


def _items(statement: str, begin: int) -> Iterator[str]:
    """Yield what stands between the commas of a list, up to the bracket that ends it."""
    depth, start = 0, begin
    for found in _token.finditer(statement, begin):
        match found["mark"]:
            case "(":
                depth += 1
            case "," if depth == 0:
                yield statement[start : found.start()].strip()
                start = found.end()
            case ")" if depth == 0:
                yield statement[start : found.start()].strip()
                return
            case ")":
                depth -= 1
