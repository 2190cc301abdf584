"""`rrr db`: look into the shards."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import click
import msgspec

from bus.errors import HouseError
from bus.migrations import KINDS
from bus.plain import printable
from bus.rows import TIME_LIMIT_MS, read_rows
from bus.shard import Value
from services.rrr.books import as_integrity, require_shard
from services.rrr.pipes import reader_may_leave
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

TABLE_ROWS_MAX = 1000
CELL_MAX = 60


@click.group("db")
def db() -> None:
    """Look into the shards, read-only."""


@db.command("query")
@click.argument("shard")
@click.argument("sql")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, without a limit.")
@click.option("--time-limit-ms", type=click.IntRange(1), default=TIME_LIMIT_MS, show_default=True)
def query(shard: str, sql: str, time_limit_ms: int, *, as_json: bool) -> None:
    """Show what a SELECT finds in SHARD.

    market has the views bars and ticks over all its months; trading has orders, fills, positions
    and ledger; analytics has executions, predictions and models; backtest has runs.
    """
    if shard not in KINDS:
        raise click.UsageError(f"There is no shard {shard!r}. The shards are: {', '.join(KINDS)}")
    if not sql.strip():
        raise click.UsageError("the query is empty; write a SELECT")
    house = running_house(standing_house())
    require_shard(house, shard)
    try:
        rows = read_rows(house.db_dir, shard, sql, time_limit_ms=time_limit_ms)
        with reader_may_leave():
            _show(rows, as_json=as_json)
    except HouseError as error:
        raise as_integrity(error) from error


def _show(rows: Iterator[dict[str, Value]], *, as_json: bool) -> None:
    if not as_json:
        click.echo("\n".join(table(list(islice(rows, TABLE_ROWS_MAX + 1)))))
        return
    for line in json_lines(rows):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


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
