"""The shipped cores together: what one says the others hear, at once and in one order.

Each input is a turn of its own, as the turns of a process run; nothing is encoded, and who hears
what is what their cards say.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import msgspec

from bus.service import Said, Service
from schema.head import Effect, Local, Message, Noticed
from schema.house import CommandDone, Timer, Wake
from schema.streams import home

NEVER_NS = 1 << 62
Place = tuple[int, int]
Fold = Callable[[Message], None] | None
Ear = tuple[Service, Fold]
"""Who hears a kind of message, and how it books it, if it does."""

Input = tuple[tuple[Ear, ...], Message, Place]
NOWHERE = (0, 0)
_stamp = msgspec.structs.force_setattr


class Road(msgspec.Struct, frozen=True):
    """The way of one kind of message: its stream, how far that has come, and who hears it."""

    stream: int
    places: Iterator[int]  # counts the messages of the stream, whatever their kind
    ears: tuple[Ear, ...]


class Roads(dict[type, Road | None]):
    """The ways of all kinds of messages between some cores; None for what stands on no stream."""

    def __init__(self, cores: Sequence[Service]) -> None:
        super().__init__()
        self._cores = cores
        self._places: dict[int, Iterator[int]] = {}

    def __missing__(self, kind: type) -> Road | None:
        stream = home(kind)
        if stream is None:
            return self.setdefault(kind, None)
        places = self._places.setdefault(stream.number, count(1))
        ears = tuple(
            (core, core.apply if stream.name in core.folds else None)
            for core in self._cores
            if stream.name in core.hears
        )
        return self.setdefault(kind, Road(stream.number, places, ears))


class Stage:
    """Cores, their timers, and the effects that they wait for."""

    def __init__(self, cores: Sequence[Service], witness: Callable[[Message], None]) -> None:
        self._cores = tuple(cores)
        self._witness = witness
        self._wakes: dict[tuple[int, str], int] = {}
        self._roads = Roads(self._cores)
        self._queue: deque[Input] = deque()
        self._asked: list[Effect] = []
        self.answers: list[CommandDone] = []
        self.next_ns = NEVER_NS
        """When the next timer is due."""

    def say(self, message: Message, now_ns: int) -> list[Effect]:
        """Have a message heard that none of the cores said; return what is to be done."""
        road = self._roads[type(message)]
        assert road is not None, f"{type(message).__name__} belongs on no stream"
        place = road.stream, next(road.places)
        for core, fold in road.ears:
            if fold is not None:
                fold(message)
            if outs := core.handle(message, now_ns):
                self._take(core, place, message.trace, outs)
        return self._settle(now_ns) if self._queue or self._asked else []

    def tell(self, core: Service, message: Local, now_ns: int) -> list[Effect]:
        """Hand one core an input; return what is to be done."""
        if outs := core.handle(message, now_ns):
            self._take(core, NOWHERE, 0, outs)
        return self._settle(now_ns) if self._queue or self._asked else []

    def due(self, now_ns: int) -> list[tuple[Service, Timer]]:
        """Return the timers whose time has come, earliest first, each once."""
        if self.next_ns > now_ns:
            return []
        found = sorted((at, key) for key, at in self._wakes.items() if at <= now_ns)
        for _, key in found:
            del self._wakes[key]
        self.next_ns = min(self._wakes.values(), default=NEVER_NS)
        return [(self._cores[who], Timer(name=name, at_ns=at)) for at, (who, name) in found]

    def _settle(self, now_ns: int) -> list[Effect]:
        queue = self._queue
        while queue:
            ears, message, place = queue.popleft()
            for core, fold in ears:
                if fold is not None:
                    fold(message)
                if outs := core.handle(message, now_ns):
                    self._take(core, place, message.trace, outs)
        asked, self._asked = self._asked, []
        return asked

    def _take(self, core: Service, place: Place, trace: int, outs: list[Any]) -> None:
        # As `run_turn` does it with one input; a processor hears what it handles.
        roads, queue, witness = self._roads, self._queue, self._witness
        for out in outs:
            road = roads[type(out)]
            if road is None:
                self._put(core, out)
                continue
            if place is not NOWHERE and out.cause == NOWHERE:
                _stamp(out, "cause", place)
            if trace and not out.trace:
                _stamp(out, "trace", trace)
            core.apply(out)
            witness(out)
            queue.append((road.ears, out, (road.stream, next(road.places))))

    def _put(self, core: Service, out: Said) -> None:
        if isinstance(out, Effect):
            self._asked.append(out)
        elif isinstance(out, CommandDone):
            self.answers.append(out)
        elif not isinstance(out, Noticed):  # No turn of a run is run again.
            assert isinstance(out, Wake), f"nobody waits for a {type(out).__name__}"
            self._wakes[self._cores.index(core), out.name] = out.at_ns
            self.next_ns = min(self._wakes.values())
