"""What a control socket asks of any service; the rest is for its core."""

from collections.abc import Callable

from bus.log import Log
from bus.pulse import Pulse
from bus.transport import Transport
from schema.house import Command, CommandDone

QUESTIONS = frozenset({"status", "stops", "level", "limits", "balances", "strategies"})
"""What changes nothing: it is no command, and whoever asks is not written down."""

ARG_CHARS = 200
"""Of an argument that the audit keeps: one may be a whole file, which is kept elsewhere."""


class Control:
    """Answers `status`, obeys `drain` and `snapshot`, hands on what it does not know."""

    def __init__(
        self, transport: Transport, pulse: Pulse, log: Log, snapshot: Callable[[], None] | None
    ) -> None:
        self.draining = False
        self._transport = transport
        self._pulse = pulse
        self._log = log
        self._snapshot = snapshot

    def take(self) -> list[Command]:
        """Return the commands that are the core's to answer."""
        return [command for command in self._transport.commands() if not self._own(command)]

    def _own(self, command: Command) -> bool:
        if command.verb == "status":
            self._pulse.answer_status(command)
            return True
        if command.verb not in QUESTIONS:
            args = tuple(_shortened(arg) for arg in command.args)
            self._log.event("command", kind="audit", verb=command.verb, args=args, by=command.by)
        if command.verb == "drain":
            self.draining = True
            self._reply(command, ok=True, text="it drains and stops")
        elif command.verb == "snapshot":
            self._keep(command)
        else:
            return False
        return True

    def _keep(self, command: Command) -> None:
        if self._snapshot is None:
            self._reply(command, ok=False, text="it keeps no snapshot: its state is elsewhere")
        else:
            self._snapshot()
            self._reply(command, ok=True, text="the snapshot is on the disk")

    def _reply(self, command: Command, *, ok: bool, text: str) -> None:
        self._transport.reply(CommandDone(request_id=command.request_id, ok=ok, text=text))


def _shortened(arg: str) -> str:
    if len(arg) <= ARG_CHARS:
        return arg
    return f"{arg[:ARG_CHARS]} ... ({len(arg)} characters)"
