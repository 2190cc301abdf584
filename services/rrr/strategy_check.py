"""`rrr strategy check`: whether decisions hang on the future, on luck, or on a restart."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.clock import SystemClock
from bus.errors import HouseError, SettingsError
from bus.history import history_of
from bus.house import House, open_house
from bus.migrations import KINDS
from bus.rows import shard_files
from schema.setting_types import WEEK_MS
from schema.units import SECOND_NS, iso
from services.rrr.backtest_words import as_typed
from services.rrr.pipes import reader_may_leave
from services.rrr.places import span_ns
from services.rrr.screen import table
from services.rrr.strategy_template import file_meant
from services.rrr.survey import NotReadyError, running_house

if TYPE_CHECKING:
    from schema.forecast import Forecast
    from schema.strategy import Offer
    from services.backtest.columns import Columns
    from services.backtest.findings import Finding
    from services.backtest.rehearsal import Task

BUDGET = 1000
FAILED = "FAILED"
BAR_CHARS = 30
SINCE = "30d"


class Asked(msgspec.Struct, frozen=True):
    """The words as they were typed."""

    strategy: str
    files: tuple[Path, ...]
    symbols: tuple[str, ...]
    since: str | None
    bars: int | None


@click.command()
@click.argument("strategy", metavar="NAME|FILE")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of bars; without one the stored history.",
)
@click.option("--symbol", "symbols", multiple=True, help="What each --file holds, e.g. BTC/USDT.")
@click.option("--since", metavar="SPAN", help=f"The last {SINCE}, 12h ... of the stored history.")
@click.option("--bars", type=click.IntRange(1), help="No more than so many bars.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(
    strategy: str,
    files: tuple[Path, ...],
    symbols: tuple[str, ...],
    since: str | None,
    bars: int | None,
    *,
    as_json: bool,
) -> None:
    """Play a strategy over history, and ask it all again: without the future, after a restart.

    Exits 1 when anything failed: such a strategy is not ready, whatever its backtest says.
    """
    from services.backtest.checking import Checking, Means  # noqa: PLC0415 - help needs no numpy
    from services.rrr.strategy_elsewhere import Elsewhere  # noqa: PLC0415 - as above

    clock = SystemClock()
    task = task_of(Asked(strategy, files, symbols, since, bars))
    show = _progress(clock)
    try:
        findings = Checking(task, Means(clock, show, Elsewhere)).findings()
    finally:
        show(-1.0)
    with reader_may_leave():
        click.echo(_json(task, findings) if as_json else "\n".join(_shown(task, findings)))
    if any(one.level == FAILED for one in findings):
        sys.exit(1)


def task_of(asked: Asked) -> "Task":
    """Return what is rehearsed; HouseError when the strategy does not load, or has no bars."""
    from services.backtest.history import History  # noqa: PLC0415 - as above
    from services.backtest.rehearsal import Task  # noqa: PLC0415 - as above

    here = open_house()
    name, own = _named(here, asked)
    symbols = _symbols(here, asked, name)
    try:
        house = _laid({**own, "venue.symbol": symbols, "ingest.symbols": symbols})
    except SettingsError as error:
        raise as_typed(error, name, ()) from error
    offer = _offer(house, name, symbols)
    base = _bars(running_house(here), asked, (symbols, _needed(offer)))
    history = History(base)
    start_ns, stop_ns = history.span(None, None, asked.bars or 0)
    task = Task(offer, house.settings, history, start_ns, stop_ns)
    return msgspec.structs.replace(task, forecasts=_forecasts(task))


def _named(house: House, asked: Asked) -> tuple[str, dict[str, object]]:
    """Return the strategy's name, and what the settings do not say of its file."""
    from services.rrr.strategy_wish import known_name  # noqa: PLC0415 - as above

    path = file_meant(house, asked.strategy)
    if path is None:
        known_name(house, asked.strategy)
        return asked.strategy, {}
    if not path.is_file():
        raise HouseError(f"there is no file {path}", "Name a strategy's file, or its name")
    name = path.stem.lower()
    budget = {} if name in house.settings.strategy else {f"strategy.{name}.budget": BUDGET}
    return name, {f"strategy.{name}.file": str(path), **budget}


def _symbols(house: House, asked: Asked, name: str) -> tuple[str, ...]:
    from services.backtest.sheet import symbol_of  # noqa: PLC0415 - as above

    own = house.settings.strategy.get(name)
    typed = tuple(symbol.upper() for symbol in asked.symbols)
    known = typed or (own.symbols if own else ())
    if not asked.files:
        return known or house.settings.ingest.symbols or house.settings.venue.symbol
    if len(typed) > len(asked.files):
        raise click.UsageError("expected one --file for each --symbol")
    if len(known) == len(asked.files):
        return known
    found = tuple(symbol_of(file) or "" for file in asked.files)
    if found == ("",):
        return (house.settings.ingest.symbols or house.settings.venue.symbol)[:1]
    if "" in found:
        raise click.UsageError("name with --symbol what each --file holds, in the same order")
    return found


def _laid(said: Mapping[str, object]) -> House:
    """Return the house around here as a rehearsal sees it."""
    own = {
        "engine.snapshot_s": WEEK_MS // 1000,
        "risk.stale_data_ms": WEEK_MS,
        "clock.scale": 1,
        **said,
    }
    laid = {f"RRR_{key.replace('.', '__').upper()}": _text(value) for key, value in own.items()}
    kept = {key: value for key, value in os.environ.items() if key != "MODE"}
    return open_house(environ={**kept, **laid, "RRR_MODE": "backtest"})


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _offer(house: House, name: str, symbols: tuple[str, ...]) -> "Offer":
    from services.engine.loading import load  # noqa: PLC0415 - as above
    from services.engine.sources import offer_of  # noqa: PLC0415 - as above

    own = house.settings.strategy[name]
    offer = offer_of(house.root, name, own, symbols)
    if offer.trouble:
        raise HouseError(offer.trouble, "Mend the strategy's file")
    offer = msgspec.structs.replace(offer, role="trade", symbols=symbols)
    beside = {key.rpartition(" ")[0] for key in load(offer).kind.also} - {""}
    traded = tuple(symbol for symbol in symbols if symbol not in beside) or symbols
    return msgspec.structs.replace(offer, symbols=own.symbols or traded)


def _needed(offer: "Offer") -> tuple[str, ...]:
    from services.engine.loading import load  # noqa: PLC0415 - as above

    beside = (key.rpartition(" ")[0] for key in load(offer).kind.also)
    return tuple(dict.fromkeys([*offer.symbols, *(symbol for symbol in beside if symbol)]))


def _bars(
    house: House, asked: Asked, names: tuple[tuple[str, ...], tuple[str, ...]]
) -> "dict[str, Columns]":
    from services.backtest.sheet import Grain, read_sheet  # noqa: PLC0415 - as above
    from services.backtest.shelf import newest_ns, read_shelf  # noqa: PLC0415 - as above

    symbols, needed = names
    if asked.files:
        if asked.since is not None:
            raise click.UsageError("--since is of the stored history: leave it out with --file")
        pairs = zip(symbols, asked.files, strict=True)
        return {symbol: read_sheet(file, Grain()) for symbol, file in pairs}
    if not shard_files(house.db_dir, KINDS["market"]) and not history_of(house):
        raise NotReadyError(
            f"there is no market shard in {house.db_dir} yet",
            "Start the house with `rrr up`, or name a file of bars with --file",
        )
    place, behind = house.db_dir, history_of(house)
    stop_ns = max((newest_ns(place, symbol, behind) for symbol in needed), default=0)
    if not stop_ns:
        raise HouseError(
            f"the stored history has no 1m bar of {' or '.join(needed)}",
            "Name what it has with --symbol, or a file of bars with --file",
        )
    start_ns = max(0, stop_ns - span_ns(asked.since or SINCE))
    return {symbol: read_shelf(place, symbol, start_ns, stop_ns, behind) for symbol in needed}


def _forecasts(task: "Task") -> "tuple[Forecast, ...]":
    from services.backtest.prophecy import forecasts_of  # noqa: PLC0415 - as above

    return forecasts_of(task)


def _progress(clock: SystemClock) -> Callable[[float], None]:
    since_ns = clock.mono_ns()

    def show(share: float) -> None:
        if not sys.stderr.isatty() or clock.mono_ns() - since_ns < SECOND_NS:
            return
        done = round(max(0.0, share) * BAR_CHARS)
        drawn = f"{'█' * done}{'░' * (BAR_CHARS - done)} {share:4.0%}" if share >= 0 else ""
        click.echo(f"\r\x1b[K{drawn}", err=True, nl=False)

    return show


def _shown(task: "Task", findings: "list[Finding]") -> list[str]:
    offer = task.offer
    span = f"{iso(task.start_ns)[:16]} to {iso(task.stop_ns)[:16]}"
    head = f"{offer.name}: {offer.file} {offer.digest[:8]}, {' '.join(offer.symbols)}, {span}"
    rows: list[tuple[str, ...]] = [(one.check, one.level, one.told) for one in findings]
    lines = table(rows)
    shown = [
        line
        for one, row in zip(findings, lines, strict=True)
        for line in ([row, f"    -> {one.todo}"] if one.todo else [row])
    ]
    bad = [one.check for one in findings if one.level == FAILED]
    end = f"FAILED: {' '.join(dict.fromkeys(bad))}" if bad else "It may be trusted with a backtest."
    return [head, "", *shown, "", end]


def _json(task: "Task", findings: "list[Finding]") -> str:
    offer = task.offer
    said = {
        "ok": not any(one.level == FAILED for one in findings),
        "strategy": offer.name,
        "digest": offer.digest,
        "symbols": offer.symbols,
        "from": iso(task.start_ns),
        "until": iso(task.stop_ns),
        "findings": findings,
    }
    return msgspec.json.encode(said).decode()
