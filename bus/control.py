"""What a control socket asks of any service; the rest is for its core.

    hello        who answers: service, pid, world, epoch, contract, code
    status       the heartbeat of this moment
    wait_ready   answered once it is READY, or when the given ms are over, and why
    drain        it ends cleanly
    snapshot     it keeps its state for its next start, and tells it for those who join later

There is no verb for how much is logged: a log has no levels here, each line has its place. Commands
go over these sockets alone, and are answered; nothing that matters is only published.
"""

from collections.abc import Callable

import msgspec

from bus.log import Log
from bus.pulse import Pulse
from bus.transport import Transport
from schema.house import Command, CommandDone

QUESTIONS = frozenset(
    {"hello", "status", "wait_ready", "stops", "level", "limits", "balances", "strategies", "audit"}
)
"""What changes nothing: it is no command, and whoever asks is not written down."""

ARG_CHARS = 200
"""Of an argument that the audit keeps: one may be a whole file, which is kept elsewhere."""

WAIT_MS_MAX = 600_000


class Hello(msgspec.Struct):
    """Who answers; the body of `hello`, as JSON."""

    service: str
    pid: int
    world: str
    epoch: int
    contract: str
    code: str


class Control:
    """Answers what every service is asked, and hands on what it does not know."""

    def __init__(
        self,
        transport: Transport,
        pulse: Pulse,
        log: Log,
        snapshot: Callable[[], None] | None,
        tell: Callable[[], None] | None = None,
    ) -> None:
        self.draining = False
        self._transport = transport
        self._pulse = pulse
        self._log = log
        self._snapshot = snapshot
        self._tell = tell
        self._expired = 0

    def take(self) -> list[Command]:
        """Return the commands that are the core's to answer."""
        asked = self._transport.commands()
        return [command for command in asked if not (self._late(command) or self._own(command))]

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return what was asked too late, again, or in a way that nobody reads."""
        return (("commands_expired", self._expired), *self._transport.counters())

    def _late(self, command: Command) -> bool:
        late_ns = self._pulse.clock.mono_ns() - command.until_mono_ns
        if not command.until_mono_ns or late_ns <= 0:
            return False
        self._expired += 1
        if command.verb not in QUESTIONS:
            self._log.event("command_expired", kind="audit", verb=command.verb, by=command.by)
        text = f"not done: it was read {late_ns // 1_000_000} ms after its asker stopped waiting"
        self._reply(command, ok=False, text=text)
        return True

    def _own(self, command: Command) -> bool:
        if command.verb not in QUESTIONS:
            args = tuple(_shortened(arg) for arg in command.args)
            self._log.event("command", kind="audit", verb=command.verb, args=args, by=command.by)
        match command.verb:
            case "hello":
                self._greet(command)
            case "status":
                self._pulse.answer_status(command)
            case "wait_ready":
                self._wait_ready(command)
            case "drain":
                self.draining = True
                self._reply(command, ok=True, text="it drains and stops")
            case "snapshot":
                self._keep(command)
            case _:
                return False
        return True

    def _greet(self, command: Command) -> None:
        pulse = self._pulse
        hello = Hello(
            service=pulse.service,
            pid=pulse.pid,
            world=pulse.world,
            epoch=pulse.epoch,
            contract=pulse.contract,
            code=pulse.code,
        )
        text = f"{hello.service}, process {hello.pid}, world {hello.world}, epoch {hello.epoch}"
        self._reply(command, ok=True, text=text, body=msgspec.json.encode(hello))

    def _wait_ready(self, command: Command) -> None:
        wait = command.args[0] if command.args else "0"
        if not (wait.isascii() and wait.isdecimal() and len(command.args) <= 1):
            self._reply(command, ok=False, text="wait_ready takes one number: how many ms to wait")
            return
        self._pulse.await_ready(command, min(int(wait[:9]), WAIT_MS_MAX))

    def _keep(self, command: Command) -> None:
        if self._tell is not None:
            self._tell()
        if self._snapshot is None:
            self._reply(command, ok=False, text="it keeps no snapshot: its state is elsewhere")
        else:
            self._snapshot()
            self._reply(command, ok=True, text="the snapshot is on the disk")

    def _reply(self, command: Command, *, ok: bool, text: str, body: bytes = b"") -> None:
        done = CommandDone(request_id=command.request_id, ok=ok, text=text, body=body)
        self._transport.reply(done)


def _shortened(arg: str) -> str:
    if len(arg) <= ARG_CHARS:
        return arg
    return f"{arg[:ARG_CHARS]} ... ({len(arg)} characters)"
