"""Rows as a terminal shows them, and as a pipe takes them."""

from collections.abc import Iterable, Iterator

import msgspec

from bus.plain import printable
from bus.reading import Value

TABLE_ROWS_MAX = 1000
CELL_MAX = 60


def json_lines(rows: Iterable[dict[str, Value]]) -> Iterator[bytes]:
    """Yield each row as a JSON object and a line end; bytes as hexadecimal text."""
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode({name: _plain(value) for name, value in row.items()}) + b"\n"


def table(rows: list[dict[str, Value]]) -> list[str]:
    """Return rows as aligned lines for a terminal."""
    if not rows:
        return ["no rows"]
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows[:TABLE_ROWS_MAX]]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [names, ["-" * width for width in widths], *cells]
    ]
    if len(rows) > TABLE_ROWS_MAX:
        lines.append(f"… more than {TABLE_ROWS_MAX} rows: add LIMIT, or --json for all of them")
    return lines


def _plain(value: Value) -> Value:
    return value.hex() if isinstance(value, bytes) else value


def _cell(value: Value) -> str:
    text = "" if value is None else printable(str(_plain(value)))
    return text if len(text) <= CELL_MAX else text[: CELL_MAX - 1] + "…"
