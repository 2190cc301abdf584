"""What a strategy is: a plain class that is asked, and answers with what it wants to hold.

Floats belong to the author; exact integers stay in the engine. A strategy reads what it is given
and remembers nothing else, so the same event and view lead to the same answer.
"""

import re
from abc import ABC
from itertools import pairwise
from math import fsum, log, sqrt
from typing import ClassVar, Literal

import msgspec

from schema.forecast import Forecast
from schema.market import Bar

DEVIATION_BARS_MIN = 30
TEXT_MAX = 300


class Target(msgspec.Struct, frozen=True):
    """What a strategy wants from now on, and why."""

    kind: Literal["enter", "flat", "keep"]
    why: str
    notional: float = 0.0  # quote money that an entry may cost
    stop: float = 0.0  # price at which the position is given up; 0: none
    until_ns: int = 0  # market time at which it is closed at the latest; 0: never

    @classmethod
    def enter(cls, notional: float, why: str, *, stop: float = 0.0, until_ns: int = 0) -> "Target":
        """Want a long position that costs about so much."""
        return cls("enter", why, notional, stop, until_ns)

    @classmethod
    def flat(cls, why: str) -> "Target":
        """Want no position."""
        return cls("flat", why)

    @classmethod
    def keep(cls, why: str) -> "Target":
        """Want what there is."""
        return cls("keep", why)


class View(msgspec.Struct, frozen=True):
    """One symbol as a strategy sees it; `closes` of the bars that it trades on, oldest first."""

    symbol: str
    now_ns: int
    price: float
    position: float  # its own
    average: float  # price that its position cost; 0 when flat
    equity: float  # of the account
    least: float  # quote money that the smallest order costs
    step_ns: int
    closes: tuple[float, ...]

    @property
    def long(self) -> bool:
        return self.position > 0

    def deviation(self, horizon_ns: int) -> float | None:
        """Return the standard deviation of log returns over a horizon; None with too few bars."""
        if len(self.closes) <= DEVIATION_BARS_MIN:
            return None
        logs = [log(close) for close in self.closes]
        moves = [after - before for before, after in pairwise(logs)]
        mean = fsum(moves) / len(moves)
        variance = fsum((move - mean) ** 2 for move in moves) / (len(moves) - 1)
        return sqrt(variance * horizon_ns / self.step_ns)


def plain(value: object) -> str:
    """Return a value as text of letters alone that is the same in every process: no address."""
    text = str(value)[:TEXT_MAX].encode(errors="replace").decode()
    return re.sub(r"0x[0-9a-f]+", "0x", text)


class Strategy(ABC):
    """Asked at each event; None means that it has nothing to say of this one."""

    name: ClassVar[str]
    symbols: tuple[str, ...] = ()
    every_ns: int = 0  # market time between two timers; 0: none

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}

    def note(self, **values: object) -> None:
        """Put values beside the next answer, for people; they decide nothing."""
        for name, value in values.items():
            self._notes[name] = f"{value:.6g}" if isinstance(value, float) else plain(value)

    def take_notes(self) -> tuple[tuple[str, str], ...]:
        """Return the notes of one answer, each once."""
        notes, self._notes = self._notes, {}
        return tuple(notes.items())

    def on_forecast(self, forecast: Forecast, view: View) -> Target | None:
        """Answer to a fresh forecast of a symbol."""
        return None

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Answer to a bar that has just closed."""
        return None

    def on_timer(self, at_ns: int, view: View) -> Target | None:
        """Answer to the strategy's timer."""
        return None
