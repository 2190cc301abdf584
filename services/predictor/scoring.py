"""How good the forecasts were that were said: each is held against what came."""

from math import log

import msgspec

from schema.forecast import Score
from schema.market import Bar
from services.predictor.outcomes import UNSAID, Line, Outcome

SCORE_EVERY = 60
"""Forecasts of a symbol that one score is made of."""


class Tally(msgspec.Struct):
    """The forecasts of one symbol since its last score."""

    forecasts: int = 0
    hits: int = 0
    brier: float = 0.0
    log_loss: float = 0.0


def count(tally: Tally, outcome: Outcome) -> None:
    """Add an outcome, if its forecast was said."""
    probability = outcome.sample.probability
    if probability == UNSAID:
        return
    of_what_came = probability if outcome.up else 1 - probability
    tally.forecasts += 1
    tally.hits += (probability > 0.5) == outcome.up
    tally.brier += (1 - of_what_came) ** 2
    tally.log_loss -= log(of_what_came)


def score(tally: Tally, bar: Bar, model: str) -> Score | None:
    """Return the score once there is enough to tell, and begin anew."""
    if tally.forecasts < SCORE_EVERY:
        return None
    found = Score(
        ts_event=bar.ts_event,
        symbol=bar.symbol,
        timeframe=bar.timeframe,
        model=model,
        forecasts=tally.forecasts,
        hit_ratio=tally.hits / tally.forecasts,
        brier=tally.brier / tally.forecasts,
        log_loss=tally.log_loss / tally.forecasts,
    )
    tally.forecasts = tally.hits = 0
    tally.brier = tally.log_loss = 0.0
    return found


def unsay(line: Line) -> None:
    """Let what waits teach the baseline alone: its forecasts were another model's."""
    for sample in line.waiting:
        sample.probability = UNSAID
