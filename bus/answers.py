"""Whose request is whose: one that comes again gets the first one's answer, and is not done twice.

A client that lost an answer asks again by the same id. What is under way answers all who asked for
it; what was answered lately is answered from memory. Neither reaches the service a second time, so
that no processor records it twice. The memory is of one life: a request that a service was killed
over is one of which its asker does not know, as of an order.
"""

import os
from collections.abc import Sequence

import msgspec

from bus.clock import SystemClock
from bus.errors import ProtocolError
from schema.house import Command, CommandDone
from schema.messages import UNREADABLE

ANSWERS_MAX = 1_000
ANSWERS_BYTES_MAX = 4 << 20
ASKED_MAX = 16_384
"""Requests under way: one that a core never answers is forgotten in the end."""

ASKERS_MAX = 16

_answer = msgspec.msgpack.Decoder(CommandDone)


class Asked(msgspec.Struct):
    """A request, who waits for its answer, and the answer once it was given."""

    command: Command
    askers: list[bytes]
    done: CommandDone | None = None

    @property
    def size(self) -> int:
        found = self.done
        return sum(map(len, (*self.command.args, found.text, found.body))) if found else 0

    def is_same(self, command: Command) -> bool:
        """Return whether it asks for the same, however long it waits."""
        return (self.command.verb, self.command.args) == (command.verb, command.args)


class Answers:
    """The requests of one control socket that are under way, and the last ones answered."""

    def __init__(self) -> None:
        self.repeated = 0
        self.confused = 0  # another request was under way by the same id
        self._open: dict[str, Asked] = {}
        self._last: dict[str, Asked] = {}
        self._size = 0

    def take(self, asker: bytes, command: Command) -> Command | CommandDone | None:
        """Return a new request, or the answer of one that comes again; None while it is awaited."""
        under_way = self._open.get(command.request_id)
        if under_way is not None:
            self._join(under_way, asker, command)
            return None
        last = self._last.get(command.request_id)
        if last is not None and last.is_same(command):
            self.repeated += 1
            return last.done
        if len(self._open) >= ASKED_MAX:
            del self._open[next(iter(self._open))]
        self._open[command.request_id] = Asked(command, [asker])
        return command

    def give(self, done: CommandDone) -> Sequence[bytes]:
        """Return who waits for an answer, and remember it."""
        asked = self._open.pop(done.request_id, None)
        if asked is None:
            return ()
        self._forget(done.request_id)
        asked.done = done
        self._last[done.request_id] = asked
        self._size += asked.size
        while len(self._last) > ANSWERS_MAX or self._size > ANSWERS_BYTES_MAX:
            self._forget(next(iter(self._last)))
        return asked.askers

    def _join(self, asked: Asked, asker: bytes, command: Command) -> None:
        # An id used for two things at once: nobody could tell whose the answer is.
        if not asked.is_same(command):
            self.confused += 1
            return
        self.repeated += 1
        if asker not in asked.askers and len(asked.askers) < ASKERS_MAX:
            asked.askers.append(asker)

    def _forget(self, request_id: str) -> None:
        gone = self._last.pop(request_id, None)
        if gone is not None:
            self._size -= gone.size


def new_request(verb: str, args: tuple[str, ...], wait_ms: int, request_id: str = "") -> Command:
    """Return a request of this process; it is not done once `wait_ms` are over, unless 0."""
    who = os.environ.get("USER") or f"uid{os.getuid()}"
    return Command(
        request_id=request_id or os.urandom(8).hex(),
        verb=verb,
        args=args,
        by=f"{who}:{os.getpid()}",
        until_mono_ns=SystemClock().mono_ns() + wait_ms * 1_000_000 if wait_ms else 0,
    )


def answer_of(service: str, data: bytes) -> CommandDone:
    """Return what a service answered; ProtocolError when that cannot be read."""
    try:
        return _answer.decode(data)
    except UNREADABLE as error:
        raise ProtocolError(
            f"{service} answered in a way that this rrr does not read: {error}",
            "Its code differs from the tree: restart it",
        ) from error
