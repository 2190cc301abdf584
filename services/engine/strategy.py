"""What an author of a strategy writes against: the only module of the house that one imports.

Floats belong to the author; exact integers stay in the engine. There is one instance for each
symbol. It reads what it is given and remembers its declared `State` alone, so that the same
event, view and state lead to the same answer in a backtest, in a replay and in the night.
"""

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec

from schema.forecast import Forecast
from services.engine.bars import Bars
from services.engine.plain import SIMPLE, TEXT_MAX, told
from services.engine.view import Bar, View

__all__ = [
    "Bar",
    "Bars",
    "Denial",
    "Fill",
    "Forecast",
    "Params",
    "State",
    "Strategy",
    "Target",
    "View",
]

NOTES_MAX = 128
"""Beside one answer: all of it travels as one message."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A strategy's parameters, with defaults; a comment `# 5..50` is a range, `# live` a mark.

    A parameter with that mark changes while a position is open without a reload.
    """


class State(msgspec.Struct):
    """What a strategy remembers of one symbol, with defaults: plain numbers, text, lists, dicts."""


class Fill(msgspec.Struct, frozen=True):
    """A part of an own order that was filled; `leg` is entry, exit, stop or target."""

    side: Literal["buy", "sell"]
    qty: float
    price: float
    fee: float  # in the quote asset; 0 when it was paid in another
    leg: str


class Denial(msgspec.Struct, frozen=True):
    """An own order that did not come to be, by whom and why; `code` as in MAX_POSITION_EXCEEDED."""

    code: str
    detail: str
    leg: str


class Target(msgspec.Struct, frozen=True):
    """What a strategy wants to hold from now on, and why.

    A size below zero is a short. The same target again changes nothing; another stop, take or
    expiry is followed at once, another size when it differs enough (`engine.resize_pct`; a `qty`
    always). A short `why` is a tag: figures of a run are told for each.
    """

    kind: Literal["weight", "qty", "notional", "flat", "keep"]
    size: float = 0.0
    why: str = ""
    limit: float = 0.0  # an entry waits for this price; 0: at the market
    stop: float = 0.0  # the position is given up here, by an order at the exchange; 0: nowhere
    take: float = 0.0  # the position is closed here with a gain; 0: nowhere
    expires: int = 0  # market time in ns at which it becomes flat; 0: never
    trigger: float = 0.0  # an entry waits until the market has come this far; 0: it does not
    stop_limit: float = 0.0  # what the stop sells for at least, a short's buys for at most; 0: any
    tif: Literal["GTC", "IOC", "FOK"] = "GTC"  # how long an entry with a limit stays
    post_only: bool = False  # an entry with a limit never takes from the book
    trail: float = 0.0  # the stop follows the market at this distance; 0: it does not …
    trail_bps: float = 0.0  # … or at this share of the price, in hundredths of a percent
    trail_from: float = 0.0  # … once the market has come this far; until then `stop` holds
    good_till: int = 0  # market time in ns at which an entry that waits is given up; 0: never
    ladder: tuple[tuple[float, float], ...] = ()  # an entry in several limits: price and share
    takes: tuple[tuple[float, float], ...] = ()  # closed in parts: price, share of the position

    @classmethod
    def weight(cls, share: float, **rest: Any) -> "Target":
        """Want a position worth a share of `view.equity`, from -1 to 1."""
        return cls("weight", share, **rest)

    @classmethod
    def qty(cls, qty: float, **rest: Any) -> "Target":
        """Want a position of so many units of the base asset."""
        return cls("qty", qty, **rest)

    @classmethod
    def notional(cls, money: float, **rest: Any) -> "Target":
        """Want a position worth so much of the quote asset."""
        return cls("notional", money, **rest)

    @classmethod
    def flat(cls, why: str = "") -> "Target":
        """Want no position."""
        return cls("flat", why=why)

    @classmethod
    def keep(cls, why: str = "") -> "Target":
        """Want what there is; None says the same without a reason."""
        return cls("keep", why=why)


class Strategy(ABC):
    """Asked at each event; None means that it has nothing to say of this one."""

    timeframe: ClassVar[str] = "1m"  # of the bars in `view` and in `on_bar`
    warmup: ClassVar[int] = 1  # closed bars that `view` holds at least, before anything is asked
    also: ClassVar[Mapping[str, int]] = {}  # "1h" or "ETH/USDT 5m": bars of these, `view["1h"]`
    every_s: int = 0  # market seconds between two timers; may be a property; 0: none

    Params: ClassVar[type] = Params
    State: ClassVar[type] = State

    params: Any
    state: Any

    def __init__(self, params: Any = None, state: Any = None) -> None:
        hold = object.__setattr__
        hold(self, "params", type(self).Params() if params is None else params)
        hold(self, "state", type(self).State() if state is None else state)
        hold(self, "_notes", {})

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise AttributeError(
            f"{kind}.{name} cannot be set: a restart would forget it. "
            f"Declare it in {kind}.State and write self.state.{name}"
        )

    def note(self, **values: object) -> None:
        """Put values beside the next answer, for people and charts; they decide nothing."""
        self._notes.update(values)  # type: ignore[attr-defined]

    def take_notes(self) -> tuple[tuple[str, object], ...]:
        """Return the notes of one answer, each once.

        Numbers become text where a decision is said; whatever may be somebody's code does here.
        """
        notes: dict[str, object] = self._notes  # type: ignore[attr-defined]
        if not notes:
            return ()
        if len(notes) > NOTES_MAX:
            raise ValueError(f"{len(notes)} notes beside one answer; at most {NOTES_MAX} are kept")
        taken = [
            (
                name
                if type(name) is str and len(name) <= TEXT_MAX and name.isascii()
                else told(name),
                at if type(at) in SIMPLE else told(at),
            )
            for name, at in notes.items()
        ]
        notes.clear()
        return tuple(taken)

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Answer to a bar that has just closed."""
        return None

    def on_forecast(self, forecast: Forecast, view: View) -> Target | None:
        """Answer to a fresh forecast of the symbol."""
        return None

    def on_fill(self, fill: Fill, view: View) -> Target | None:
        """Answer to a fill of an own order."""
        return None

    def on_denied(self, denial: Denial, view: View) -> Target | None:
        """Answer to an own order that risk, the gateway or the exchange refused."""
        return None

    def on_timer(self, now: int, view: View) -> Target | None:
        """Answer to the timer of `every_s`; `now` is market time in ns."""
        return None
