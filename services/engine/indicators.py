"""Indicators that follow the bars one by one: the same numbers as computed at once over them all.

They are those that reach back to their first bar. What a window of bars tells is a method of
`services.engine.bars.Bars`. Each has `value`, which is nan until it has heard enough.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec

from services.engine.means import Ema, Kama, Macd, Rma
from services.engine.momentum import Adx, Obv, Rsi
from services.engine.ranges import Atr, Psar, Supertrend

Indicator = Adx | Atr | Ema | Kama | Macd | Obv | Psar | Rma | Rsi | Supertrend


class Kind(msgspec.Struct, frozen=True):
    """How an indicator is made: of lengths, which are whole bars, and of factors above 0."""

    of: Callable[..., Indicator]
    lengths: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()


KINDS = {
    "adx": Kind(Adx.of, ("bars",)),
    "atr": Kind(Atr.of, ("bars",)),
    "ema": Kind(Ema.of, ("bars",)),
    "kama": Kind(Kama.of, ("bars", "fast", "slow")),
    "macd": Kind(Macd.of, ("fast", "slow", "signal")),
    "obv": Kind(Obv.of),
    "psar": Kind(Psar.of, (), ("step", "most")),
    "rma": Kind(Rma.of, ("bars",)),
    "rsi": Kind(Rsi.of, ("bars",)),
    "supertrend": Kind(Supertrend.of, ("bars",), ("factor",)),
}


def make(name: str, *settings: float) -> Indicator:
    """Return a new indicator by its name."""
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"there is no indicator {name!r}; there are {', '.join(KINDS)}")
    wanted = (*kind.lengths, *kind.factors)
    if len(settings) != len(wanted):
        told = ", ".join(wanted) or "nothing"
        raise ValueError(f"{name} is made of {told}; found {settings}")
    said = zip(kind.lengths, settings, strict=False)
    lengths = [whole(f"{name}: {setting}", value) for setting, value in said]
    said = zip(kind.factors, settings[len(lengths) :], strict=True)
    factors = [_above_zero(f"{name}: {setting}", value) for setting, value in said]
    return kind.of(*lengths, *factors)


def whole(what: str, value: Any, least: int = 1) -> int:
    """Return a length in bars, or refuse it."""
    if not _is_number(value) or value != int(value) or value < least:
        raise ValueError(f"{what} is a whole number of bars, {least} or more; found {value}")
    return int(value)


def _above_zero(what: str, value: Any) -> float:
    if not _is_number(value) or value <= 0:
        raise ValueError(f"{what} is a number above 0; found {value}")
    return float(value)


def _is_number(value: Any) -> bool:
    try:
        return isfinite(value)
    except TypeError:
        return False
