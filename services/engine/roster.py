"""Who plays: the running strategies, one instance for each symbol, made from what was loaded.

It holds nothing that is not in the books, and is made anew from them whenever they are others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from schema.identity import strategy_tag
from schema.setting_types import TIMEFRAMES_NS
from schema.strategy import Offer
from services.engine.bars import Bars
from services.engine.boundary import Guard, Overran
from services.engine.hearing import series_key
from services.engine.loading import LoadError, load, migrated, settle
from services.engine.modules import theirs
from services.engine.series import Series
from services.engine.state import Books, Windows, slot_key
from services.engine.strategy import Strategy
from services.engine.view import View

FAILED = "strategy failed"
"""The latch of a strategy that is asked no more."""

EVENTS = ("on_bar", "on_forecast", "on_fill", "on_denied", "on_timer")


class Cast(msgspec.Struct):
    """One strategy on one symbol."""

    name: str
    symbol: str
    tag: str
    offer: Offer
    strategy: Strategy
    remembered: bytes  # its state as the books have it
    listens: frozenset[str]  # events that its class answers to
    step_ns: int
    needs: tuple[tuple[str, str, int], ...]  # name in `also`, series key, bars; its own bars first
    slot_key: str
    every_s: int  # between two timers; 0: none
    bars: dict[str, Bars] = {}  # what it is shown, by the name in `also`; its own first
    follows: tuple[tuple[str, Series, int], ...] = ()  # the series of its needs: key, bars
    seen: Windows | None = None  # that it follows them in
    notes: tuple[tuple[str, object], ...] = ()  # beside the last answer
    packed: bytes | None = None  # what it remembers since the last call, when that is news

    @property
    def shadow(self) -> bool:
        return self.offer.role == "shadow"

    def call(self, event: str, about: Any, view: View) -> object:
        """Call the author's code; nothing of it runs outside of this call."""
        answer = getattr(self.strategy, event)(about, view)
        self.notes = self.strategy.take_notes()
        packed = settle(self.strategy, self.remembered)
        self.packed = None if packed == self.remembered else packed
        self.remembered = packed
        return answer

    def followed(self) -> list[int]:
        """Return how many indicators follow each of its series."""
        return [len(series.indicators) for _, series, _ in self.follows]

    def unlearn(self, before: list[int]) -> None:
        """Drop the indicators that a failed call asked for: run again, it is not called."""
        for (_, series, _), count in zip(self.follows, before, strict=True):
            series.drop_after(count)

    def forget(self) -> None:
        """Drop what a call that did not answer left; with its failure the roster is made anew."""
        self.notes, self.packed = (), None


class Roster:
    """All casts of the strategies in some books."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.broken: dict[str, str] = {}  # strategies whose source does not load here, and why
        self._of: Books | None = None
        self._casts: dict[str, list[Cast]] = {}
        self._ears: dict[str, tuple[list[Cast], int]] = {}

    def reset(self) -> None:
        """Make all anew at the next look."""
        self._of = None

    def ears(self, books: Books, key: str) -> tuple[list[Cast], int]:
        """Return who trades on the bars of a series, and how many of them somebody wants to see."""
        if self._of is not books:
            self._look(books)
        return self._ears.get(key) or ([], 0)

    def on(self, books: Books, symbol: str) -> list[Cast]:
        """Return who trades a symbol."""
        self._look(books)
        return [cast for casts in self._casts.values() for cast in casts if cast.symbol == symbol]

    def of(self, books: Books, name: str) -> list[Cast]:
        """Return the casts of one strategy."""
        self._look(books)
        return self._casts.get(name, [])

    def find(self, books: Books, name: str, symbol: str) -> Cast | None:
        """Return one cast."""
        for cast in self.of(books, name):
            if cast.symbol == symbol:
                return cast
        return None

    def every_s(self, books: Books, name: str) -> int:
        """Return the pause between two timers of a strategy; 0 when it has none."""
        casts = self.of(books, name)
        return casts[0].every_s if casts else 0

    def _look(self, books: Books) -> None:
        if self._of is not books:
            self._of, self._casts, self._ears, self.broken = books, {}, {}, {}
            for offer in books.loaded.values():
                if offer.name not in books.latches or books.latches[offer.name].what != FAILED:
                    self._add(books, offer)

    def _add(self, books: Books, offer: Offer) -> None:
        try:
            casts = casts_of(self._guard, offer, books.memory)
        except LoadError as error:
            self.broken[offer.name] = error.what
            return
        except (Overran, MemoryError, RecursionError) as error:
            self.broken[offer.name] = f"it did not load: {type(error).__name__}: {error}"
            return
        self._casts[offer.name] = casts
        for cast in casts:
            for name, key, bars in cast.needs:
                takers, room = self._ears.get(key) or ([], 0)
                self._ears[key] = (takers if name else [*takers, cast], max(bars, room))


def casts_of(guard: Guard, offer: Offer, memory: Mapping[str, bytes]) -> list[Cast]:
    """Return the instances of an offer; to import is to call, so the guard stands around it."""
    found: list[Cast] = []
    guard.run(offer.name, lambda: found.extend(_casts(offer, memory)))
    return found


def _casts(offer: Offer, memory: Mapping[str, bytes]) -> Iterator[Cast]:
    """Yield the instances of an offer; LoadError when its source, or what it remembers, is bad."""
    loaded = load(offer)
    kind = loaded.kind
    listens = frozenset(
        event for event in EVENTS if getattr(kind, event) is not getattr(Strategy, event)
    )
    for symbol in offer.symbols:
        key = slot_key(offer.name, symbol)
        state = migrated(kind, memory[key]) if key in memory else kind.State()
        with theirs(offer.file):  # What it was made of may be somebody's code.
            strategy = kind(loaded.params, state)
            every_s = max(0, int(strategy.every_s)) if "on_timer" in listens else 0
        yield Cast(
            name=offer.name,
            symbol=symbol,
            tag=strategy_tag(offer.name),
            offer=offer,
            strategy=strategy,
            remembered=settle(strategy),
            listens=listens,
            step_ns=TIMEFRAMES_NS[kind.timeframe],
            needs=tuple(_needs(kind, symbol)),
            slot_key=key,
            every_s=every_s,
        )


def _needs(kind: type[Strategy], symbol: str) -> Iterator[tuple[str, str, int]]:
    yield "", series_key(symbol, kind.timeframe), kind.warmup
    for name, bars in kind.also.items():
        other, _, timeframe = name.rpartition(" ")
        yield name, series_key(other or symbol, timeframe), bars


def bars_of(windows: Windows, cast: Cast) -> str:
    """Show a strategy all bars that it needs; return what is missing, if any."""
    if cast.seen is not windows:
        _follow(windows, cast)
    for key, series, count in cast.follows:
        if series.end < count:
            return f"it warms up: {series.end} of {count} bars of {key}"
    return ""


def _follow(windows: Windows, cast: Cast) -> None:
    found: list[tuple[str, Series, int]] = []
    for name, key, count in cast.needs:
        series = windows.series.setdefault(key, Series())
        series.grow(count)
        cast.bars[name] = Bars(series, count)
        found.append((key, series, count))
    cast.follows, cast.seen = tuple(found), windows
