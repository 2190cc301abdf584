"""`rrr db query`: what a SELECT finds in a shard, or in the imported history of an exchange."""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from bus.errors import HouseError
from bus.history import history_of
from bus.house import House
from bus.migrations import KINDS
from bus.month_names import archive_dir
from bus.reading import Rows, Value
from bus.rows import TIME_LIMIT_MS, read_rows, shard_files
from services.rrr.books import as_integrity, require_shard
from services.rrr.db_export_files import HISTORY, history_meant
from services.rrr.pipes import reader_may_leave
from services.rrr.spans import FilePath
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.rrr.tables import TABLE_ROWS_MAX, json_lines, table

LEGACY = "legacy"
SUPABASE = "supabase"
ELSEWHERE = "a directory that `restore` or `import` made, or of another world"
MARKET = "market"


@click.command("query")
@click.argument("shard")
@click.argument("sql")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, without a limit.")
@click.option("--time-limit-ms", type=click.IntRange(1), default=TIME_LIMIT_MS, show_default=True)
@click.option("--in", "elsewhere", type=FilePath(), help=f"Of the shards in {ELSEWHERE}.")
def query(
    shard: str, sql: str, time_limit_ms: int, elsewhere: Path | None, *, as_json: bool
) -> None:
    """Show what a SELECT finds in SHARD.

    market has the views bars and ticks over all its months, their archives and the history behind
    them, and bars_live, coverage, gaps and imports; trading has orders, fills, positions,
    portfolio, ledger and more; analytics has executions, predictions and models; backtest has
    runs. history, or history:EXCHANGE, is the imported history alone, with the views of market;
    legacy, or legacy:NAME, is what came from PostgreSQL.
    """
    kind, _, name = shard.partition(":")
    if kind not in {*KINDS, HISTORY, LEGACY} or (name and kind in KINDS):
        known = ", ".join((*KINDS, HISTORY, LEGACY))
        raise click.UsageError(f"There is no shard {shard!r}. The shards are: {known}")
    if not sql.strip():
        raise click.UsageError("the query is empty; write a SELECT")
    if elsewhere is None:
        house = running_house(standing_house())
        rows = _rows(house, (kind, name), sql, time_limit_ms)
    else:
        rows = read_rows(_db_dir(elsewhere, kind), kind, sql, (), time_limit_ms)
    try:
        with reader_may_leave():
            _show(rows, as_json=as_json)
    except HouseError as error:
        raise as_integrity(error) from error


def _rows(house: House, of: tuple[str, str], sql: str, time_limit_ms: int) -> Rows:
    kind, name = of
    if kind == LEGACY:
        from services.rrr.legacy import legacy_rows  # noqa: PLC0415 - few houses have it

        return legacy_rows(house.home, sql, name=name or SUPABASE, time_limit_ms=time_limit_ms)
    kind, db_dir, behind = _place(house, kind, name)
    return read_rows(db_dir, kind, sql, (), time_limit_ms, behind)


def _place(house: House, kind: str, exchange: str) -> tuple[str, Path, Sequence[Path]]:
    """Return the kind of a shard, where it lies, and the places behind it."""
    if kind == HISTORY:
        return MARKET, history_meant(house, exchange) / "db", ()
    behind = history_of(house) if kind == MARKET else ()
    if not behind:
        require_shard(house, kind)
    return kind, house.db_dir, behind


def _db_dir(elsewhere: Path, kind: str) -> Path:
    """Return where the files of a shard lie that is not of this world."""
    if kind not in KINDS:
        raise click.UsageError(f"--in goes with a shard of a world, not with {kind}")
    inner = elsewhere / "db"
    db_dir = inner if inner.is_dir() else elsewhere
    sealed = archive_dir(inner.parent) if kind == MARKET and db_dir == inner else None
    if not shard_files(db_dir, KINDS[kind]) and not (sealed and sealed.is_dir()):
        raise click.UsageError(f"There is no {kind} shard in {elsewhere}")
    return db_dir


def _show(rows: Iterator[dict[str, Value]], *, as_json: bool) -> None:
    if not as_json:
        click.echo("\n".join(table(list(islice(rows, TABLE_ROWS_MAX + 1)))))
        return
    for line in json_lines(rows):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
