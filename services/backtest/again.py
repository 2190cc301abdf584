"""Makes calls of a rehearsal again: from other bars, in another order, by another instance."""

from collections.abc import Sequence
from math import isnan
from typing import Any, NamedTuple

import msgspec
import numpy as np

from schema.setting_types import TIMEFRAMES_NS
from services.backtest.outside import Outside
from services.backtest.witness import Call, Row, Witness, packed, target_of
from services.engine.bars import Bars
from services.engine.boundary import Bare, Failure, ask
from services.engine.hearing import series_key
from services.engine.indicators import Indicator
from services.engine.loading import Loaded, migrated, settle
from services.engine.nonsense import LADDERS, PRICES
from services.engine.series import CLOSE, KEPT_BARS, Floats, Series
from services.engine.strategy import Strategy, Target
from services.engine.view import View

SAME = ("kind", "why", "expires", "tif", "post_only", "good_till")
PRICE_SHARE, SIZE_SHARE = 1e-4, 1e-3
"""Two targets that are nearer than this are one decision: a longer memory moves the last digits."""

FOLLOWED = 50
"""Calls that are made again behind a refill."""

NAMED_SHARE, ODD_SHARE = 1e-5, 0.01
"""An indicator that a refill changed by more is named beside a decision, or told by itself."""


Steps = tuple[tuple[float, float], ...]


class Need(NamedTuple):
    """Bars that a strategy sees of a symbol: their name in `also`, the series, and how many."""

    name: str
    key: str
    bars: int


class Difference(msgspec.Struct, frozen=True):
    """A call that came to something else."""

    call: Call
    found: bytes
    after: bytes
    odd: dict[str, float] = {}  # indicators that a refill changed, and by what share


class Again:
    """The calls of one rehearsal, made again one by one."""

    def __init__(self, loaded: Loaded, witness: Witness, outside: Outside) -> None:
        self._loaded = loaded
        self._kind: type[Strategy] = loaded.kind
        self._outside = outside
        self._rows = {key: _grid(rows) for key, rows in witness.rows.items()}
        self._of: dict[str, list[Call]] = {}
        self._places: dict[int, int] = {}
        for call in witness.calls:
            calls = self._of.setdefault(call.symbol, [])
            self._places[id(call)] = len(calls)
            calls.append(call)

    def differing(self, calls: Sequence[Call]) -> list[Difference]:
        """Make calls again with nothing there but the bars before them, the newest call first."""
        found = []
        for call in reversed(calls):
            answer, after = self._ask(call, self._as_it_was(call), call.before, timed=True)
            if (answer, after) != (call.answer, call.after):
                found.append(Difference(call, answer, after))
        return found[::-1]

    def refilled(self, call: Call, factor: int) -> Difference | None:
        """Return the first of the calls from one on that differs once the windows are refilled."""
        series = {n.name: self._filled(n, c, factor) for n, c in self._counted(call)}
        calls = self._of[call.symbol]
        first = self._places[id(call)]
        state, counts = call.before, call.counts
        odd: dict[str, float] = {}
        for number, one in enumerate(calls[first : first + FOLLOWED]):
            self._advance(series, one, counts)
            counts = one.counts
            answer, state = self._ask(one, series, state, timed=False)
            if number == 0 and one.indicators:
                odd = _odd(self._as_it_was(one), series)
            if not agree(one.answer, answer):
                return Difference(one, answer, state, odd)
        told = max(odd.values(), default=0.0) > ODD_SHARE
        return Difference(call, call.answer, call.after, odd) if told else None

    def _needs(self, symbol: str) -> list[Need]:
        kind = self._kind
        found = [Need("", series_key(symbol, kind.timeframe), kind.warmup)]
        for name, count in kind.also.items():
            other, _, timeframe = name.rpartition(" ")
            found.append(Need(name, series_key(other or symbol, timeframe), count))
        return found

    def _counted(self, call: Call) -> list[tuple[Need, int]]:
        return list(zip(self._needs(call.symbol), call.counts, strict=True))

    def _as_it_was(self, call: Call) -> dict[str, Series]:
        kept = zip(self._counted(call), call.ends, call.indicators, strict=True)
        found = {}
        for (need, count), end, indicators in kept:
            series = _series(self._rows[need.key][:, count - end : count], need.bars)
            series.indicators = msgspec.msgpack.decode(indicators, type=dict[str, Indicator])
            found[need.name] = series
        return found

    def _filled(self, need: Need, count: int, factor: int) -> Series:
        first = max(0, count - factor * need.bars)
        return _series(self._rows[need.key][:, first:count], factor * need.bars)

    def _advance(self, series: dict[str, Series], call: Call, before: Sequence[int]) -> None:
        for (need, count), had in zip(self._counted(call), before, strict=True):
            for row in self._rows[need.key][:, had:count].T.tolist():
                series[need.name].append(tuple(row))

    def _ask(
        self, call: Call, series: dict[str, Series], state: bytes, *, timed: bool
    ) -> tuple[bytes, bytes]:
        kind = self._kind
        strategy = kind(self._loaded.params, migrated(kind, state))
        view = self._view(call, series)
        run = self._outside.timed if timed else self._outside.call
        answer = ask(
            Bare(), "again", lambda: run(lambda: getattr(strategy, call.event)(call.about, view))
        )
        if isinstance(answer, Failure):
            return f"!{answer.reason}: {answer.detail}".encode(), state
        return packed(answer), settle(strategy, state)

    def _view(self, call: Call, series: dict[str, Series]) -> View:
        bars = {n.name: Bars(series[n.name], n.bars) for n in self._needs(call.symbol)}
        return View(
            bars,
            call.purse,
            symbol=call.symbol,
            now=call.now_ns,
            bar_ns=TIMEFRAMES_NS[self._kind.timeframe],
            price=call.price,
            forecast=call.forecast,
        )


def agree(before: bytes, found: bytes) -> bool:
    """Return whether two answers are one decision."""
    if before == found:
        return True
    one, other = target_of(before), target_of(found)
    if one is None or other is None:
        return _idle(one, before) and _idle(other, found)
    if any(getattr(one, name) != getattr(other, name) for name in SAME):
        return False
    prices = ((getattr(one, name), getattr(other, name)) for name in PRICES)
    steps = ((getattr(one, name), getattr(other, name)) for name in LADDERS)
    near = all(_near(a, b, PRICE_SHARE) for a, b in prices) and all(_alike(a, b) for a, b in steps)
    return near and _near(one.size, other.size, SIZE_SHARE)


def _alike(ours: Steps, others: Steps) -> bool:
    """Return whether two ladders are one."""
    pairs = zip(ours, others, strict=False)
    near = (_near(a[0], b[0], PRICE_SHARE) and _near(a[1], b[1], SIZE_SHARE) for a, b in pairs)
    return len(ours) == len(others) and all(near)


def _idle(target: Target | None, answer: bytes) -> bool:
    return not answer or (target is not None and target.kind == "keep")


def _near(a: float, b: float, share: float) -> bool:
    return a == b or abs(a - b) <= share * max(abs(a), abs(b))


def _grid(rows: list[Row]) -> Floats:
    return np.array(rows, np.float64).reshape(-1, 5).T.copy()


def _series(rows: Floats, size: int) -> Series:
    count = rows.shape[1]
    series = Series(size=max(KEPT_BARS, size, count))
    series.grid[:, :count] = rows
    series.end = count
    return series


def _odd(before: dict[str, Series], found: dict[str, Series]) -> dict[str, float]:
    """Return the indicators that a refill changed, as `ema(200)`, and by what share."""
    odd = {}
    for name, series in before.items():
        price = float(series.row(CLOSE, 1)[-1])
        for key, indicator in series.indicators.items():
            now: Any = found[name].indicators.get(key)
            share = _share(key, indicator.value, now.value, price) if now is not None else 0.0
            if share > NAMED_SHARE:
                odd[_shown(name, key)] = share
    return odd


def _share(key: str, before: float, now: float, price: float) -> float:
    if isnan(before) or isnan(now):
        return float(isnan(before) != isnan(now))
    scale = price if key.startswith("macd") else max(abs(before), abs(now))
    return abs(before - now) / scale if scale else 0.0


def _shown(name: str, key: str) -> str:
    kind, *settings = key.split(" ")
    told = ", ".join(f"{float(one):g}" for one in settings)
    return f'view["{name}"].{kind}({told})' if name else f"{kind}({told})"
