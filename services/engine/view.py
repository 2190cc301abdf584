"""What a strategy sees at one event: its bars, its position, its worth, the newest forecast."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from schema.forecast import Forecast
from services.engine.bars import Bars


class Bar(msgspec.Struct, frozen=True, gc=False):
    """A closed bar; times are market time in ns."""

    symbol: str
    timeframe: str
    open_ns: int
    close_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Purse(msgspec.Struct):
    """What a strategy has: its position, what a unit of it cost, its worth, the smallest order."""

    position: float = 0.0
    average: float = 0.0
    equity: float = 0.0
    least: float = 0.0


class HasPurse(Protocol):
    """Whatever tells the four numbers of a `Purse`, at once or when it is asked."""

    @property
    def position(self) -> float: ...
    @property
    def average(self) -> float: ...
    @property
    def equity(self) -> float: ...
    @property
    def least(self) -> float: ...


class View(Bars):
    """One symbol as a strategy sees it; its own arrays are those of the strategy's timeframe."""

    def __init__(
        self,
        also: Mapping[str, Bars],
        purse: HasPurse,
        *,
        symbol: str,
        now: int,
        bar_ns: int,
        price: float,
        forecast: Forecast | None,
    ) -> None:
        own = also[""]
        self._series, self._count = own.series, own.count
        self._also = also
        self._purse = purse
        self.symbol = symbol
        self.now = now  # market time in ns
        self.bar_ns = bar_ns
        self.price = price
        self.forecast = forecast

    @property
    def position(self) -> float:
        """The strategy's own position, below 0 for a short."""
        return self._purse.position

    @property
    def average(self) -> float:
        """What a unit of the position has cost."""
        return self._purse.average

    @property
    def equity(self) -> float:
        """What the budget has become: with what was earned and lost, fees taken off."""
        return self._purse.equity

    @property
    def least(self) -> float:
        """The quote money of the smallest order that the exchange takes."""
        return self._purse.least

    def __getitem__(self, name: str) -> Bars:
        """Return the bars of another timeframe or symbol that the strategy declared in `also`."""
        if name not in self._also:
            known = ", ".join(filter(None, self._also)) or "nothing"
            raise KeyError(f"`also` of this strategy declares {known}; it does not declare {name}")
        return self._also[name]

    def in_bars(self, bars: int) -> int:
        """Return the market time so many bars from now, for `expires`."""
        return self.now + bars * self.bar_ns
