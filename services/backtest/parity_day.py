"""What a house said of one strategy, and how far it can be played again: from where it was flat.

The engine's own rules make the books out of its words, so a stretch begins with what it had then.
"""

from collections.abc import Iterator, Mapping

import msgspec

from schema.forecast import Forecast
from schema.head import Cause, Message
from schema.identity import ID_CHARS, TAG_CHARS, strategy_tag
from schema.market import Bar, Instrument
from schema.orders import Fill
from schema.strategy import Offer, StrategyLoaded, StrategyRetired, StrategyState
from schema.trading import Decision
from schema.units import MINUTE_NS, ceil_to
from services.engine.books import CHANGES, FOLDS
from services.engine.orders import orders_of, slot_of
from services.engine.sizing import as_float, closable
from services.engine.state import Books, slot_key

BarKey = tuple[str, str, int]
"""Symbol, timeframe and open of a bar."""

Dues = Mapping[Cause, int]
"""When the bars closed, and the forecasts were made, that something was said of."""

LATE_NS = 10 * MINUTE_NS
"""So long after a moment something may be said that belongs before it."""


class Word(msgspec.Struct, frozen=True):
    """A message, and when it was written down; wall time."""

    wall_ns: int
    message: Message


class Down(msgspec.Struct, frozen=True):
    """A time in which the engine did not run; market time."""

    from_ns: int
    until_ns: int
    clean: bool

    def holds(self, at_ns: int) -> bool:
        """Return whether a moment lies within."""
        return self.from_ns < at_ns <= self.until_ns

    @property
    def text(self) -> str:
        return "the engine was stopped" if self.clean else "the engine had died"


class Day(msgspec.Struct, frozen=True):
    """What the journals hold of one strategy, until the end of a stretch of market time."""

    strategy: str
    from_ns: int
    until_ns: int
    words: tuple[Word, ...]  # of the engine and the gateway, in the order in which they were said
    bars: Mapping[BarKey, Bar] = {}  # as they were heard
    forecasts: tuple[Forecast, ...] = ()
    dues: Dues = {}
    instruments: Mapping[str, Instrument] = {}
    downs: tuple[Down, ...] = ()
    late: Mapping[BarKey, int] = {}  # bars that were too old when they were heard: by how many ns
    offer: Offer | None = None  # without one in the journal
    symbol: str = ""  # nothing else is looked at
    simulated: bool = False  # it was traded at the local venue

    @property
    def loads(self) -> bool:
        """Whether the words tell what was loaded."""
        return any(isinstance(word.message, StrategyLoaded) for word in self.words)

    def due_ns(self, message: Message) -> int:
        """Return when that happened which a message answers."""
        return self.dues.get(message.cause, message.ts_event)


class Stretch(msgspec.Struct):
    """A part of the day with one source and the same parameters."""

    offer: Offer
    by: str
    from_ns: int
    until_ns: int
    start_ns: int = 0  # when nothing was held for the first time; 0: never
    worth: float = 0.0  # the budget, and what it had earned by then
    memory: dict[str, bytes] = {}
    dust: tuple[Fill, ...] = ()  # rests that nobody takes, each as if it were bought at its cost


class _Reader:
    """Makes the books word by word, and looks for moments at which nothing is held."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.books = Books()
        self._prices: dict[str, int] = {}
        self._next = 0

    def until(self, stretch: Stretch) -> None:
        """Read on to the end of a stretch, and note where it is flat first."""
        mark_ns = ceil_to(stretch.from_ns, MINUTE_NS)
        words = self.day.words
        while self._next < len(words):
            message = words[self._next].message
            at_ns = message.ts_event
            if not stretch.start_ns and mark_ns < stretch.until_ns and mark_ns <= at_ns:
                self._look(stretch, mark_ns)
                mark_ns = max(mark_ns + MINUTE_NS, ceil_to(at_ns, MINUTE_NS))
            if at_ns >= stretch.until_ns:
                return
            self._next += 1
            self._hear(message)
        if not stretch.start_ns and mark_ns < stretch.until_ns:
            self._look(stretch, mark_ns)

    def _hear(self, message: Message) -> None:
        if isinstance(message, Fill):
            self._prices[message.symbol] = message.px
        if change := FOLDS.get(type(message)):
            change(self.books, message)

    def _look(self, stretch: Stretch, mark_ns: int) -> None:
        offer, late = stretch.offer, list(self._late(mark_ns - 1))
        acts = any(isinstance(one, Decision) and one.action in CHANGES for one in late)
        if not acts and all(self._is_flat(offer, symbol) for symbol in offer.symbols):
            # What happens at the full minute itself belongs to the stretch.
            stretch.start_ns = mark_ns - 1
            stretch.worth = offer.budget + self._earned(offer)
            for symbol in offer.symbols:
                memory = self.books.memory.get(slot_key(offer.name, symbol))
                if memory is not None:
                    stretch.memory[symbol] = memory
            for one in late:
                if isinstance(one, StrategyState) and one.symbol in offer.symbols:
                    stretch.memory[one.symbol] = one.state
            stretch.dust = tuple(self._dust(offer, mark_ns - 1))

    def _late(self, at_ns: int) -> Iterator[Message]:
        """Yield what is said later of what had happened by a time."""
        for word in self.day.words[self._next :]:
            if word.message.ts_event > at_ns + LATE_NS:
                return
            if self.day.due_ns(word.message) <= at_ns:
                yield word.message

    def _is_flat(self, offer: Offer, symbol: str) -> bool:
        books = self.books
        if slot_of(books, offer.name, symbol).qty:
            return False
        if any(not one.place.terminal for one in orders_of(books, offer.name, symbol).values()):
            return False
        ledger = books.shadow if offer.role == "shadow" else books.ledger
        holding = ledger.holding(symbol, strategy_tag(offer.name))
        instrument = self.day.instruments.get(symbol)
        if holding is None or instrument is None:
            return holding is None or holding.qty == 0
        return closable(holding, instrument, self._prices.get(symbol, 0)) == 0

    def _earned(self, offer: Offer) -> float:
        earned, tag = 0.0, strategy_tag(offer.name)
        ledger = self.books.shadow if offer.role == "shadow" else self.books.ledger
        for key, holding in ledger.holdings.items():
            if key.endswith(f" {tag}"):
                earned += as_float(holding.realized - holding.fees, holding.quote_exp)
        return earned

    def _dust(self, offer: Offer, at_ns: int) -> Iterator[Fill]:
        tag = strategy_tag(offer.name)
        for symbol in offer.symbols:
            one = self.books.ledger.holding(symbol, tag)
            if one is not None and one.qty and offer.role != "shadow":
                yield Fill(
                    ts_event=at_ns,
                    client_order_id=f"{'0' * TAG_CHARS}{tag}{'0' * (ID_CHARS - 2 * TAG_CHARS)}",
                    symbol=symbol,
                    side="buy" if one.qty > 0 else "sell",
                    venue_order_id="",
                    venue_trade_id="dust",
                    px=self._prices.get(symbol, 0),
                    qty=abs(one.qty),
                    quote_qty=abs(one.cost),
                    fee=0,
                    fee_asset=offer.symbols[0].partition("/")[2],
                    maker=False,
                    px_exp=one.px_exp,
                    qty_exp=one.qty_exp,
                    quote_exp=one.quote_exp,
                    fee_exp=0,
                )


def stretches(day: Day) -> list[Stretch]:
    """Return the parts of a day in which one source ran, oldest first."""
    found = list(_cut(day))
    reader = _Reader(day)
    for stretch in found:
        reader.until(stretch)
    return found


def again(day: Day, stretch: Stretch, from_ns: int) -> Stretch:
    """Return the rest of a stretch from a later time on, begun anew where nothing is held."""
    rest = Stretch(stretch.offer, stretch.by, from_ns, stretch.until_ns)
    _Reader(day).until(rest)
    return rest


def _cut(day: Day) -> Iterator[Stretch]:
    begun_ns = day.from_ns
    running = (day.offer, "settings") if day.offer is not None else None
    for word in day.words:
        message, at_ns = word.message, word.message.ts_event
        if not isinstance(message, StrategyLoaded | StrategyRetired) or at_ns >= day.until_ns:
            continue
        if running is not None and at_ns > begun_ns:
            yield _stretch(day, *running, (begun_ns, at_ns))
        begun_ns = max(day.from_ns, at_ns)
        running = (message.offer, message.by) if isinstance(message, StrategyLoaded) else None
    if running is not None:
        yield _stretch(day, *running, (begun_ns, day.until_ns))


def _stretch(day: Day, offer: Offer, by: str, span_ns: tuple[int, int]) -> Stretch:
    if day.symbol:
        symbols = tuple(symbol for symbol in offer.symbols if symbol == day.symbol)
        offer = msgspec.structs.replace(offer, symbols=symbols)
    return Stretch(offer, by, *span_ns)
