"""`rrr data fill`: higher timeframes from lower ones, in the history and nowhere else."""

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext

import click
import msgspec

from bus.bars import BarReader, open_bars
from bus.clock import Clock, SystemClock
from bus.errors import HouseError, ShardError
from schema.setting_types import TIMEFRAMES_NS
from services.rrr.data_building import Built, build
from services.rrr.data_coverage import HISTORY_PLACE, READ_LIMIT_MS, Place, places_of
from services.rrr.data_taking import chunks_of
from services.rrr.pipes import reader_may_leave
from services.rrr.progress import progress
from services.rrr.standing import standing_house
from services.rrr.survey import NotReadyError
from services.writer.history import History, open_history
from services.writer.history_chunks import Origin
from services.writer.history_compare import TooFineError

ABOVE = "5m,15m,1h,4h,1d"
SHOWN_MAX = 20


class Filled(msgspec.Struct):
    """What became of one series."""

    exchange: str
    symbol: str
    timeframe: str
    source: str  # the lower timeframe
    built: int  # bars that were not there
    equal: int  # were there, as the lower bars make them
    differing: int  # were there, otherwise; they stay without --replace
    differs: list[dict[str, str]] = []  # with --check: open, built, there


class Plan(msgspec.Struct, frozen=True):
    """What a person asked for."""

    symbols: tuple[str, ...]
    lower: str
    higher: tuple[str, ...]
    dry_run: bool
    check: bool
    replace: bool


@click.command()
@click.argument("symbols", nargs=-1)
@click.option("--from", "lower", type=click.Choice(list(TIMEFRAMES_NS)), default="1m",
              show_default=True, help="The bars to build from.")  # fmt: skip
@click.option("--timeframes", default=ABOVE, show_default=True, help="The bars to build.")
@click.option("--exchange", default="", help="Only this history.")
@click.option("--check", is_flag=True, help="List the bars that are there and differ.")
@click.option("--replace", is_flag=True, help="What differs gives way to what is built.")
@click.option("--dry-run", is_flag=True, help="Build and compare; write nothing.")
@click.option("--no-archive", is_flag=True, help="Leave closed months as rows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def fill(
    symbols: tuple[str, ...],
    lower: str,
    timeframes: str,
    exchange: str,
    *,
    check: bool,
    replace: bool,
    dry_run: bool,
    no_archive: bool,
    as_json: bool,
) -> None:
    """Build higher bars of SYMBOLS, or of all, from lower ones in the history.

    Only what is absent is built, only from bars that are there, and only where the span of a bar
    lies whole between the first and the last of them: a gap is never filled with invented bars.
    """
    house = standing_house()
    plan = Plan(
        tuple(one.upper() for one in symbols), lower, _above(timeframes, lower),
        dry_run, check, replace,
    )  # fmt: skip
    places = [
        one
        for one in places_of(house)
        if one.name == HISTORY_PLACE and exchange in {"", one.exchange}
    ]
    done: list[Filled] = []
    for place in places:
        done += _fill_place(place, plan, archive=not no_archive)
    with reader_may_leave():
        _show(done, as_json=as_json)
    for symbol in sorted(set(plan.symbols) - {one.symbol for one in done}):
        click.echo(f"rrr: there are no bars of {symbol} {lower} to build from", err=True)
    if not done:
        raise NotReadyError(
            f"there are no bars of {lower} to build from", "`rrr data status` shows what is there"
        )


def _above(timeframes: str, lower: str) -> tuple[str, ...]:
    wanted = tuple(one.strip() for one in timeframes.split(",") if one.strip())
    unknown = [one for one in wanted if one not in TIMEFRAMES_NS]
    low = [one for one in wanted if one not in unknown and not _is_multiple(one, lower)]
    if unknown or not wanted:
        raise click.UsageError(f"--timeframes {timeframes!r}: expected some of {ABOVE}")
    if low and timeframes != ABOVE:
        raise click.UsageError(f"{', '.join(low)} cannot be built from {lower}")
    return tuple(one for one in wanted if one not in low)


def _is_multiple(higher: str, lower: str) -> bool:
    high_ns, low_ns = TIMEFRAMES_NS[higher], TIMEFRAMES_NS[lower]
    return high_ns > low_ns and high_ns % low_ns == 0


def _fill_place(place: Place, plan: Plan, *, archive: bool) -> list[Filled]:
    clock = SystemClock()
    holding = nullcontext(None) if plan.dry_run else open_history(place.path, place.exchange, clock)
    with holding as history:
        done = list(_filled(place, plan, history, clock))
        if history is not None and archive and any(one.built or plan.replace for one in done):
            history.archive()
    return done


def _filled(place: Place, plan: Plan, history: History | None, clock: Clock) -> Iterator[Filled]:
    with open_bars(place.path / "db", clock, READ_LIMIT_MS) as reader:
        symbols = [
            symbol
            for symbol, timeframe in reader.series()
            if timeframe == plan.lower and (not plan.symbols or symbol in plan.symbols)
        ]
        with progress(len(symbols) or 1) as advance:
            for symbol in symbols:
                yield from _fill_symbol(reader, place, symbol, plan, history, clock)
                advance(symbol, 1)


def _fill_symbol(
    reader: BarReader, place: Place, symbol: str, plan: Plan, history: History | None, clock: Clock
) -> Iterator[Filled]:
    try:
        found = build(reader, symbol, plan.lower, plan.higher, replace=plan.replace)
    except TooFineError as error:
        raise ShardError(f"{symbol}: {error}", "Fill lower timeframes, or others") from error
    for built in found:
        if history is not None:
            _write(history, symbol, plan, built, clock)
        yield _of(place.exchange, symbol, built.timeframe, plan, built)


def _write(history: History, symbol: str, plan: Plan, built: Built, clock: Clock) -> None:
    series = built.series()
    if series is None:
        return
    source = f"{plan.lower} bars of {symbol}"
    for chunk in chunks_of(series, symbol):
        name = hashlib.sha256(f"{source} {chunk.timeframe}".encode()).hexdigest()
        try:
            for _ in history.take(chunk, Origin(source, name, clock.wall_ns(), plan.replace)):
                pass
        except OSError as error:
            raise HouseError(
                f"the history cannot be written: {error.strerror}",
                "Free space or mend its permissions, then fill again: what is done stays done",
            ) from error


def _of(exchange: str, symbol: str, higher: str, plan: Plan, built: Built) -> Filled:
    differs = built.differing if plan.check else []
    counts = (built.new, built.equal, len(built.differing))
    return Filled(exchange, symbol, higher, plan.lower, *counts, differs)


def _show(done: list[Filled], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
        return
    for one in done:
        click.echo(
            f"{one.exchange} {one.symbol} {one.timeframe}: {one.built:,} bars built from "
            f"{one.source}, {one.equal:,} were there, {one.differing:,} are there and differ"
        )
        for bar in one.differs[:SHOWN_MAX]:
            click.echo(f"  {bar['open']}: built {bar['built']}, there {bar['there']}")
