"""The exchange's filters of the day: every version that the trading shard knows of an instrument.

A run has one number of decimals from its first bar to its last, so a version is told in those of
the bars: with fewer of them its steps and bounds are rounded to the strict side.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import lcm
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from bus.errors import ShardError
from bus.migrations import KINDS
from bus.reading import Value
from bus.rows import Reader, shard_files
from schema.instruments import at
from schema.market import Instrument
from schema.units import (
    EXP_MAX,
    INT64_LIMIT,
    at_least,
    at_most,
    ceil_scale,
    floor_scale,
    iso,
    quote_exp,
    to_text,
)
from services.venue.columns import Facts
from services.venue.limits import EXP, MULTIPLIER, Limits

SHARD = "trading"
TIME_LIMIT_MS = 10_000
IS_KEPT = "SELECT 1 AS n FROM trading.sqlite_master WHERE name = 'instrument_versions'"
VERSIONS = """
SELECT symbol, valid_from_ns, px_exp, qty_exp, quote_exp, tick, lot, detail
FROM trading.instrument_versions WHERE symbol = ? ORDER BY valid_from_ns
"""
SAME = ("symbol", "px_exp", "qty_exp", "quote_exp", "tick", "lot")
"""What a row has beside its detail, and must be the same in it."""

STEPS = {"px_exp": ("tick",), "qty_exp": ("lot", "market_lot")}
LEAST = {
    "px_exp": ("min_px",),
    "qty_exp": ("min_qty", "market_min_qty"),
    "quote_exp": ("min_notional",),
}
MOST = {
    "px_exp": ("max_px",),
    "qty_exp": ("max_qty", "market_max_qty", "max_position"),
    "quote_exp": ("max_notional",),
}
MULTIPLIER_EXP = len(str(MULTIPLIER)) - 1
COUNT_MAX = 10**9

Row = dict[str, Value]
Versions = dict[str, tuple[Instrument, ...]]
"""By symbol, oldest first."""


def read_versions(places: Iterable[Path], symbols: Iterable[str]) -> Versions:
    """Return what the trading shards in some places know; of each symbol the first that does."""
    found: Versions = {}
    for place in dict.fromkeys(places):
        missing = [symbol for symbol in symbols if symbol not in found]
        if missing and shard_files(place, KINDS[SHARD]):
            found |= _read(place, missing)
    return found


def _read(place: Path, symbols: Sequence[str]) -> Versions:
    found: Versions = {}
    with Reader(place, SHARD, time_limit_ms=TIME_LIMIT_MS) as reader:
        if not list(reader.rows(IS_KEPT)):  # A shard from before they were kept.
            return found
        for symbol in symbols:
            rows = reader.rows(VERSIONS, (symbol,))
            if versions := tuple(version_of(row, place / f"{SHARD}.db") for row in rows):
                found[symbol] = versions
    return found


def version_of(row: Row, path: Path) -> Instrument:
    """Return the instrument that a row of versions keeps; ShardError for a damaged one."""
    symbol, from_ns = str(row["symbol"]), row["valid_from_ns"]
    assert isinstance(from_ns, int)
    where = f"{path}: the filters of {symbol} from {iso(from_ns)} on"
    try:
        found = _decoded(str(row["detail"]))
        _check(where, row, found)
        limits_of(found)
    except ValueError as error:  # As msgspec's own are.
        _damaged(where, "all fields of an instrument, in numbers that fit", str(error))
    return found


def _check(where: str, row: Row, found: Instrument) -> None:
    values = msgspec.structs.asdict(found)
    told = {**{name: row[name] for name in SAME}, "ts_event": row["valid_from_ns"]}
    for name, value in told.items():
        if values[name] != value:
            _damaged(where, f"{name} {value!r}, as its column has it", repr(values[name]))
    for name, value in values.items():
        if isinstance(value, int) and not 0 <= value < INT64_LIMIT:
            _damaged(where, f"{name} from zero on", repr(value))
        if name.endswith("_exp") and value > EXP_MAX:
            _damaged(where, f"{name} up to {EXP_MAX}", repr(value))


def _decoded(detail: str) -> Instrument:
    # A message is an array on a stream, and an object in the shard: by the names of its fields.
    kept = msgspec.json.decode(detail, type=dict[str, Any])
    fields = msgspec.structs.fields(Instrument)
    if unknown := sorted(kept.keys() - {field.name for field in fields}):
        raise msgspec.ValidationError(f"a field {unknown[0]!r} that nobody here knows")
    values = {field.encode_name: kept.get(field.name, field.default) for field in fields}
    missing = [name for name, value in values.items() if value is msgspec.NODEFAULT]
    if missing:
        raise msgspec.ValidationError(f"no {missing[0]}")
    tag = Instrument.__struct_config__.tag
    return msgspec.convert([tag, *values.values()], Instrument)


def _damaged(where: str, expected: str, found: str) -> NoReturn:
    raise ShardError(
        f"{where}: expected {expected}, found {found}",
        "The row is damaged: restore the shard from a backup, or play a --file of the bars",
    )


def that_hold(versions: Sequence[Instrument], start_ns: int, stop_ns: int) -> list[Instrument]:
    """Return those that hold within a stretch, without what only says again what holds already."""
    first = at(versions, start_ns)
    if first is None:
        return []
    found = [first]
    for one in versions:
        if first.ts_event < one.ts_event <= stop_ns and not _is_same(found[-1], one):
            found.append(one)
    return found


def _is_same(one: Instrument, other: Instrument) -> bool:
    head = {"ts_event": 0, "trace": 0, "cause": (0, 0)}
    return msgspec.structs.replace(one, **head) == msgspec.structs.replace(other, **head)


def passed(versions: Sequence[Instrument], start_ns: int, stop_ns: int) -> Iterator[Instrument]:
    """Yield what takes another's place after a time, until another."""
    for _, one in pairwise(versions):
        if start_ns < one.ts_event <= stop_ns:
            yield one


def fitted(version: Instrument, facts: Facts, now_ns: int) -> Instrument:
    """Return a version as it is said at a time, in the decimals of the bars."""
    exps = {"px_exp": facts.px_exp, "qty_exp": facts.qty_exp}
    exps["quote_exp"] = quote_exp(facts.px_exp, facts.qty_exp)
    changes: dict[str, Any] = {**exps, "ts_event": now_ns, "trace": 0, "cause": (0, 0)}
    values = msgspec.structs.asdict(version)
    for fields, way in ((STEPS, _step), (LEAST, _least), (MOST, _most)):
        for name, parts in fields.items():
            for part in parts:
                changes[part] = way(values[part], values[name], exps[name])
    return msgspec.structs.replace(version, **changes)


def _step(n: int, exp: int, wanted: int) -> int:
    """Return the smallest step that both the exchange and the decimals allow; 0 stays none."""
    return ceil_scale(lcm(n, 10 ** max(0, exp - wanted)), exp, wanted)


def _least(n: int, exp: int, wanted: int) -> int:
    return at_least(to_text(n, exp), wanted)


def _most(n: int, exp: int, wanted: int) -> int:
    """Return an upper bound; 0 is none, and what leaves room for nothing allows one unit."""
    return max(int(n > 0 and wanted < exp), at_most(to_text(n, exp), wanted))


def limits_of(instrument: Instrument) -> Limits:
    """Return what the venue's desk holds orders against; a bound of 0 is none."""
    one, px_exp, qty_exp = instrument, instrument.px_exp, instrument.qty_exp
    money_exp, none = instrument.quote_exp, Limits(1, 1, 0)
    return Limits(
        tick=_up(one.tick or 1, px_exp),
        lot=_up(one.lot or 1, qty_exp),
        least=_up(one.min_notional, money_exp),
        least_px=_up(one.min_px, px_exp),
        most_px=_down(one.max_px, px_exp) or none.most_px,
        least_qty=_up(one.min_qty, qty_exp),
        most_qty=_down(one.max_qty, qty_exp) or none.most_qty,
        market_lot=_up(one.market_lot, qty_exp),
        market_least=_up(one.market_min_qty, qty_exp),
        market_most=_down(one.market_max_qty, qty_exp) or none.market_most,
        most=_down(one.max_notional, money_exp) or none.most,
        least_of_market=not one.min_spares_market,
        most_of_market=not one.max_spares_market,
        bid=_band(one.bid_down, one.bid_up, one.band_exp),
        ask=_band(one.ask_down, one.ask_up, one.band_exp),
        average_mins=one.average_mins,
        orders=one.max_orders or COUNT_MAX,
        algo_orders=one.max_algo_orders or COUNT_MAX,
        lists=one.max_order_lists or COUNT_MAX,
        position=_down(one.max_position, qty_exp) or none.position,
    )


def _up(n: int, exp: int) -> int:
    return ceil_scale(n, exp, EXP)


def _down(n: int, exp: int) -> int:
    return at_most(to_text(n, exp), EXP)


def _band(down: int, up: int, exp: int) -> tuple[int, int]:
    """Return the multiples of the average, at least and at most."""
    most = floor_scale(up, exp, MULTIPLIER_EXP) if up else COUNT_MAX * MULTIPLIER
    return ceil_scale(down, exp, MULTIPLIER_EXP), most
