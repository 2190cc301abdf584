"""`rrr backtest`: run a strategy over recorded bars, and show the runs that were kept."""

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError, SettingsError
from bus.house import House, open_house
from bus.rows import read_rows
from schema.settings import Strategy
from schema.units import SECOND_NS, parse_iso
from services.rrr.books import as_integrity, require_shard
from services.rrr.db import json_lines, table
from services.rrr.pipes import reader_may_leave
from services.rrr.screen import duration
from services.rrr.screen import table as aligned
from services.rrr.standing import standing_house
from services.rrr.survey import running_house

if TYPE_CHECKING:
    from services.backtest.running import Outcome

SHARD = "backtest"
RUNS = "SELECT time, run_id, strategy, orders, {figures} FROM runs ORDER BY time DESC, run_id"
FIGURES = ("return", "sharpe", "max_drawdown", "round_trips", "fees")
OWN = frozenset(
    {
        *("clock.scale", "venue.symbol", "ingest.symbols", "engine.strategies"),
        "predictor.timeframe",
    }
)
"""Settings that a run makes itself, from its arguments and its file."""

SHARES = frozenset({"return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure"})
LABELS = {"max_drawdown_s": "longest drawdown"}
BAR_CHARS = 30


class Runs(click.Group):
    """Takes the name of a strategy where a verb would stand: to run is what one comes for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        named = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if named else ["run", *args])


@click.group(cls=Runs, subcommand_metavar="STRATEGY | list [OPTIONS]")
def backtest() -> None:
    """Run STRATEGY over recorded bars, or list the runs that were kept.

    `rrr backtest STRATEGY --help` names what a run takes.
    """


@backtest.command("run", hidden=True)
@click.argument("strategy", type=click.Choice(get_args(Strategy)))
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV or CSV.gz of 1m bars, as the venue replays it.",
)
@click.option("--symbol", required=True, help="What the bars are of, e.g. BTC/USDT.")
@click.option("--from", "start", help="ISO time; bars before it are known, and not traded.")
@click.option("--to", "stop", help="ISO time; without it to the end of the file.")
@click.option("--set", "sets", multiple=True, metavar="SECTION.KEY=VALUE", help="A setting.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def run_one(
    strategy: str,
    file: Path,
    symbol: str,
    start: str | None,
    stop: str | None,
    sets: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Run STRATEGY over a file of bars, with the engine, risk and gateway that trade.

    Bars are heard at their close; orders fill at the venue's desk, 50 ms between sending and the
    answer. The same code, settings and data are the same run, with the same id and figures.
    """
    from services.backtest import running  # noqa: PLC0415 - a word of help needs no numpy
    from services.backtest.keeping import keep  # noqa: PLC0415 - as above

    plan = running.Plan(strategy, file, symbol.upper(), _time("from", start), _time("to", stop))
    changes = dict(_change(text) for text in sets)
    try:
        house = running.house_of(dict(os.environ), plan, changes)
    except SettingsError as error:
        raise _as_said(error, changes) from error
    clock, home = SystemClock(), running_house(open_house())
    progress = Progress(clock)
    outcome = running.run(house, plan, progress.show)
    progress.clear()
    try:
        keep(home, outcome, clock)
    finally:  # A full disk does not take away what was worked out.
        with reader_may_leave():
            click.echo(msgspec.json.encode(outcome).decode() if as_json else _report(outcome))


@backtest.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_runs(*, as_json: bool) -> None:
    """Show the runs that were kept in this world, the newest first."""
    house = running_house(standing_house())
    require_shard(house, SHARD)
    figures = ", ".join(f"metrics ->> '$.{name}' AS \"{name}\"" for name in FIGURES)
    sql = "SELECT * FROM runs ORDER BY time DESC, run_id" if as_json else RUNS
    rows = _rows(house, sql.format(figures=figures))
    with reader_may_leave():
        if not as_json:
            click.echo("\n".join(table(rows)))
            return
        for row in rows:
            row["metrics"] = msgspec.json.decode(str(row["metrics"]))
            click.echo(b"".join(json_lines([row])), nl=False)


class Progress:
    """A bar on a terminal, of what takes more than a second."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._since_ns = clock.mono_ns()
        self._shown = False

    def show(self, share: float) -> None:
        """Draw how far it has come."""
        if not sys.stderr.isatty() or self._clock.mono_ns() - self._since_ns < SECOND_NS:
            return
        self._shown = True
        done = round(share * BAR_CHARS)
        drawn = "█" * done + "░" * (BAR_CHARS - done)
        click.echo(f"\r\x1b[K{drawn} {share:4.0%}", err=True, nl=False)

    def clear(self) -> None:
        """Leave the line empty."""
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)


def _rows(house: House, sql: str) -> list[dict[str, Any]]:
    try:
        return list(read_rows(house.db_dir, SHARD, sql))
    except HouseError as error:
        raise as_integrity(error) from error


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError as error:
        raise click.UsageError(f"--{name} is {text!r}: {error}") from error


def _change(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise click.UsageError(f"--set is {text!r}; expected SECTION.KEY=VALUE")
    if name.strip() in OWN:
        raise click.UsageError(f"--set cannot change {name.strip()}: a run makes it itself")
    return name.strip(), value


def _as_said(error: SettingsError, changes: dict[str, str]) -> HouseError:
    # A change is read like a variable of the environment, and nobody here has set one.
    what, hint = error.what, error.hint
    for name in changes:
        variable = f"RRR_{name.replace('.', '__').upper()}"
        what, hint = (text.replace(variable, f"--set {name}") for text in (what, hint))
    return HouseError(what, hint)


def _report(outcome: "Outcome") -> str:
    figures = outcome.metrics.items()
    rows: list[tuple[str, ...]] = [
        (LABELS.get(n, n.replace("_", " ")), _shown(n, x)) for n, x in figures
    ]
    counts = [("orders", outcome.orders), ("fills", outcome.fills), ("denied", outcome.denied)]
    rows += [(name, str(count)) for name, count in counts]
    rows += [(f"  {code}", str(count)) for code, count in outcome.denials.items()]
    money = f"{outcome.opening} -> {outcome.final} {outcome.quote}"
    span = f"{outcome.first} to {outcome.last}, {outcome.bars} bars of 1m"
    return "\n".join(
        [
            f"Run {outcome.run_id}: {outcome.strategy} on {outcome.symbol}",
            span,
            f"equity {money}",
            "",
            *aligned(rows),
            *(f"the strategy failed: {failure}" for failure in outcome.failures),
        ]
    )


def _shown(name: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    if name in SHARES:
        return f"{value:.2%}"
    if name == "max_drawdown_s":
        return duration(value)
    return f"{value:g}" if value == int(value) else f"{value:.4f}"
