"""From the words of `rrr backtest STRATEGY` to the plan of a run."""

from collections.abc import Iterable, Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from bus.errors import HouseError, SettingsError
from bus.history import history_exchange, history_of
from bus.house import House
from bus.settings_tables import NAME, TAKEN
from schema.units import parse_iso
from services.rrr.books import require_shard
from services.rrr.db_export_files import history_meant
from services.rrr.places import span_ns
from services.rrr.strategy_template import file_meant

if TYPE_CHECKING:
    from services.backtest.plan import Plan

OWN = frozenset(
    {
        *("mode", "clock.scale", "venue.symbol", "ingest.symbols"),
        *("venue.market", "venue.replay"),
    }
)
"""Settings that a run makes itself, from its arguments and its files."""

MARKET = "market"
SYMBOLS = "RRR_VENUE__SYMBOL"
FEES = ("venue.maker_bps", "venue.taker_bps")
BPS = 10_000
BUDGET = 10_000


class Asked(msgspec.Struct, frozen=True):
    """The words as they were typed."""

    strategy: str
    files: tuple[Path, ...]
    symbols: tuple[str, ...]
    since: str | None
    start: str | None
    until: str | None
    bars: int | None
    sets: tuple[str, ...]
    commission: float | None
    fees: int | None
    history: str | None = None


class Meant(NamedTuple):
    """A plan, what is changed for it, and the environment that its settings are read in."""

    plan: "Plan"
    changes: dict[str, str]
    environ: dict[str, str]


def meant(house: House, environ: Mapping[str, str], asked: Asked) -> Meant:
    """Return what the words mean; UsageError for those that mean nothing."""
    from services.backtest.plan import Plan  # noqa: PLC0415 - a word of help needs no numpy

    name, own = _strategy(house, asked)
    stored = None if asked.files else _stored(house, asked.history)
    if asked.files and asked.history is not None:
        raise click.UsageError("--history and --file are two sources of bars: name one of them")
    symbols = tuple(symbol.upper() for symbol in asked.symbols)
    if asked.files and symbols and len(symbols) != len(asked.files):
        raise click.UsageError(
            f"{len(asked.files)} files and {len(symbols)} symbols: name with --symbol what each "
            "--file holds, in the same order"
        )
    plan = Plan(
        strategy=name,
        files=asked.files,
        symbols=symbols,
        shards=stored and stored.db_dir,
        history=stored.behind if stored else (),
        listed=stored.listed if stored else (),
        from_ns=_begin(house, asked, name, symbols, stored),
        to_ns=_time("until", asked.until),
        bars=asked.bars or 0,
    )
    changes = _fees(asked) | dict(_change(text) for text in asked.sets)
    return Meant(plan, changes, {**environ, **own})


class Stored(NamedTuple):
    """Where stored bars lie, where imported ones behind them do, and who else knows filters."""

    db_dir: Path
    behind: tuple[Path, ...]
    listed: tuple[Path, ...] = ()


def _stored(house: House, exchange: str | None) -> Stored:
    if exchange is None:
        behind = history_of(house)
        if not behind:
            require_shard(house, MARKET)
        return Stored(house.db_dir, behind)
    place = history_meant(house, exchange)
    # A house that trades on that exchange has met its filters.
    own = (house.db_dir,) if history_exchange(house) == place.name else ()
    return Stored(place / "db", (), own)


def source_of(house: House, asked: Asked) -> Path:
    """Return the file that holds the strategy."""
    path = file_meant(house, asked.strategy)
    return path or house.root / house.settings.strategy[asked.strategy].file


def as_typed(error: SettingsError, strategy: str, changes: Iterable[str]) -> HouseError:
    """Return what a run cannot use, told as it was typed: nobody here has set a variable."""
    what, hint = error.what, error.hint
    for name in changes:
        whole = name if "." in name else f"strategy.{strategy}.params.{name}"
        variable = f"RRR_{whole.replace('.', '__').upper()}"
        what, hint = (text.replace(variable, f"--set {name}") for text in (what, hint))
    what, hint = (text.replace(SYMBOLS, "--symbol") for text in (what, hint))
    return HouseError(what, hint)


def _strategy(house: House, asked: Asked) -> tuple[str, dict[str, str]]:
    """Return the strategy's name, and as variables what a file brings that no settings name."""
    known = house.settings.strategy
    path = file_meant(house, asked.strategy)
    if path is None:
        if asked.strategy not in known:
            raise click.UsageError(
                f"there is no strategy {asked.strategy!r}; the settings name "
                f"{', '.join(sorted(known))}, and a path to a .py file runs that file"
            )
        return asked.strategy, {}
    name = path.stem
    if not path.is_file():
        raise click.UsageError(f"there is no file {path}")
    if not NAME.fullmatch(name) or name in TAKEN:
        raise click.UsageError(
            f"{path.name} gives a strategy no name: expected small letters, digits and single _"
        )
    section = f"RRR_STRATEGY__{name.upper()}__"
    budget = {} if name in known else {f"{section}BUDGET": str(BUDGET)}
    return name, {f"{section}FILE": str(path), **budget}


def _begin(
    house: House, asked: Asked, name: str, symbols: tuple[str, ...], stored: Stored | None
) -> int | None:
    if asked.since is None:
        return _time("from", asked.start)
    if stored is None or asked.start is not None:
        raise click.UsageError(
            "--since takes the last stretch of the stored history: with --file, or to begin at "
            "another time, say --from"
        )
    from services.backtest.shelf import newest_ns  # noqa: PLC0415 - as above

    own = house.settings.strategy.get(name)
    wanted = symbols or (own.symbols if own else ()) or house.settings.ingest.symbols
    wanted = wanted or house.settings.venue.symbol
    last_ns = max(newest_ns(stored.db_dir, symbol, stored.behind) for symbol in wanted)
    if not last_ns:
        raise HouseError(
            f"the stored history has no 1m bar of {' or '.join(wanted)}",
            "Name what it has with --symbol, or a file of bars with --file",
        )
    return last_ns - span_ns(asked.since)


def _fees(asked: Asked) -> dict[str, str]:
    if asked.commission is not None and asked.fees is not None:
        raise click.UsageError("--commission and --fees say the same: choose one")
    bps = asked.fees
    if asked.commission is not None:
        bps = -1 if isnan(asked.commission) else round(asked.commission * BPS)
        if bps < 0 or abs(bps - asked.commission * BPS) > 1e-9:
            raise click.UsageError(
                f"--commission is {asked.commission}: expected a whole number of hundredths of a "
                "percent, such as 0.002"
            )
    return {} if bps is None else {name: str(bps) for name in FEES}


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError as error:
        raise click.UsageError(f"--{name} is {text!r}: {error}") from error


def _change(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or "" in name.split("."):
        raise click.UsageError(
            f"--set is {text!r}; expected NAME=VALUE for a parameter, or SECTION.KEY=VALUE"
        )
    if name in OWN:
        raise click.UsageError(f"--set cannot change {name}: a run makes it itself")
    return name, value
