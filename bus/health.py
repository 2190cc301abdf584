"""From signs of life to verdicts with reasons: the warden, the monitor and `rrr status` share it.

Times are nanoseconds of whatever clock the caller uses; `limits(scale)` stretches the limits,
which are a person's seconds, to that clock.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schema.house import Heartbeat

MS = 1_000_000
SECOND = 1_000_000_000

DOWN = frozenset({"STOPPED", "EXITED", "FATAL", "BACKOFF", "STOPPING", "UNKNOWN"})
"""States of the supervisor in which no process works."""

STARTING = frozenset({"STARTING", "RECOVERING"})
"""States in which silence is work: an import alone may block the loop for more than a second."""


PAUSED = "paused"
"""The counter of who reads nothing for now, and has said why in its heartbeat."""


class Limits(msgspec.Struct, frozen=True):
    """How long silence and standstill may last."""

    suspect_ns: int = 750 * MS  # three heartbeats
    dead_ns: int = 3 * SECOND
    stuck_ns: int = 10 * SECOND
    start_ns: int = 60 * SECOND


class Process(msgspec.Struct):
    """A process as the supervisor sees it; `since_ns` is when it came into this state."""

    state: str
    pid: int
    since_ns: int
    detail: str = ""


class Sign(msgspec.Struct):
    """The last heartbeat of a service, when it came, and when it last moved or had read all."""

    heartbeat: Heartbeat
    heard_ns: int
    moved_ns: int


class Verdict(msgspec.Struct, frozen=True):
    """How a service does: a state of its heartbeat or the supervisor, or SUSPECT, DEAD, STUCK."""

    service: str
    state: str
    reason: str

    @property
    def ready(self) -> bool:
        return self.state == "READY"


def limits(scale: float = 1.0, start_s: int = 60) -> Limits:
    """Return the limits in nanoseconds of a clock that runs `scale` times as fast."""
    base = Limits()
    return Limits(
        suspect_ns=int(base.suspect_ns * scale),
        dead_ns=int(base.dead_ns * scale),
        stuck_ns=int(base.stuck_ns * scale),
        start_ns=int(start_s * SECOND * scale),
    )


class Vitals:
    """All signs of life of a house, and what the supervisor said of each process."""

    def __init__(self, services: Iterable[str], now_ns: int, bounds: Limits) -> None:
        self.services = tuple(services)
        self.bounds = bounds
        self.signs: dict[str, Sign] = {}
        self.processes: dict[str, Process] = {}
        self._since_ns = now_ns

    def heard(self, heartbeat: Heartbeat, now_ns: int) -> None:
        """Take a heartbeat."""
        before = self.signs.get(heartbeat.service)
        moved = before is None or _progress(before.heartbeat) != _progress(heartbeat)
        # Who had nothing to do did not stand still, nor did who pauses and says so.
        idle = not behind(heartbeat, self.lasts()) or dict(heartbeat.counters).get(PAUSED)
        moved_ns = now_ns if moved or idle or before is None else before.moved_ns
        self.signs[heartbeat.service] = Sign(heartbeat, now_ns, moved_ns)

    def changed(self, service: str, process: Process) -> None:
        """Take a change of state from the supervisor; a new process has not spoken yet."""
        self.processes[service] = process
        if process.state == "STARTING":
            self.signs.pop(service, None)

    def forgive(self, now_ns: int) -> None:
        """Start all waiting anew: the watcher itself slept, so silence proves nothing."""
        self._since_ns = now_ns
        for sign in self.signs.values():
            sign.heard_ns = sign.moved_ns = now_ns
        for process in self.processes.values():
            process.since_ns = now_ns

    def verdict(self, service: str, now_ns: int) -> Verdict:
        """Return how a service does."""
        sign = self.signs.get(service)
        process = self.processes.get(service)
        since_ns = self._since_ns if process is None else process.since_ns
        return judge(service, process, sign, now_ns, since_ns, self.lasts(), self.bounds)

    def verdicts(self, now_ns: int) -> list[Verdict]:
        """Return how every service does, in the order of the house."""
        return [self.verdict(service, now_ns) for service in self.services]

    def lasts(self) -> dict[int, int]:
        """Return the last position of every stream, as its owner said it."""
        return last_positions(sign.heartbeat for sign in self.signs.values())


def last_positions(heartbeats: Iterable[Heartbeat]) -> dict[int, int]:
    """Return the last position of every stream that the heartbeats name."""
    return {number: last for heartbeat in heartbeats for number, last in heartbeat.last}


def behind(heartbeat: Heartbeat, lasts: Mapping[int, int]) -> int:
    """Return the number of the stream that a service has not read to its end; 0 for none."""
    for number, cursor in heartbeat.cursors:
        if cursor < lasts.get(number, 0):
            return number
    return 0


def judge(
    service: str,
    process: Process | None,
    sign: Sign | None,
    now_ns: int,
    since_ns: int,
    lasts: Mapping[int, int],
    bounds: Limits,
) -> Verdict:
    """Return the verdict on one service; what the supervisor knows goes before what it said."""
    if process is not None and process.state in DOWN:
        return Verdict(service, process.state, process.detail or "no process runs")
    stranger = (
        sign is not None
        and process is not None
        and process.pid
        not in (
            0,
            sign.heartbeat.pid,
        )
    )
    if sign is None or stranger:
        return _unheard(service, now_ns - since_ns, bounds)
    heartbeat, silent_ns = sign.heartbeat, now_ns - sign.heard_ns
    if heartbeat.state in STARTING:
        return _starting(heartbeat, silent_ns, bounds)
    if silent_ns >= bounds.dead_ns:
        return Verdict(service, "DEAD", f"{_heard(silent_ns, bounds)}, it was {heartbeat.state}")
    if silent_ns >= bounds.suspect_ns:
        return Verdict(service, "SUSPECT", _heard(silent_ns, bounds))
    stream = behind(heartbeat, lasts)
    if stream and now_ns - sign.moved_ns >= bounds.stuck_ns:
        return Verdict(service, "STUCK", f"it has input on stream {stream} and does not move")
    return Verdict(service, heartbeat.state, heartbeat.reason)


def _starting(heartbeat: Heartbeat, silent_ns: int, bounds: Limits) -> Verdict:
    if silent_ns >= bounds.start_ns:
        return Verdict(heartbeat.service, "DEAD", f"{_heard(silent_ns, bounds)} since it started")
    return Verdict(heartbeat.service, heartbeat.state, heartbeat.reason)


def _unheard(service: str, silent_ns: int, bounds: Limits) -> Verdict:
    if silent_ns >= bounds.start_ns:
        return Verdict(service, "DEAD", f"{_heard(silent_ns, bounds)}: it has never spoken")
    return Verdict(service, "STARTING", "it has not spoken yet")


def _heard(silent_ns: int, bounds: Limits) -> str:
    # The bounds carry the clock's scale: three seconds of a person are `dead_ns`.
    return f"silent for {silent_ns * 3 / bounds.dead_ns:.1f} s"


def _progress(heartbeat: Heartbeat) -> tuple[int, int, object]:
    return heartbeat.pid, heartbeat.turn, heartbeat.cursors
