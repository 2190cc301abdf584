"""The monitor: hears every sign of life, and says an alert when something starts or ends."""

from typing import ClassVar

from bus.health import SECOND, Process, Vitals, limits
from bus.lag import Lag
from bus.service import Heard, Said, Service
from schema.head import Message
from schema.house import (
    Alert,
    Command,
    CommandDone,
    Heartbeat,
    ProcessState,
    Started,
    TimeGap,
    Timer,
    Wake,
)
from schema.settings import MonitorSettings
from services.monitor import HEARS, NAME, SAYS
from services.monitor.audit import Audit
from services.monitor.conditions import (
    AUDITED,
    HOLD_S,
    Condition,
    of_contracts,
    of_crash_loops,
    of_disk,
    of_files,
    of_journals,
    of_loops,
    of_refused,
    of_verdicts,
    of_writer,
)
from services.monitor.effects import DiskSeen
from services.monitor.permission import Permission
from services.monitor.refused import Refused
from services.monitor.shards import Keeping, of_shards
from services.monitor.state import State, key

CHECK_S = 0.5
NAP_S = 2.0
GRACE_S = 5.0
"""After a start nothing is judged until every heartbeat had time to come."""

LATELY_S = 60
"""Rows that were refused by a feed since then are coming still."""

STOPPED = "stopped."
"""The warden's counters of what a person, or it, has stopped."""

SUPERVISED = frozenset({"STARTING", "RUNNING", "STOPPING", "STOPPED", "EXITED", "FATAL"})


class Monitor(Service):
    """Turns conditions that last into alerts, and alerts whose condition is gone into their end."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS

    rereads: ClassVar[tuple[str, ...]] = ("gateway.order",)
    niceness: ClassVar[int] = 10

    def __init__(
        self,
        programs: tuple[str, ...],
        settings: MonitorSettings,
        scale: float,
        now_ns: int,
        snapshot_s: int,
        keeping: Keeping | None = None,
        *,
        needs_arm: bool = False,
    ) -> None:
        self.state = State()
        self.settings = settings
        self.audit = Audit(NAME, snapshot_s * SECOND)
        self.permission = Permission(needed=needs_arm)
        self.keeping = keeping or Keeping()
        self.scale = scale
        self.second_ns = int(SECOND * scale)
        self.vitals = Vitals(programs, now_ns, limits(scale))
        self._lag = Lag()
        self._refused = Refused(LATELY_S * self.second_ns)
        self._behind_s: dict[str, int] = {}
        self._disk: DiskSeen | None = None
        self._since_ns: dict[str, int] = {}
        self._checked_ns = now_ns
        self._quiet_until_ns = now_ns

    def hear(self, heard: Heard, now_ns: int) -> list[Said]:
        if not heard.stream:
            return self.handle(heard.message, now_ns)
        assert isinstance(heard.message, Message)
        self.audit.take(heard.message, heard.pos)
        self.permission.take(heard.message)
        return []

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Heartbeat():
                self.vitals.heard(message, now_ns)
                self.audit.beat(message, now_ns)
                self._learn_stopped(message, now_ns)
                return []
            case ProcessState():
                self._process(message, now_ns)
                return []
            case DiskSeen():
                self._disk = message
                return []
            case Started() | TimeGap():
                self._excuse(now_ns)
                return [self._next_check(now_ns)]
            case Timer():
                return self._check(now_ns)
            case Command():
                return [_unknown(message)]
            case _:
                raise AssertionError(f"monitor does not listen to {type(message).__name__}")

    def apply(self, message: Message) -> None:
        if isinstance(message, Alert):
            if message.state == "firing":
                self.state.firing[key(message.name, message.scope)] = message
            else:
                self.state.firing.pop(key(message.name, message.scope), None)

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return how many alerts fire, and how far each writer is behind."""
        behind = sorted(self._behind_s.items())
        return (
            ("alerts_firing", len(self.state.firing)),
            ("audited_fills", self.audit.books.fills),
            ("audit_differences", self.audit.faults),
            *((f"behind_s.{service}", seconds) for service, seconds in behind),
        )

    def _process(self, change: ProcessState, now_ns: int) -> None:
        if change.state in SUPERVISED:
            pid = change.pid if change.state in {"RUNNING", "STOPPING"} else 0
            process = Process(change.state, pid, now_ns, change.detail)
            self.vitals.changed(change.program, process)

    def _learn_stopped(self, heartbeat: Heartbeat, now_ns: int) -> None:
        # What was stopped before this monitor came is told by nobody else.
        for name, value in heartbeat.counters if heartbeat.service == "warden" else ():
            program = name.removeprefix(STOPPED)
            if name != program and value and program not in self.vitals.processes:
                self.vitals.changed(program, Process("STOPPED", 0, now_ns))

    def _check(self, now_ns: int) -> list[Said]:
        if now_ns - self._checked_ns > NAP_S * self.second_ns:
            self._excuse(now_ns)
        self._checked_ns = now_ns
        outs: list[Said] = [self._next_check(now_ns)]
        conditions = self._conditions(now_ns)
        if now_ns < self._quiet_until_ns:
            return outs
        current = {key(c.name, c.scope): c for c in conditions}
        self._since_ns = {known: self._since_ns.get(known, now_ns) for known in current}
        for known, condition in current.items():
            hold_ns = HOLD_S[condition.name] * self.second_ns
            lasting = now_ns - self._since_ns[known] >= hold_ns
            if lasting and known not in self.state.firing:
                outs.append(self._firing(condition, self._since_ns[known], now_ns))
        gone = [alert for known, alert in self.state.firing.items() if known not in current]
        return [*outs, *(_resolved(alert, now_ns) for alert in gone if self._judged(alert))]

    def _judged(self, alert: Alert) -> bool:
        # What the audit found before a restart holds until it has read as much again.
        return self.audit.level or alert.name not in AUDITED

    def _conditions(self, now_ns: int) -> list[Condition]:
        verdicts = self.vitals.verdicts(now_ns)
        heartbeats = [
            self.vitals.signs[verdict.service].heartbeat
            for verdict in verdicts
            if verdict.service in self.vitals.signs
        ]
        lag_ms_max = int(self.settings.lag_ms / self.scale)
        counters = [pair for hb in heartbeats if hb.service == "warden" for pair in hb.counters]
        alive = [hb for hb in heartbeats if self._alive(hb, now_ns)]
        return [
            *of_verdicts(verdicts),
            *of_loops(alive, lag_ms_max),
            *of_crash_loops(counters),
            *self._writers(alive, now_ns),
            *self._room(),
            *of_contracts(alive),
            *of_files(alive),
            *of_journals(alive),
            *of_refused(self._refused.grew(alive, now_ns)),
            *of_shards(alive, self.keeping),
            *self.audit.conditions(now_ns),
            *(self.permission.conditions(now_ns) if self.audit.level else ()),
        ]

    def _alive(self, heartbeat: Heartbeat, now_ns: int) -> bool:
        silent_ns = now_ns - self.vitals.signs[heartbeat.service].heard_ns
        return silent_ns < self.vitals.bounds.dead_ns

    def _writers(self, heartbeats: list[Heartbeat], now_ns: int) -> list[Condition]:
        lasts = self.vitals.lasts()
        found = []
        for heartbeat in heartbeats:
            if heartbeat.service.startswith("writer_"):
                behind_ns = self._lag.behind_ns(heartbeat, lasts, now_ns)
                behind_s = behind_ns // self.second_ns
                self._behind_s[heartbeat.service] = behind_s
                found += of_writer(heartbeat.service, behind_s, self.settings.writer_behind_s)
        return found

    def _room(self) -> list[Condition]:
        if self._disk is None:
            return []
        return of_disk(self._disk.path, self._disk.free_mib, self.settings.disk_free_mib)

    def _excuse(self, now_ns: int) -> None:
        self.vitals.forgive(now_ns)
        self._checked_ns = now_ns
        self._quiet_until_ns = now_ns + int(GRACE_S * self.second_ns)

    def _next_check(self, now_ns: int) -> Wake:
        return Wake(name="check", at_ns=now_ns + int(CHECK_S * self.second_ns))

    def _firing(self, condition: Condition, since_ns: int, now_ns: int) -> Alert:
        return Alert(
            ts_event=now_ns,
            name=condition.name,
            severity=condition.severity,
            state="firing",
            scope=condition.scope,
            summary=condition.summary,
            since_ns=since_ns,
        )


def _resolved(alert: Alert, now_ns: int) -> Alert:
    return Alert(
        ts_event=now_ns,
        name=alert.name,
        severity=alert.severity,
        state="resolved",
        scope=alert.scope,
        summary=alert.summary,
        since_ns=alert.since_ns,
    )


def _unknown(command: Command) -> CommandDone:
    return CommandDone(
        request_id=command.request_id,
        ok=False,
        text=f"monitor knows no command {command.verb}; it knows status and drain",
    )
