"""What belongs together: what has one trace, what led to it, and what it led to.

A trace is given at ingest and copied through, and `cause` names the position that a message was
said because of. Positions are read; the rest is looked for in the time around what was found.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

import msgspec

from bus.house import House
from schema.head import Cause, Message
from schema.market import Bar, Trade
from schema.orders import OrderDenied, OrderSubmitted
from schema.streams import STREAMS
from schema.trading import Decision, OrderIntent, Verdict
from services.rrr.chain import above, events_of
from services.rrr.ears import Seen
from services.rrr.said import said_holding, said_since

SPOKEN = tuple(s.name for s in STREAMS.values() if s.durability in "AB" and s.owner != "backtest")
TICKS = ("ingest.trade", "ingest.quote")
ACTING = frozenset({"enter", "exit"})
ROUNDS_MAX = 4
POOL_MAX = 200_000
BEFORE_NS = 1_000_000_000

Window = tuple[int, int]
"""The wall times that a stretch begins and ends at."""


class Traced(msgspec.Struct):
    """All that belongs together, in the order that it was said, and what is not there."""

    traces: list[int]
    steps: list[Seen]
    missing: list[str]


def place_of(seen: Seen) -> Cause:
    """Return where a message stands, as a cause names it."""
    return STREAMS[seen.stream].number, seen.pos


def order_of(message: Message) -> str:
    """Return the id of the order that a message is about; empty when it is about none."""
    return str(getattr(message, "client_order_id", ""))


def holders(house: House, trace: int, oldest_ns: int) -> list[Seen]:
    """Return messages of one stream that carry a trace: of the first stream that has any."""
    needle = msgspec.msgpack.encode(trace)
    for name in (*SPOKEN, *TICKS):
        around = said_holding(house.journal_dir, name, needle)
        recent = takewhile(lambda seen: seen.ts_ns >= oldest_ns, around)
        found = [seen for seen in recent if seen.message.trace == trace]
        if found:
            return found
    return []


def linked_to(house: House, seeds: Sequence[Seen], within_ns: int, count_max: int) -> Traced:
    """Return all that belongs to some messages, within a time after each of it."""
    search = Search(house, seeds, within_ns)
    todo, rounds = list(seeds), 0
    while todo and len(search.found) < count_max and rounds < ROUNDS_MAX:
        todo, rounds = search.go_on(todo), rounds + 1
    steps = sorted(search.found.values(), key=lambda seen: (seen.ts_ns, place_of(seen)))
    if len(steps) > count_max:
        search.missing[f"{len(steps)} messages belong to it; the first {count_max} are shown"] = (
            None
        )
    return Traced(sorted(search.traces), steps[:count_max], list(search.missing))


class Search:
    """Grows from what is known, by positions, by names of orders, and by what was said then."""

    def __init__(self, house: House, seeds: Sequence[Seen], within_ns: int) -> None:
        self.found: dict[Cause, Seen] = {place_of(seen): seen for seen in seeds}
        self.traces = {seen.message.trace for seen in seeds} - {0}
        self.missing: dict[str, None] = {}
        self._house = house
        self._within_ns = within_ns
        self._pool: dict[Cause, Seen] = {}
        self._read: list[Window] = []
        self._orders: set[str] = set()

    def go_on(self, todo: Sequence[Seen]) -> list[Seen]:
        """Look around messages; return those that are new."""
        known = set(self.found)
        for seen in todo:
            self._add(self._before(seen))
            self._add(self._of_its_order(seen))
        # An answer of the venue carries no trace: its order does.
        self.traces = self.traces or {one.message.trace for one in self.found.values()} - {0}
        self._fill_pool([seen for place, seen in self.found.items() if place not in self._pool])
        self._link()
        return [seen for place, seen in self.found.items() if place not in known]

    def _add(self, more: Iterable[Seen]) -> None:
        for seen in more:
            self.found.setdefault(place_of(seen), seen)

    def _before(self, seen: Seen) -> list[Seen]:
        """Return what led to a message, unless it has been found already."""
        if seen.message.cause in self.found:
            return []
        gaps: list[str] = []
        found = above(self._house, seen, gaps)
        self.missing |= dict.fromkeys(gaps)
        return found

    def _of_its_order(self, seen: Seen) -> list[Seen]:
        """Return what the gateway said of an order, however much later."""
        order_id = order_of(seen.message)
        if not order_id or order_id in self._orders:
            return []
        self._orders.add(order_id)
        return list(events_of(self._house, order_id))

    def _fill_pool(self, around: Sequence[Seen]) -> None:
        """Read what was said from each message on, for some time; nothing is read twice."""
        for begin_ns, end_ns in _merged(self._window(seen) for seen in around):
            if any(first <= begin_ns and end_ns <= last for first, last in self._read):
                continue
            self._read.append((begin_ns, end_ns))
            for seen in self._said(begin_ns, end_ns):
                self._pool.setdefault(place_of(seen), seen)
                if len(self._pool) > POOL_MAX:
                    self.missing[
                        "more was said in that time than is looked at: shorten --within"
                    ] = None
                    return

    def _window(self, seen: Seen) -> Window:
        return seen.ts_ns - BEFORE_NS, seen.ts_ns + self._within_ns

    def _said(self, begin_ns: int, end_ns: int) -> Iterator[Seen]:
        for name in SPOKEN:
            since = said_since(self._house.journal_dir, name, begin_ns)
            yield from takewhile(lambda seen: seen.ts_ns <= end_ns, since)

    def _link(self) -> None:
        """Take from the pool what belongs to what is found, until nothing more does."""
        before = -1
        while before != len(self.found):
            before = len(self.found)
            for place, seen in self._pool.items():
                if place not in self.found and self._belongs(seen.message):
                    self.found[place] = seen

    def _belongs(self, message: Message) -> bool:
        return message.trace in self.traces or message.cause in self.found


def _merged(windows: Iterable[Window]) -> list[Window]:
    """Return windows without overlap, oldest first."""
    merged: list[Window] = []
    for begin_ns, end_ns in sorted(windows):
        if merged and begin_ns <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ns, merged[-1][1]))
        else:
            merged.append((begin_ns, end_ns))
    return merged


def _about(message: Decision | OrderIntent) -> object:
    # What a strategy decides and the order that it wants for that are said in one turn.
    return message.cause, message.strategy, message.symbol


class Family:
    """Who came from whom, among the steps of one trace."""

    def __init__(self, steps: Sequence[Seen]) -> None:
        self._there = {place_of(seen) for seen in steps}
        self._decisions: dict[object, Cause] = {}  # by the order, or by what they were about
        self._verdicts: dict[str, Cause] = {}
        self._first: dict[str, Cause] = {}  # the gateway's first word on an order
        self._trades: dict[int, Cause] = {}
        for seen in steps:
            self._note(seen)

    def parent(self, seen: Seen) -> Cause | None:
        """Return where the step stands that led to this one; None where none is known."""
        message, place = seen.message, place_of(seen)
        found: Cause | None = None
        if isinstance(message, OrderIntent):
            found = self._decisions.get(message.client_order_id)
            found = found or self._decisions.get(_about(message))
        elif isinstance(message, OrderSubmitted | OrderDenied):
            found = self._verdicts.get(message.client_order_id)
        if found is None and message.cause in self._there:
            found = message.cause
        if found is None and not isinstance(message, Decision | OrderIntent | Verdict):
            found = self._first.get(order_of(message))
        if found is None and isinstance(message, Bar):
            found = self._trades.get(message.trace)
        return found if found != place else None

    def _note(self, seen: Seen) -> None:
        match seen.message:
            case Decision() as m if m.action in ACTING:
                self._decisions[_about(m)] = place_of(seen)
                self._decisions[m.client_order_id or _about(m)] = place_of(seen)
            case Verdict() as m:
                self._verdicts[m.client_order_id] = place_of(seen)
            case OrderSubmitted() | OrderDenied() as m:
                self._first.setdefault(m.client_order_id, place_of(seen))
            case Trade() as m:
                self._trades[m.trace] = place_of(seen)
