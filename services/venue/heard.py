"""A market that plays elsewhere: a real exchange, as ingest says it on the bus.

Each symbol is open while its feed is OK and its book is heard; a closed one takes no order, as at
the exchange itself. What the exchange printed is handed on once, in its order, to whoever matches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from schema.head import Message
from schema.market import DepthSnapshot, DepthUpdate, FeedStatus, Instrument, Quote, Trade
from services.venue.book import Book, Depth, Top, top_of
from services.venue.columns import DAY_MS, MINUTE_MS, Bars, Tape
from services.venue.ear import TRADING, Ear, Print, id_of
from services.venue.market import Market
from services.venue.recording import bars_of
from services.venue.rules import unheard

CLOSED = "BREAK"
"""What the exchange calls a symbol that is listed and not traded for now."""

UNHEARD = "ingest gave no sign of life yet"


class Heard(Market):
    """All symbols that ingest tells of; it begins at a time, with nothing."""

    settled = False

    def __init__(
        self,
        now_ms: int,
        marks: Mapping[str, int] | None = None,
        traded: Iterable[str] = (),
    ) -> None:
        super().__init__()
        last_ids = marks or {}
        names = {id_of(symbol): symbol for symbol in traded}
        # Of what was ever traded here is told, whether it is listed any more or not.
        self.facts = {name: unheard(symbol, CLOSED) for name, symbol in names.items()}
        self.first_ms = now_ms // MINUTE_MS * MINUTE_MS
        self._ingest = UNHEARD
        self._ears = {
            name: Ear(names.get(name, name), last_ids.get(name, -1))
            for name in {**last_ids, **names}
        }

    def take(self, said: Iterable[Message], said_ms: int, now_ms: int) -> list[Print]:
        """Take what ingest said at a time; return what is to be matched now, in its order."""
        found: list[Print] = []
        for message in said:
            if isinstance(message, Trade):
                found += self._trade(message, said_ms, now_ms)
            else:
                found += self._other(message, said_ms, now_ms)
        return found

    def attend(self, why_not: str) -> list[Print]:
        """Take what is wrong with ingest, empty for nothing; return what is to be matched now."""
        self._ingest = why_not
        for ear in self._ears.values() if why_not else ():
            ear.forget_book()
        return [one for name in self._ears for one in self._judged(name)]

    def closed(self) -> dict[str, str]:
        """Return the symbols in which nothing is matched, and why."""
        why = {ear.symbol: ear.why_closed(self._ingest) for ear in self._ears.values()}
        return {symbol: text for symbol, text in why.items() if text}

    @property
    def told(self) -> bool:
        """Whether the exchange's listing was heard of any symbol."""
        return any(ear.listed for ear in self._ears.values())

    @property
    def open(self) -> int:
        """How many symbols are matched."""
        return len(self._ears) - len(self.closed())

    @property
    def holding(self) -> bool:
        """Whether something that was printed is not matched yet."""
        return any(ear.held for ear in self._ears.values())

    def _ear(self, symbol: str) -> Ear:
        ear = self._ears.get(id_of(symbol))
        if ear is None:
            ear = self._ears[id_of(symbol)] = Ear(symbol)
        return ear

    def _trade(self, said: Trade, said_ms: int, now_ms: int) -> Sequence[Print]:
        ear = self._ear(said.symbol)
        if said.trade_id <= ear.last_id:
            return ()
        one = ear.hear_trade(said, said_ms, now_ms)
        if ear.why_closed(self._ingest):
            ear.hold(one)
            return ()
        return (one,)

    def _other(self, said: Message, said_ms: int, now_ms: int) -> Sequence[Print]:
        match said:
            case Quote():
                self._ear(said.symbol).hear_quote(said, said_ms, now_ms)
            case FeedStatus():
                self._ear(said.symbol).hear_status(said)
            case Instrument():
                self._ear(said.symbol).hear_listing(said)
            case DepthSnapshot() | DepthUpdate():
                self._ear(said.symbol).ladder.take(said)
                return ()
            case _:
                return ()
        return self._judged(id_of(said.symbol))

    def _judged(self, name: str) -> Sequence[Print]:
        """Open or close a symbol; return what waited for its opening."""
        ear = self._ears[name]
        why = ear.why_closed(self._ingest)
        if ear.listed is not None:
            is_ours = bool(why) and ear.listed.status == TRADING
            self.facts[name] = replace(ear.listed, status=CLOSED) if is_ours else ear.listed
        if why or not ear.held:
            return ()
        found, ear.held = ear.held, []
        return found

    # What is shown of it.

    def make_bars(self, symbol: str, day: int) -> Bars:
        return bars_of(self.make_tape(symbol, day))

    def make_tape(self, symbol: str, day: int) -> Tape:
        return self._ears[symbol].tape().between(day * DAY_MS, (day + 1) * DAY_MS)

    def bars(self, symbol: str, day: int) -> Bars:
        return self.make_bars(symbol, day)

    def day_tape(self, symbol: str, day: int) -> Tape:
        return self.make_tape(symbol, day)

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        tape = self._ears[symbol].tape()
        if not len(tape):
            return self.first_ms // DAY_MS
        place = np.clip(trade_id - tape.first_id, 0, len(tape) - 1)
        return int(tape.at_ms[place]) // DAY_MS

    def book(self, symbol: str, at_ms: int) -> Book:
        return self._ears[symbol].book(at_ms)

    def top(self, symbol: str, at_ms: int) -> Top:
        return top_of(self.book(symbol, at_ms))

    def tops(self, symbol: str, after_ms: int, until_ms: int) -> list[Top]:
        return [top for at_ms, top in self._ears[symbol].tops if after_ms < at_ms <= until_ms]

    def depths(self, symbol: str, after_ms: int, until_ms: int) -> list[Depth]:
        """Return nothing: changes of the book are ingest's to say."""
        return []
