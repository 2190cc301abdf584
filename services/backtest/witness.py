"""What a strategy was shown at each call, what it remembered before and after, and its answer."""

import gc
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import msgspec

from bus.clock import cpu_ns
from schema.forecast import Forecast
from schema.market import Bar
from schema.trading import Decision
from services.backtest.outside import LOADING, Outside
from services.engine.boundary import Guard
from services.engine.loading import migrated
from services.engine.nonsense import PRICES
from services.engine.plain import plain
from services.engine.roster import Cast
from services.engine.state import Windows
from services.engine.strategy import Target
from services.engine.view import Purse, View

EVERY = 97
"""Of every so many calls the indicators are kept, beside those that the engine acted on."""

FROZEN = 5_000
NONE = b"!no answer"

ACTS = frozenset({"enter", "resize", "exit"})
Row = tuple[float, float, float, float, float]
Trace = tuple[str, str, int, bytes, bytes]
"""Symbol, event, time, answer, and what is remembered after it."""


class Call(msgspec.Struct):
    """One call of a strategy."""

    symbol: str
    event: str
    about: Any
    now_ns: int
    counts: tuple[int, ...]  # bars heard until then of each series that it needs
    price: float
    purse: Purse
    forecast: Forecast | None
    before: bytes
    after: bytes = b""
    answer: bytes = b""
    cpu_ns: int = 0
    action: str = ""  # what the engine made of it
    reason: str = ""
    ends: tuple[int, ...] = ()  # columns in use of each series …
    indicators: tuple[bytes, ...] = ()  # … and its indicators, of some calls

    @property
    def trace(self) -> Trace:
        """What another run must come to as well."""
        return (self.symbol, self.event, self.now_ns, self.answer, self.after)

    @property
    def target(self) -> Target | None:
        """The answer, when it is a target."""
        return target_of(self.answer)


class Witness:
    """A guard that writes down what it sees; with `fresh`, each call is made of what is kept."""

    passes: ClassVar[tuple[type[BaseException], ...]] = (KeyboardInterrupt,)

    def __init__(
        self, outside: Outside, inner: Guard | None = None, *, fresh: bool = False
    ) -> None:
        self.calls: list[Call] = []
        self.rows: dict[str, list[Row]] = {}
        self.windows: Windows | None = None
        self._outside = outside
        self._inner = inner
        self._fresh = fresh
        self._turn = 0
        self._keys: dict[str, tuple[str, ...]] = {}

    @property
    def traces(self) -> tuple[Trace, ...]:
        """What all calls came to."""
        return tuple(call.trace for call in self.calls)

    def heard(self, key: str, bar: Bar) -> None:
        """Keep a bar as the strategy will see it."""
        unit = 10.0**bar.px_exp
        prices = (bar.open / unit, bar.high / unit, bar.low / unit, bar.close / unit)
        self.rows.setdefault(key, []).append((*prices, bar.volume / 10.0**bar.qty_exp))
        self._turn = len(self.calls)

    def run(self, name: str, call: Callable[[], object]) -> object:
        """Make a call, and write down what it was."""
        cast = getattr(call.func, "__self__", None) if isinstance(call, partial) else None
        if not isinstance(call, partial) or not isinstance(cast, Cast):
            with self._outside.watched(LOADING):
                return call()
        event, about, view = call.args
        return self._seen(name, cast, self._call_of(event, about, view, cast), call)

    def decided(self, decision: Decision) -> None:
        """Write down what the engine made of the newest call of a symbol."""
        for call in reversed(self.calls[self._turn :]):
            if call.symbol == decision.symbol and not call.action:
                call.action, call.reason = decision.action, decision.reason
                if decision.action in ACTS and not call.indicators:
                    self._keep(call)
                return

    def _seen(self, name: str, cast: Cast, seen: Call, call: Callable[[], object]) -> object:
        if self._fresh:
            kind = type(cast.strategy)
            cast.strategy = kind(cast.strategy.params, migrated(kind, cast.remembered))
        self._keys[cast.symbol] = tuple(key for _, key, _ in cast.needs)
        self.calls.append(seen)
        run = self._inner.run if self._inner is not None else _plainly
        begun_ns = cpu_ns()
        seen.answer = NONE  # Until it answers.
        answer = run(name, partial(self._outside.call, call))
        seen.cpu_ns = cpu_ns() - begun_ns
        seen.answer, seen.after = packed(answer), cast.remembered
        if len(self.calls) % EVERY == 0:
            self._keep(seen)
        if len(self.calls) % FROZEN == 0:
            gc.freeze()  # What is written down is not looked through in the time of a call.
        return answer

    def _keep(self, call: Call) -> None:
        assert self.windows is not None, "the windows of the engine that it stands in"
        series = [self.windows.series[key] for key in self._keys[call.symbol]]
        call.ends = tuple(one.end for one in series)
        call.indicators = tuple(msgspec.msgpack.encode(one.indicators) for one in series)

    def _call_of(self, event: str, about: Any, view: View, cast: Cast) -> Call:
        counts = tuple(len(self.rows[key]) for _, key, _ in cast.needs)
        purse = Purse(view.position, view.average, view.equity, view.least)
        if self.calls:  # Most calls find what the one before has found.
            last = self.calls[-1]
            counts = last.counts if last.counts == counts else counts
            purse = last.purse if last.purse == purse else purse
        return Call(
            symbol=cast.symbol,
            event=event,
            about=about,
            now_ns=view.now,
            counts=counts,
            price=view.price,
            purse=purse,
            forecast=view.forecast,
            before=cast.remembered,
        )


def _plainly(_name: str, call: Callable[[], object]) -> object:
    return call()


def packed(answer: object) -> bytes:
    """Return an answer as bytes that are equal when it is; nothing for None."""
    if answer is None:
        return b""
    try:
        if type(answer) is Target:
            answer = _plainly_said(answer)
        return msgspec.msgpack.encode(answer, enc_hook=_number)
    except (TypeError, ValueError, OverflowError):
        return f"?{plain(repr(answer))}".encode()


def target_of(answer: bytes) -> Target | None:
    """Return the target that was packed; None for any other answer."""
    try:
        return msgspec.msgpack.decode(answer, type=Target) if answer else None
    except (msgspec.MsgspecError, ValueError):
        return None


def _plainly_said(target: Target) -> Target:
    # As the boundary hands it on: whoever writes 1 means 1.0.
    names = ("size", *PRICES)
    if all(type(getattr(target, name)) is float for name in names):
        return target
    numbers = {name: float(getattr(target, name)) for name in names}
    return msgspec.structs.replace(target, **numbers)


def _number(value: Any) -> object:
    return value.item()
