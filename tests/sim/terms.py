"""The settings that a seed is run with."""

import json
from functools import lru_cache

from schema.settings import Settings
from tests.services.shipped import shipped
from tests.sim.odds import Dice
from tests.sim.walk import OTHER, SYMBOL

TIGHT = {
    "RRR_GATEWAY__MAX_ORDER_NOTIONAL": "2000",
    "RRR_GATEWAY__MAX_OPEN_ORDERS": "5",
    "RRR_GATEWAY__ORDER_RATE": "6",
    "RRR_GATEWAY__ORDER_WINDOW_MS": "30000",
}
"""Limits of the last gate that are met now and then."""

RESTS_MS = "600000"
SHORT = {
    f"RRR_PROTECTION__{name}__STOP_DURATION_MS": RESTS_MS
    for name in ("STOPLOSS_GUARD", "MAX_DRAWDOWN", "LOW_PROFIT_PAIRS")
}
"""After ten minutes of the market entries are allowed again: a story goes on for longer."""


def symbols_of(dice: Dice) -> tuple[str, ...]:
    """Return the symbols that a seed trades."""
    return (SYMBOL, OTHER) if dice.of("symbols").random() < 0.2 else (SYMBOL,)


def settings_of(dice: Dice, scale: float, symbols: tuple[str, ...]) -> Settings:
    """Return the settings of a seed."""
    return _settings(scale, symbols, tight=dice.of("limits").random() < 0.25)


@lru_cache(64)
def _settings(scale: float, symbols: tuple[str, ...], *, tight: bool) -> Settings:
    return shipped(
        RRR_CLOCK__SCALE=f"{scale:g}",
        RRR_INGEST__SYMBOLS=json.dumps(symbols),
        RRR_STRATEGY__THRESHOLD__PARAMS__STOP_DEVIATIONS="0.3",
        RRR_STRATEGY__PULSE__PARAMS__EVERY_S=f"{max(60, scale * 5):g}",
        RRR_STRATEGY__PULSE__PARAMS__HOLD_S=f"{max(25, scale * 2):g}",
        **SHORT,
        **(TIGHT if tight else {}),
    )
