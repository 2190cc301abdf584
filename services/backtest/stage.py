"""The shipped cores together: what one says the others hear, at once and in one order.

Each input is a turn of its own, run by the function that runs the turns of a process; nothing is
encoded, and who hears what is what their cards say.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from bus.service import Heard, Service
from bus.turn import run_turn
from schema.head import Effect, Local, Message
from schema.house import Timer, Wake
from schema.streams import home

NEVER_NS = 1 << 62
Ears = tuple[int, tuple[Service, ...]]


class Stage:
    """Cores, their timers, and the effects that they wait for."""

    def __init__(self, cores: Sequence[Service], witness: Callable[[Message], None]) -> None:
        self._cores = tuple(cores)
        self._witness = witness
        self._wakes: dict[tuple[int, str], int] = {}
        self._ears: dict[type, Ears] = {}
        self._said: Counter[int] = Counter()
        self._queue: deque[tuple[Service, Heard]] = deque()
        self.next_ns = NEVER_NS
        """When the next timer is due."""

    def say(self, message: Message, now_ns: int) -> list[Effect]:
        """Have a message heard that none of the cores said; return what is to be done."""
        self._spread(message)
        return self._settle(now_ns)

    def tell(self, core: Service, message: Local, now_ns: int) -> list[Effect]:
        """Hand one core an input; return what is to be done."""
        self._queue.append((core, Heard(message)))
        return self._settle(now_ns)

    def due(self, now_ns: int) -> list[tuple[Service, Timer]]:
        """Return the timers whose time has come, earliest first, each once."""
        found = sorted((at, key) for key, at in self._wakes.items() if at <= now_ns)
        for _, key in found:
            del self._wakes[key]
        self.next_ns = min(self._wakes.values(), default=NEVER_NS)
        return [(self._cores[who], Timer(name=name, at_ns=at)) for at, (who, name) in found]

    def _settle(self, now_ns: int) -> list[Effect]:
        asked: list[Effect] = []
        while self._queue:
            core, heard = self._queue.popleft()
            outcome = run_turn(core, (heard,), now_ns)
            for message in outcome.said:
                self._witness(message)
                self._spread(message)
            for effect in outcome.effects:
                if isinstance(effect, Effect):
                    asked.append(effect)
                else:
                    self._wake(core, effect)
        return asked

    def _spread(self, message: Message) -> None:
        kind = type(message)
        ears = self._ears.get(kind)
        if ears is None:
            ears = self._ears[kind] = self._who_hears(kind)
        number, cores = ears
        self._said[number] += 1
        heard = Heard(message, number, self._said[number])
        for core in cores:
            self._queue.append((core, heard))

    def _who_hears(self, kind: type[Message]) -> Ears:
        stream = home(kind)
        assert stream is not None, f"{kind.__name__} belongs on no stream"
        return stream.number, tuple(core for core in self._cores if stream.name in core.hears)

    def _wake(self, core: Service, wake: Local) -> None:
        assert isinstance(wake, Wake), f"nobody waits for a {type(wake).__name__}"
        self._wakes[self._cores.index(core), wake.name] = wake.at_ns
        self.next_ns = min(self._wakes.values())
