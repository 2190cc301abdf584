"""What is asked of a run, and how the house around here looks to it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bus.errors import HouseError
from bus.house import House, open_house
from schema.setting_types import WEEK_MS
from schema.settings import RunSettings, StrategySettings
from services.backtest.columns import Columns
from services.backtest.filters import read_versions
from services.backtest.history import History
from services.backtest.sheet import QUOTES, Grain, read_sheet, symbol_of
from services.backtest.shelf import read_shelf

SNAPSHOT_S = WEEK_MS // 1000
ASKED_ONCE = {
    "gateway.poll_ms": str(WEEK_MS),
    "gateway.reconcile_ms": str(WEEK_MS),
    "engine.snapshot_s": str(SNAPSHOT_S),  # The worth of a run is sampled by the run.
}
NEVER_NS = 1 << 62


class Plan(msgspec.Struct, frozen=True):
    """What is asked for; without files the bars come from the market shards in `shards`."""

    strategy: str
    files: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()  # of the files, one each; or those of the shards
    shards: Path | None = None
    history: tuple[Path, ...] = ()  # places behind the shards
    listed: tuple[Path, ...] = ()  # other databases that know the filters of those days
    from_ns: int | None = None
    to_ns: int | None = None
    bars: int = 0  # the first ones alone; 0: all


def house_of(environ: Mapping[str, str], plan: Plan, changes: Mapping[str, str]) -> House:
    """Return the house around here as a run sees it; `changes` by dotted name, as --set has them.

    A bare name is a parameter of the strategy. What the strategy's own table changes comes first.
    """
    said = {**ASKED_ONCE, **_own_changes(environ, plan), **_dotted(plan, changes)}
    house = _laid(environ, said)
    own, balances = house.settings.strategy[plan.strategy], house.settings.venue.balances
    heard = house.settings.ingest.symbols or house.settings.venue.symbol
    symbols = symbols_of(plan, own, (balances, heard)) or heard
    listed = msgspec.json.encode(symbols).decode()
    return _laid(environ, {**said, "venue.symbol": listed, "ingest.symbols": listed})


def symbols_of(
    plan: Plan, own: StrategySettings, house: tuple[tuple[str, ...], tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the symbols of a plan's files, or those that it names of the shards.

    A file without one is of the symbol that the strategy's settings name, that the account of the
    run could trade, that the file's name begins with if the account can pay for it, or that the
    house hears first; `house` are its balances, and what it hears.
    """
    balances, heard = house
    if len(plan.symbols) >= len(plan.files):
        return plan.symbols
    if len(plan.files) == 1:
        told = symbol_of(plan.files[0]) or ""
        paid = told.partition("/")[2] in _assets(balances)
        for guess in (own.symbols, _pairs(balances), (told if paid else "",), heard[:1]):
            if len(guess) == 1 and guess[0]:
                return guess
    found = [symbol_of(file) for file in plan.files]
    for file, symbol in zip(plan.files, found, strict=True):
        if symbol is None:
            raise HouseError(
                f"{file.name} does not tell what its bars are of",
                "Say it with --symbol, e.g. --symbol BTC/USDT, once for each --file",
            )
    return tuple(symbol for symbol in found if symbol)


def opened(plan: Plan, grain: Grain, symbols: tuple[str, ...], before_ns: int = 0) -> History:
    """Return the bars of a plan; of the shards those of a while before it too.

    Of a file nobody knows which exchange's filters were its own; of the shards their own are.
    """
    base: dict[str, Columns] = {}
    if plan.files:
        for symbol, file in zip(symbols, plan.files, strict=True):
            base[symbol] = read_sheet(file, grain)
        return History(base)
    if plan.shards is None:
        raise HouseError("the run has no bars", "Name a file with --file, or a time with --since")
    start_ns, stop_ns = max(0, (plan.from_ns or 0) - before_ns), plan.to_ns or NEVER_NS
    for symbol in symbols:
        base[symbol] = read_shelf(plan.shards, symbol, start_ns, stop_ns, plan.history)
    places = plan.shards, *(place / "db" for place in plan.history), *plan.listed
    return History(base, read_versions(places, symbols))


def grain_of(own: RunSettings) -> Grain:
    """Return the decimals that a strategy's runs are played with."""
    return Grain(own.px_decimals, own.qty_decimals)


def _own_changes(environ: Mapping[str, str], plan: Plan) -> dict[str, str]:
    house = _laid(environ, {})
    own = house.settings.strategy.get(plan.strategy)
    if own is None:
        known = ", ".join(house.settings.strategy) or "none"
        raise HouseError(
            f"no strategy is named {plan.strategy!r}: the settings name {known}",
            "Name one of them, or write one: rrr strategy new NAME",
        )
    split = (change.partition("=") for change in own.backtest.changes)
    return {name: value for name, _, value in split}


def _dotted(plan: Plan, changes: Mapping[str, str]) -> dict[str, str]:
    own = f"strategy.{plan.strategy}.params"
    return {name if "." in name else f"{own}.{name}": text for name, text in changes.items()}


def _laid(environ: Mapping[str, str], said: Mapping[str, str]) -> House:
    laid = {f"RRR_{name.replace('.', '__').upper()}": text for name, text in said.items()}
    own = {"RRR_MODE": "backtest", "RRR_CLOCK__SCALE": "1"}
    kept = {name: text for name, text in environ.items() if name != "MODE"}
    return open_house(environ={**kept, **laid, **own})


def _pairs(balances: tuple[str, ...]) -> tuple[str, ...]:
    assets = _assets(balances)
    quotes = [asset for asset in assets if asset in QUOTES]
    bases = [asset for asset in assets if asset not in QUOTES]
    return tuple(f"{base}/{quote}" for base in bases for quote in quotes)


def _assets(balances: tuple[str, ...]) -> list[str]:
    return [text.partition(" ")[0] for text in balances]
