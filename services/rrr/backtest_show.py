"""`rrr backtest list | show | diff`: the runs that were kept, and what they differ in."""

from pathlib import Path
from typing import Any

import click
import msgspec

from bus.house import House
from services.rrr.backtest_kept import picture_named, rows, runs_among, waiting
from services.rrr.books import require_shard
from services.rrr.pipes import reader_may_leave
from services.rrr.standing import standing_house
from services.rrr.survey import running_house
from services.rrr.tables import json_lines, table

SHARD = "backtest"
ID_CHARS = 8
NAMED_MAX = 5
FIGURES = ("return", "sharpe", "max_drawdown", "round_trips", "fees")
SHOWN = "time, run_id, strategy, report ->> '$.symbol' AS symbol, orders, {figures}"
RUNS = "SELECT {what} FROM runs ORDER BY time DESC, run_id"
WHOLE = "time, run_id, strategy, world, orders, metrics, fingerprint"


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_runs(*, as_json: bool) -> None:
    """Show the runs that were kept in this world, the newest first."""
    house = running_house(standing_house())
    _tell_of_waiting(house)
    require_shard(house, SHARD)
    figures = ", ".join(f"metrics ->> '$.{name}' AS \"{name}\"" for name in FIGURES)
    what = WHOLE if as_json else SHOWN.format(figures=figures)
    found = rows(house, RUNS.format(what=what))
    with reader_may_leave():
        if not as_json:
            click.echo("\n".join(table(found)))
            return
        for row in found:
            row["metrics"] = msgspec.json.decode(str(row["metrics"]))
            click.echo(b"".join(json_lines([row])), nl=False)


@click.command("show")
@click.argument("run_id", metavar="ID")
@click.option("--trades", is_flag=True, help="Its round trips as well.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write its page.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_run(run_id: str, html: Path | None, *, trades: bool, as_json: bool) -> None:
    """Show a run that was kept as it was shown; the beginning of its ID is enough."""
    from services.rrr.backtest_page import write_page  # noqa: PLC0415 - a list draws nothing
    from services.rrr.backtest_table import shown, trades_shown  # noqa: PLC0415 - as above

    house = running_house(standing_house())
    picture = picture_named(house, run_id)
    if html is not None:
        write_page(picture, html)
    if as_json:
        more: dict[str, Any] = {"round_trips": named(picture.trades)} if trades else {}
        text = msgspec.json.encode(picture.report | more).decode()
    else:
        listed = ["", *trades_shown(picture.trades)] if trades else []
        text = "\n".join([shown(picture.report), *listed])
    with reader_may_leave():
        click.echo(text)


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def diff_runs(a: str, b: str, *, as_json: bool) -> None:
    """Show what two runs differ in: figures, settings, code, and the first round trip apart."""
    from services.rrr.backtest_diff import difference  # noqa: PLC0415 - a list compares nothing
    from services.rrr.backtest_table import compared  # noqa: PLC0415 - as above

    house = running_house(standing_house())
    found = difference(picture_named(house, a), picture_named(house, b))
    with reader_may_leave():
        click.echo(msgspec.json.encode(found).decode() if as_json else compared(found))


def named(trades: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return round trips with their fields by name."""
    return [msgspec.structs.asdict(trade) for trade in trades]


def _tell_of_waiting(house: House) -> None:
    late = list(runs_among(waiting(house)))
    if late:
        count = "1 run waits" if len(late) == 1 else f"{len(late)} runs wait"
        newest = " ".join(name[:ID_CHARS] for name in late[: -NAMED_MAX - 1 : -1])
        click.echo(
            f"rrr: {count} in the journal until writer_backtest runs, the newest {newest}; "
            "`rrr backtest show` reads them there",
            err=True,
        )
