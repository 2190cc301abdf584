"""One strategy on one symbol without a house: bars go in, what it wants to hold comes out.

Nothing is filled by itself: a test says what was. That is enough for the rules of a strategy; what
an engine, a risk process and an exchange make of its answers, a backtest shows.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schema.forecast import Forecast
from schema.setting_types import TIMEFRAMES_NS
from services.engine.bars import Bars
from services.engine.boundary import Bare, Failure, ask
from services.engine.series import Series
from services.engine.strategy import Bar, Denial, Fill, Strategy, Target, View
from services.engine.view import Purse

SYMBOL = "BTC/USDT"
FIRST_NS = 1_700_006_400_000_000_000
"""A midnight, so that bars of every length begin there."""


class Desk:
    """Asks a strategy as the engine would, once its warm-up is there; `cold` asks before."""

    def __init__(self, strategy: Strategy, *, equity: float = 1000.0, cold: bool = False) -> None:
        self.strategy = strategy
        self.equity = equity
        self.cold = cold
        self.now = FIRST_NS
        self.position = self.average = self.price = 0.0
        self.least = 5.0
        self.forecast: Forecast | None = None
        self.own = Series(size=max(strategy.warmup, 1))
        self.also = {name: Series(size=count) for name, count in strategy.also.items()}

    @property
    def bar_ns(self) -> int:
        return TIMEFRAMES_NS[self.strategy.timeframe]

    def view(self) -> View:
        """Return what the strategy sees at this moment."""
        shown = {"": Bars(self.own, self.strategy.warmup)}
        shown |= {name: Bars(self.also[name], count) for name, count in self.strategy.also.items()}
        return View(
            shown,
            Purse(self.position, self.average, self.equity, self.least),
            symbol=SYMBOL,
            now=self.now,
            bar_ns=self.bar_ns,
            price=self.price,
            forecast=self.forecast,
        )

    def feed(self, name: str, closes: Iterable[float]) -> None:
        """Close bars of `also`: all four prices of each are its close."""
        for close in closes:
            self.also[name].append((close, close, close, close, 1.0))

    def bar(
        self, close: float, low: float = 0.0, high: float = 0.0, opened: float = 0.0
    ) -> Target | None:
        """Close a bar and ask; without its other prices, it opens at the close before it."""
        first = opened or self.price or close
        low, high = low or min(first, close), high or max(first, close)
        opened_ns, self.now, self.price = self.now, self.now + self.bar_ns, close
        self.own.append((first, high, low, close, 1.0))
        bar = Bar(
            SYMBOL, self.strategy.timeframe, opened_ns, self.now, first, high, low, close, 1.0
        )
        return self._judged(self.strategy.on_bar(bar, self.view())) if self.warm() else None

    def bars(self, closes: Iterable[float]) -> list[Target | None]:
        """Close bar after bar, each opening where the last one closed."""
        return [self.bar(close) for close in closes]

    def warm(self) -> bool:
        """Return whether there are as many bars as the strategy declares."""
        lacking = (len(self.also[n].row(3, c)) < c for n, c in self.strategy.also.items())
        return self.cold or (self.own.end >= self.strategy.warmup and not any(lacking))

    def forecasts(self, probability_up: float, bars: int = 15, **rest: Any) -> Target | None:
        """Say a forecast over so many bars, and ask."""
        self.forecast = Forecast(
            ts_event=self.now,
            symbol=SYMBOL,
            timeframe=self.strategy.timeframe,
            bar_open_ns=self.now - self.bar_ns,
            horizon_ns=bars * self.bar_ns,
            probability_up=probability_up,
            confidence=0.1,
            **rest,
        )
        if not self.warm():
            return None
        return self._judged(self.strategy.on_forecast(self.forecast, self.view()))

    def fills(self, qty: float, leg: str = "entry", price: float = 0.0) -> Target | None:
        """Fill an own order, below 0 for a sale, and tell the strategy."""
        price = price or self.price
        self.position += qty
        self.average = price if self.position else 0.0
        fill = Fill("buy" if qty > 0 else "sell", abs(qty), price, 0.0, leg)
        return self._judged(self.strategy.on_fill(fill, self.view()))

    def denies(self, code: str = "MAX_POSITION_EXCEEDED", leg: str = "entry") -> Target | None:
        """Refuse an own order, and tell the strategy."""
        denial = Denial(code, "found 2, at most 1", leg)
        return self._judged(self.strategy.on_denied(denial, self.view()))

    def waits(self, seconds: int) -> list[Target | None]:
        """Let time pass and ask at each multiple of `every_s`, as the engine does."""
        every_ns = self.strategy.every_s * 1_000_000_000
        until_ns, answers = self.now + seconds * 1_000_000_000, []
        while every_ns and (due_ns := (self.now // every_ns + 1) * every_ns) <= until_ns:
            self.now = due_ns
            answers.append(self._judged(self.strategy.on_timer(self.now, self.view())))
        self.now = until_ns
        return answers

    def _judged(self, answer: object) -> Target | None:
        found = ask(Bare(), "strategy", lambda: answer)
        assert not isinstance(found, Failure), f"{found.reason}: {found.detail}"
        return found

    def restart(self) -> None:
        """Forget the strategy but for its parameters and its declared state, as a crash does."""
        kind, old = type(self.strategy), self.strategy
        state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(old.state), type=kind.State)
        self.strategy = kind(old.params, state)


def entries(answers: Iterable[Target | None]) -> list[Target]:
    """Return the answers that ask for a position."""
    return [a for a in answers if a is not None and a.kind in {"weight", "qty", "notional"}]
