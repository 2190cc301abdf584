"""The two services that are measured: `python -m tests.bench.bus_service speak|hear NAME`.

They run as every service of the house does, by `bus.process.main`: lease, sockets, heartbeats,
journal and loop are the shipped ones. Only what they say and hear is made up.
"""

import resource
import sys
from collections.abc import Mapping, Sequence

import msgspec

from bus.clock import Clock
from bus.house import House
from bus.process import main
from bus.service import Parts, Said, Service, Store
from schema.head import Local, Message
from schema.house import Command, CommandDone, Started, Timer, Wake
from tests.bench.bus_load import WORDS, Counter, acceptances, owed, stamped, trades

TICK_NS = 1_000_000
SAYS = {"ingest": "ingest.trade", "gateway": "gateway.order"}


class Plan(msgspec.Struct):
    """How many messages are to be said, how many in one turn at most, and how fast."""

    count: int = 0
    most: int = WORDS
    rate: float = 0.0  # messages a second; 0 for as many as the loop takes
    stamps: bool = False  # the first one of each turn tells when it was said
    begun_ns: int = 0
    ended_ns: int = 0
    said: int = 0
    used_us: int = 0  # processor time of the process, when it was asked

    @property
    def saying_rate(self) -> float:
        """Messages a second from the first turn to the last one."""
        return self.count * 1e9 / (self.ended_ns - self.begun_ns)


class Speaker(Service):
    """A source whose messages lie ready: each turn says what has piled up, a frame or more."""

    def __init__(self, name: str, first: Plan) -> None:
        self.name = name  # type: ignore[misc] # one class for two owners of streams
        self.says = (SAYS[name],)  # type: ignore[misc]
        self.state = Plan()
        self._first = first
        self._words: Sequence[Message] = trades() if name == "ingest" else acceptances()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Timer():
                return self._more(now_ns)
            case Started():
                return self._begin(self._first, now_ns)
            case Command(verb="say", args=(plan,)):
                return [
                    *self._begin(msgspec.json.decode(plan, type=Plan), now_ns),
                    CommandDone(request_id=message.request_id, ok=True, text=""),
                ]
            case Command(verb="told"):
                self.state.used_us = used_us()
                body = msgspec.msgpack.encode(self.state)
                return [CommandDone(request_id=message.request_id, ok=True, text="", body=body)]
            case _:
                return []

    def _begin(self, plan: Plan, now_ns: int) -> list[Said]:
        plan.begun_ns = now_ns
        self.state = plan
        return [Wake(name="more", at_ns=now_ns)] if plan.count else []

    def _more(self, now_ns: int) -> list[Said]:
        plan = self.state
        most = min(plan.most, plan.count - plan.said)
        if plan.rate:
            most = min(most, owed(plan.rate, now_ns - plan.begun_ns, plan.said))
        said: list[Said] = list(self._words[: max(0, most)])
        if plan.stamps and said:
            said[0] = stamped(said[0])  # type: ignore[arg-type]
        plan.said += len(said)
        if plan.said == plan.count:
            plan.ended_ns = now_ns
        else:
            said.append(Wake(name="more", at_ns=self._next_ns(now_ns, len(said))))
        return said

    def _next_ns(self, now_ns: int, said: int) -> int:
        plan = self.state
        if not plan.rate or said == plan.most:
            return now_ns
        due_ns = int(plan.begun_ns + plan.said * 1e9 / plan.rate)
        return max(now_ns + TICK_NS, due_ns)


class Listener(Counter, Service):
    """A sink that counts: its `handle` is everybody's."""

    def __init__(self, name: str, hears: str, goal: int) -> None:
        super().__init__()
        self.begin(goal, timing=not goal)
        self.name = name  # type: ignore[misc] # one class for several consumers
        self.hears = (hears,)  # type: ignore[misc]
        self.state = Plan()


class Cursors(Store):
    """A store that keeps positions, and nothing on a disk: what a shard costs is another figure."""

    def __init__(self) -> None:
        self._kept: Mapping[int, int] = {}

    def cursors(self) -> Mapping[int, int]:
        return self._kept

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        self._kept = cursors


def used_us() -> int:
    """Return the processor time of this process, its sockets' thread included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int((used.ru_utime + used.ru_stime) * 1e6)


def _run(kind: str, name: str, detail: str) -> None:
    def build(_house: House, _clock: Clock) -> Parts:
        if kind == "hear":
            stream, goal = detail.split()
            return Parts(Listener(name, stream, int(goal)), store=Cursors())
        return Parts(Speaker(name, msgspec.json.decode(detail, type=Plan)))

    main(name, build, market=False)


if __name__ == "__main__":
    kind, name, detail, *standby = sys.argv[1:]
    if standby:  # All is imported: it starts when it is told to.
        sys.stdout.write("here\n")
        sys.stdout.flush()
        sys.stdin.readline()
    _run(kind, name, detail)
