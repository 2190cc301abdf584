"""The shipped cores together: what one says the others hear, at once and in one order.

Each input is a turn of its own, as the turns of a process run; nothing is encoded, and who hears
what is what their cards say.
"""

from collections import deque
from collections.abc import Callable, Sequence

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

Ears = tuple[int, tuple[Ear, ...]]
Input = tuple[Service, Message, Place, Fold]
NOWHERE = (0, 0)
_stamp = msgspec.structs.force_setattr


class Stage:
    """Cores, their timers, and the effects that they wait for."""

    def __init__(self, cores: Sequence[Service], witness: Callable[[Message], None]) -> None:
        self._cores = tuple(cores)
        self._witness = witness
        self._wakes: dict[tuple[int, str], int] = {}
        self._ears: dict[type, Ears] = {}
        self._said: dict[int, int] = {}
        self._queue: deque[Input] = deque()
        self._asked: list[Effect] = []
        self.answers: list[CommandDone] = []
        self.next_ns = NEVER_NS
        """When the next timer is due."""

    def say(self, message: Message, now_ns: int) -> list[Effect]:
        """Have a message heard that none of the cores said; return what is to be done."""
        number, ears = self._ears.get(type(message)) or self._listen(type(message))
        pos = self._said[number] = self._said.get(number, 0) + 1
        for core, fold in ears:
            if fold is not None:
                fold(message)
            if outs := core.handle(message, now_ns):
                self._take(core, message, (number, pos), outs)
        return self._settle(now_ns) if self._queue or self._asked else []

    def tell(self, core: Service, message: Local, now_ns: int) -> list[Effect]:
        """Hand one core an input; return what is to be done."""
        if outs := core.handle(message, now_ns):
            self._take(core, message, NOWHERE, outs)
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
            core, message, place, fold = queue.popleft()
            if fold is not None:
                fold(message)
            if outs := core.handle(message, now_ns):
                self._take(core, message, place, outs)
        asked, self._asked = self._asked, []
        return asked

    def _take(self, core: Service, heard: Message | Local, place: Place, outs: list[Said]) -> None:
        # As `run_turn` does it with one input; a processor hears what it handles.
        for out in outs:
            if isinstance(out, Message):
                if place is not NOWHERE and out.cause == NOWHERE:
                    _stamp(out, "cause", place)
                if out.trace == 0 and isinstance(heard, Message):
                    _stamp(out, "trace", heard.trace)
                core.apply(out)
                self._witness(out)
                self._spread(out)
            elif isinstance(out, Effect):
                self._asked.append(out)
            else:
                self._note(core, out)

    def _spread(self, message: Message) -> None:
        number, ears = self._ears.get(type(message)) or self._listen(type(message))
        place = number, self._said.get(number, 0) + 1
        self._said[number] = place[1]
        for core, fold in ears:
            self._queue.append((core, message, place, fold))

    def _listen(self, kind: type[Message]) -> Ears:
        stream = home(kind)
        assert stream is not None, f"{kind.__name__} belongs on no stream"
        name = stream.name
        heard = tuple(
            (core, core.apply if name in core.folds else None)
            for core in self._cores
            if name in core.hears
        )
        ears = self._ears[kind] = (stream.number, heard)
        return ears

    def _note(self, core: Service, out: Local) -> None:
        if isinstance(out, CommandDone):
            self.answers.append(out)
            return
        if isinstance(out, Noticed):
            return  # No turn of a run is run again.
        assert isinstance(out, Wake), f"nobody waits for a {type(out).__name__}"
        self._wakes[self._cores.index(core), out.name] = out.at_ns
        self.next_ns = min(self._wakes.values())
