"""The warden: hears the supervisor and the heartbeats, breaks crash loops, ends what hangs."""

from typing import ClassVar

from bus.health import SECOND, Process, Vitals, limits
from bus.service import Said, Service
from schema.house import (
    Command,
    CommandDone,
    Heartbeat,
    ProcessState,
    Started,
    TimeGap,
    Timer,
    Unanswered,
    Wake,
)
from schema.settings import WardenSettings
from services.warden import HEARS, NAME, SAYS, breaker
from services.warden.breaker import Terms
from services.warden.effects import (
    Inventory,
    Obeyed,
    ProcessSeen,
    Remember,
    SettingsChanged,
    SignalProgram,
    StartProgram,
    StopProgram,
)
from services.warden.state import Hang, State, pack, unpack

CHECK_S = 0.5
KILL_AFTER_S = 1.0
TOLD_S = 2.0
LEAVING = frozenset({"DRAINING", "STOPPED"})
"""What a process says that has heard that it is to stop."""

NAP_S = 2.0
"""When the warden's own check comes this late, the machine slept, and nobody else is to blame."""


class Warden(Service):
    """Decides what the supervisor does with processes that end or hang."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS

    def __init__(
        self, programs: tuple[str, ...], settings: WardenSettings, scale: float, now_ns: int
    ) -> None:
        self.state = State()
        self.second_ns = int(SECOND * scale)
        self.vitals = Vitals(programs, now_ns, limits(scale, settings.start_deadline_s))
        self.terms = Terms(
            exits=settings.exits,
            within_ns=settings.within_s * self.second_ns,
            retry_ns=settings.retry_s * self.second_ns,
            retry_max_ns=settings.retry_max_s * self.second_ns,
        )
        self._checked_ns = now_ns
        self._effects = 0
        self._remembered = b""

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Heartbeat():
                self.vitals.heard(message, now_ns)
                return []
            case Started():
                self._checked_ns = now_ns
                return [self._next_check(now_ns)]
            case Inventory():
                return self._kept(self._take(message, now_ns))
            case ProcessSeen():
                return self._kept(self._seen(message, now_ns))
            case Timer():
                return self._kept(self._check(now_ns))
            case SettingsChanged():
                return self._kept(self._retry_refused())
            case TimeGap():
                self.vitals.forgive(now_ns)
                self._checked_ns = now_ns
                return [self._next_check(now_ns)]  # The one before may lie hours ahead.
            case Command():
                return [_unknown(message)]
            case Obeyed() | Unanswered() | ProcessState():
                return []
            case _:
                raise AssertionError(f"warden does not listen to {type(message).__name__}")

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return restarts, crash loops, and what is stopped, by program."""
        known = sorted(self.state.programs.items())
        seen = self.vitals.processes
        stopped = {name for name, process in seen.items() if process.state == "STOPPED"}
        return tuple(
            pair
            for name, program in known
            for pair in (
                (f"restarts.{name}", program.restarts),
                (f"crash_loop.{name}", int(program.looping)),
                (f"stopped.{name}", int(name in stopped)),
            )
        )

    def _take(self, inventory: Inventory, now_ns: int) -> list[Said]:
        self.state.programs = unpack(inventory.memory)
        outs: list[Said] = []
        for seen in inventory.programs:
            self.vitals.changed(seen.program, _process(seen, now_ns))
            program = self.state.program(seen.program)
            if seen.state == "EXITED" and program.phase not in breaker.HELD:
                breaker.exited(
                    program, seen.exit_code, now_ns, self.terms, expected=seen.exit_code >= 0
                )
            elif seen.state == "STOPPED" and program.phase in {"breaking", "stopping"}:
                breaker.stopped(program, now_ns, self.terms)
            elif seen.state == "RUNNING" and program.phase in {"breaking", "stopping"}:
                program.phase = "stopping"
                outs.append(self._stop(seen.program))
            elif seen.state == "RUNNING":
                breaker.runs(program)
        return outs

    def _seen(self, seen: ProcessSeen, now_ns: int) -> list[Said]:
        self.vitals.changed(seen.program, _process(seen, now_ns))
        program = self.state.program(seen.program)
        outs: list[Said] = [_said(seen, now_ns)]
        if seen.state != "RUNNING":
            self.state.hangs.pop(seen.program, None)
        if seen.program == NAME:
            program.restarts += int(seen.state == "STARTING" and seen.before == "EXITED")
        elif seen.state == "EXITED":
            outs += self._exited(seen, now_ns)
        elif seen.state == "STARTING":
            if breaker.started(program, seen.before, now_ns) == "stop":
                outs.append(self._stop(seen.program))
        elif seen.state == "STOPPED":
            breaker.stopped(program, now_ns, self.terms)
        return outs

    def _exited(self, seen: ProcessSeen, now_ns: int) -> list[Said]:
        program = self.state.program(seen.program)
        before = program.phase
        breaker.exited(program, seen.exit_code, now_ns, self.terms, expected=seen.expected)
        if program.phase in {"", before}:
            return []
        return [_held(seen, program.phase, now_ns)]

    def _check(self, now_ns: int) -> list[Said]:
        if now_ns - self._checked_ns > NAP_S * self.second_ns:
            self.vitals.forgive(now_ns)
        self._checked_ns = now_ns
        outs: list[Said] = [self._next_check(now_ns)]
        for name, program in self.state.programs.items():
            process = self.vitals.processes.get(name)
            runs = process is not None and process.state == "RUNNING"
            if breaker.due(program, now_ns, self.terms, runs=runs) == "start":
                outs.append(StartProgram(effect_id=self._id("start", name), program=name))
            if process is not None and runs and name != NAME:
                outs += self._end_hung(name, process, now_ns)
            if process is not None and process.state == "STOPPING":
                outs += self._tell_again(name, process, now_ns)
        return outs

    def _tell_again(self, name: str, process: Process, now_ns: int) -> list[Said]:
        # A SIGTERM between fork and exec reaches the supervisor's handler, and no one.
        sign = self.vitals.signs.get(name)
        told_ns = now_ns - process.since_ns
        if sign is None or sign.heartbeat.pid != process.pid or told_ns < TOLD_S * self.second_ns:
            return []
        heard_after_ns = sign.heard_ns - process.since_ns
        if sign.heartbeat.state in LEAVING or heard_after_ns < self.second_ns:
            return []
        process.since_ns = now_ns
        return [
            SignalProgram(
                effect_id=self._id("TERM", name), program=name, pid=process.pid, signal="TERM"
            )
        ]

    def _end_hung(self, name: str, process: Process, now_ns: int) -> list[Said]:
        verdict = self.vitals.verdict(name, now_ns)
        if verdict.state != "DEAD":
            self.state.hangs.pop(name, None)
            return []
        hang = self.state.hangs.get(name)
        if hang is not None and hang.pid == process.pid and now_ns < hang.kill_at_ns:
            return []
        first = hang is None or hang.pid != process.pid
        self.state.hangs[name] = Hang(process.pid, now_ns + int(KILL_AFTER_S * self.second_ns))
        signal = "ABRT" if first else "KILL"
        effect = SignalProgram(
            effect_id=self._id(signal, name), program=name, pid=process.pid, signal=signal
        )
        hung = ProcessState(
            ts_event=now_ns,
            program=name,
            state="HUNG",
            before="RUNNING",
            pid=process.pid,
            expected=False,
            detail=f"{verdict.reason}; it gets SIG{signal}",
        )
        return [effect, hung]

    def _retry_refused(self) -> list[Said]:
        outs: list[Said] = []
        for name, program in self.state.programs.items():
            if program.phase == "refused":
                program.phase = "trying"
                program.retry_at_ns = self._checked_ns + self.terms.retry_ns
                outs.append(StartProgram(effect_id=self._id("start", name), program=name))
        return outs

    def _stop(self, name: str) -> Said:
        return StopProgram(effect_id=self._id("stop", name), program=name)

    def _kept(self, outs: list[Said]) -> list[Said]:
        memory = pack(self.state)
        if memory == self._remembered:
            return outs
        self._remembered = memory
        return [*outs, Remember(effect_id=self._id("remember", "all"), memory=memory)]

    def _next_check(self, now_ns: int) -> Wake:
        return Wake(name="check", at_ns=now_ns + int(CHECK_S * self.second_ns))

    def _id(self, verb: str, program: str) -> str:
        self._effects += 1
        return f"{verb}.{program}.{self._effects}"


def _process(seen: ProcessSeen, now_ns: int) -> Process:
    pid = seen.pid if seen.state in {"RUNNING", "STOPPING"} else 0
    return Process(seen.state, pid, now_ns, seen.detail)


def _said(seen: ProcessSeen, now_ns: int) -> ProcessState:
    return ProcessState(
        ts_event=now_ns,
        program=seen.program,
        state=seen.state,
        before=seen.before,
        pid=seen.pid,
        expected=seen.expected,
        exit_code=seen.exit_code,
        detail=seen.detail,
    )


def _held(seen: ProcessSeen, phase: str, now_ns: int) -> ProcessState:
    why = {
        "breaking": "it ends again and again: it will be stopped, and tried again later",
        "resting": "its place is taken: it will be tried again later",
        "refused": "it refuses its settings: it waits until they change or somebody starts it",
    }[phase]
    return ProcessState(
        ts_event=now_ns,
        program=seen.program,
        state="HELD",
        before=seen.state,
        expected=False,
        exit_code=seen.exit_code,
        detail=f"{why} ({seen.detail})",
    )


def _unknown(command: Command) -> CommandDone:
    return CommandDone(
        request_id=command.request_id,
        ok=False,
        text=f"warden knows no command {command.verb}; it knows status and drain",
    )
