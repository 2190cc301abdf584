"""What a model is trained on: the features and outcomes of stored bars, split by time.

The rows come out of the very functions that the running predictor feeds its bars to.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from bus.columns import BarRow, Exponents
from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from services.predictor.features import DIRECTIONLESS, NAMES
from services.predictor.outcomes import Line, advance, await_outcome

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

STOP_FROM, VALIDATE_FROM = 0.7, 0.8
"""Shares of the time: what is before is learned from; what is between says when to stop; what is
behind is looked at once, to tell how good the model is."""

HASH_BYTES = 16


class Rows(msgspec.Struct):
    """Features of shape (n, features), outcomes (n,) of 0 and 1, times (n,) of their bars."""

    features: Floats
    ups: Floats
    closed_ns: np.ndarray[tuple[int, ...], np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.ups)

    def between(self, from_ns: int, until_ns: int) -> "Rows":
        """Return the rows of the bars that closed in [from, until)."""
        chosen = (self.closed_ns >= from_ns) & (self.closed_ns < until_ns)
        return Rows(self.features[chosen], self.ups[chosen], self.closed_ns[chosen])


class Split(msgspec.Struct):
    """Three stretches of time; between two of them lies a horizon that belongs to none."""

    learn: Rows
    stop: Rows
    validate: Rows


def bars_of(symbol: str, timeframe: str, exponents: Exponents, rows: Iterable[BarRow]) -> list[Bar]:
    """Return stored rows as the messages that they once were."""
    px_exp, qty_exp, quote_exp = exponents
    step_ns = TIMEFRAMES_NS[timeframe]
    return [
        Bar(
            ts_event=open_ns + step_ns,
            symbol=symbol,
            timeframe=timeframe,
            open_ns=open_ns,
            open=first,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=quote_volume,
            trades=trades,
            px_exp=px_exp,
            qty_exp=qty_exp,
            quote_exp=quote_exp,
        )
        for open_ns, first, high, low, close, volume, quote_volume, trades in rows
    ]


def rows_of(series: Mapping[str, Sequence[Bar]], horizon_bars: int) -> Rows:
    """Return a row for each bar whose outcome is known, of all symbols, in the order of time."""
    found = [row for bars in series.values() for row in _rows_of_one(bars, horizon_bars)]
    found.sort(key=lambda row: row[0])
    return Rows(
        np.array([features for _, features, _ in found], np.float64).reshape(-1, len(NAMES)),
        np.array([up for _, _, up in found], np.float64),
        np.array([closed_ns for closed_ns, _, _ in found], np.int64),
    )


def split(rows: Rows, horizon_ns: int) -> Split:
    """Part rows by time, so that no outcome that is learned lies in a later stretch."""
    first_ns, end_ns = (
        (int(rows.closed_ns[0]), int(rows.closed_ns[-1]) + 1) if len(rows) else (0, 0)
    )
    span_ns = end_ns - first_ns
    stop_ns = first_ns + int(span_ns * STOP_FROM)
    validate_ns = first_ns + int(span_ns * VALIDATE_FROM)
    return Split(
        rows.between(first_ns, stop_ns - horizon_ns),
        rows.between(stop_ns, validate_ns - horizon_ns),
        rows.between(validate_ns, end_ns),
    )


def mirrored(rows: Rows) -> Rows:
    """Return rows and their mirror images, in which each rise is a fall.

    What is learned of both has no opinion of its own: which way the market drifted in the weeks
    behind is not what it should repeat.
    """
    signs = np.array([1.0 if name in DIRECTIONLESS else -1.0 for name in NAMES])
    return Rows(
        np.vstack([rows.features, rows.features * signs]),
        np.hstack([rows.ups, 1 - rows.ups]),
        np.hstack([rows.closed_ns, rows.closed_ns]),
    )


def fingerprint(series: Mapping[str, Sequence[Bar]]) -> str:
    """Return the blake2b of all bars, symbol by symbol."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    for symbol, bars in sorted(series.items()):
        digest.update(symbol.encode() + b"\0")
        for bar in bars:
            digest.update(msgspec.msgpack.encode(bar))
    return digest.hexdigest()


def _rows_of_one(
    bars: Iterable[Bar], horizon_bars: int
) -> Iterable[tuple[int, tuple[float, ...], bool]]:
    line = Line()
    for bar in bars:
        features, outcomes = advance(line, bar)
        horizon_ns = horizon_bars * TIMEFRAMES_NS[bar.timeframe]
        for outcome in outcomes:
            sample = outcome.sample
            yield sample.due_ns - horizon_ns, sample.features, outcome.up
        if features is not None:
            await_outcome(line, bar, features, horizon_bars)
