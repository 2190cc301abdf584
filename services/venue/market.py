"""A market as a pure function of market time: days of minute bars and the trades inside them.

Synthetic, replayed and recorded markets differ only in where a day comes from. Everything that the
venue answers or emits is read from these days, so history and the live feed cannot disagree.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from services.venue.book import Book, Depth, Top, book_after, changes, top_of
from services.venue.columns import DAY_MS, Bars, Facts, Tape, joined, no_trades

TAPES_KEPT = 12
BARS_KEPT = 128

Kept = TypeVar("Kept")


class Recent(Generic[Kept]):
    """What was made last; made again when it is asked for later."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[str, int], Kept] = OrderedDict()

    def get(self, symbol: str, day: int, make: Callable[[str, int], Kept]) -> Kept:
        """Return the thing of that symbol and day."""
        place = (symbol, day)
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        made = self._kept[place] = make(symbol, day)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return made


class Market(ABC):
    """Days of bars and trades by symbol; a subclass says where a day comes from."""

    facts: dict[str, Facts]  # by the exchange's id
    first_ms: int  # nothing is older
    end_ms: int | None = None  # nothing is newer; None: it goes on
    settled = True  # a day is always the same; False: it grows, and none of it is kept

    def __init__(self) -> None:
        self._tapes: Recent[Tape] = Recent(TAPES_KEPT)
        self._bars: Recent[Bars] = Recent(BARS_KEPT)

    @abstractmethod
    def make_bars(self, symbol: str, day: int) -> Bars:
        """Return the minutes of a day, counted since 1970."""

    @abstractmethod
    def make_tape(self, symbol: str, day: int) -> Tape:
        """Return the trades of a day."""

    @abstractmethod
    def day_of_id(self, symbol: str, trade_id: int) -> int:
        """Return the day that a trade belongs to; any day outside for an id that is not there."""

    def bars(self, symbol: str, day: int) -> Bars:
        """Return the minutes of a day."""
        return self._bars.get(symbol, day, self.make_bars)

    def day_tape(self, symbol: str, day: int) -> Tape:
        """Return the trades of a day."""
        return self._tapes.get(symbol, day, self.make_tape)

    def tape(self, symbol: str, start_ms: int, stop_ms: int) -> Tape:
        """Return the trades with start <= time < stop."""
        start_ms = max(start_ms, self.first_ms)
        if stop_ms <= start_ms:
            return no_trades(1)
        days = range(start_ms // DAY_MS, (stop_ms - 1) // DAY_MS + 1)
        return joined([self.day_tape(symbol, day).between(start_ms, stop_ms) for day in days])

    def tape_from(self, symbol: str, first_id: int, limit: int, stop_ms: int) -> Tape:
        """Return at most `limit` trades from an id on, all before `stop_ms`."""
        first_id = max(1, first_id)
        day = max(self.day_of_id(symbol, first_id), self.first_ms // DAY_MS)
        found: list[Tape] = []
        while limit > 0 and day * DAY_MS < self._last_ms(stop_ms - 1) + 1:
            tape = self.day_tape(symbol, day).between(self.first_ms, stop_ms)
            skip = max(0, first_id - tape.first_id)
            found.append(tape.slice(skip, skip + limit))
            limit -= len(found[-1])
            day += 1
        return joined(found)

    def tape_after(self, symbol: str, start_ms: int, limit: int, stop_ms: int) -> Tape:
        """Return at most `limit` trades with start <= time < stop, the oldest first."""
        start_ms = max(start_ms, self.first_ms)
        found: list[Tape] = []
        day = start_ms // DAY_MS
        while limit > 0 and day * DAY_MS < self._last_ms(stop_ms - 1) + 1:
            found.append(self.day_tape(symbol, day).between(start_ms, stop_ms).slice(0, limit))
            limit -= len(found[-1])
            day += 1
        return joined(found)

    def tape_until(self, symbol: str, limit: int, stop_ms: int) -> Tape:
        """Return the last `limit` trades before `stop_ms`."""
        day = self._last_ms(stop_ms - 1) // DAY_MS
        found: list[Tape] = []
        while limit > 0 and (day + 1) * DAY_MS > self.first_ms:
            tape = self.day_tape(symbol, day).between(self.first_ms, stop_ms)
            found.insert(0, tape.slice(len(tape) - limit, len(tape)))
            limit -= len(found[0])
            day -= 1
        return joined(found)

    def _last_ms(self, stop_ms: int) -> int:
        return stop_ms if self.end_ms is None else min(stop_ms, self.end_ms)

    # The book of a market that is known by its trades alone; a recording overrides these.

    def book(self, symbol: str, at_ms: int) -> Book:
        """Return the book as of a time."""
        at_ms = self._last_ms(at_ms)
        last = self.tape_until(symbol, 1, at_ms + 1)
        return book_after(self.facts[symbol], last, at_ms)

    def top(self, symbol: str, at_ms: int) -> Top:
        """Return the best bid and ask as of a time."""
        return top_of(self.book(symbol, at_ms))

    def tops(self, symbol: str, after_ms: int, until_ms: int) -> list[Top]:
        """Return the changes of the top in (after, until]."""
        now = self.top(symbol, until_ms)
        return [] if now.same(self.top(symbol, after_ms)) else [now]

    def depths(self, symbol: str, after_ms: int, until_ms: int) -> list[Depth]:
        """Return the changes of the book in (after, until], with ids that follow each other."""
        return [changes(self.book(symbol, after_ms), self.book(symbol, until_ms))]
