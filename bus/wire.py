"""ZeroMQ: the only file that imports zmq.

Each service binds one PUB `<run>/<service>.pub` and one ROUTER `<run>/<service>.ctl`, and connects
one SUB to every publisher that it hears. Options and their reasons: reference of ZeroMQ 4.3 and
docs/adr/0002.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import zmq

from bus.answers import Answers, answer_of, new_request
from bus.clock import SystemClock
from bus.errors import UnreachableError
from bus.sockets import inode_of, refuse_foreign, socket_path
from bus.transport import FRAMES_MAX, Transport
from schema.frame import FRAME_BYTES_MAX, topic
from schema.house import Command, CommandDone

__all__ = ["Subscriber", "Wire", "ask", "ask_all", "drain", "socket_path", "subscriber"]

SEND_FRAMES_MAX = 256
"""With frames of at most 64 KiB, a stuck subscriber costs its publisher 16 MiB and no more."""

RECEIVE_FRAMES_MAX = 1000
LINGER_MS = 250
HANDSHAKE_MS = 2000
RECONNECT_MS = 20
LOOK_MS = 1000
REQUEST_BYTES_MAX = 950_000
PASS_BYTES = 1 << 16
"""Requests of one pass stand in one record of a turn, which must fit a frame with all else."""
DRAIN_BYTES = 1 << 16  # What is taken in one pass stays in the processor's cache until handled.

_HERE = int(zmq.POLLIN)
_request = msgspec.msgpack.Decoder(Command)
_encoder = msgspec.msgpack.Encoder()


class Wire(Transport):
    """A service's sockets; with `counting` it knows how many listen to a stream."""

    def __init__(self, run: Path, service: str, *, counting: bool = False) -> None:
        self._run = run
        self._paths = (socket_path(run, service, "pub"), socket_path(run, service, "ctl"))
        for path in self._paths:
            refuse_foreign(path)
        self._context = zmq.Context(io_threads=1)
        self._pub = self._bound(zmq.XPUB if counting else zmq.PUB, self._paths[0])
        self._ctl = self._bound(zmq.ROUTER, self._paths[1])
        self._inodes = tuple(inode_of(path) for path in self._paths)
        self._sub = subscriber(self._context, run, ())
        self._poller = zmq.Poller()
        self._poller.register(self._sub, zmq.POLLIN)
        self._poller.register(self._ctl, zmq.POLLIN)
        self._ready: list[Any] = []  # what `wait` found
        self._answers = Answers()
        self._listeners: Counter[bytes] = Counter()
        self.frames_dropped = 0

    def hear(self, streams: Iterable[str]) -> None:
        """Subscribe to streams, before their journals are read."""
        subscribe(self._sub, self._run, streams)

    def lost(self) -> Path | None:
        """Return the socket of ours that is gone or another's: nobody new can reach us there."""
        for path, ours in zip(self._paths, self._inodes, strict=True):
            if inode_of(path) != ours:
                return path
        return None

    def _bound(self, kind: int, path: Path) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.SNDHWM, SEND_FRAMES_MAX)
        socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if kind == zmq.XPUB:
            socket.setsockopt(zmq.XPUB_VERBOSER, 1)  # Else only the first and last are told.
        socket.bind(f"ipc://{path}")
        return socket

    def listeners(self, stream: str) -> int:
        """Return how many subscribers a stream has; only a wire that counts can say so."""
        for said in drain(self._pub) if _has_more(self._pub) else ():
            self._listeners[said[1:]] += 1 if said[0] else -1
        return self._listeners[topic(stream)]

    def send(self, frame: bytes) -> None:
        self._pub.send(frame, zmq.NOBLOCK)

    def watch(self, fd: int) -> None:
        self._poller.register(fd, zmq.POLLIN | zmq.POLLERR)

    def unwatch(self, fd: int) -> None:
        self._poller.unregister(fd)

    def wait(self, timeout_ms: int) -> frozenset[int]:
        self._ready = [ready for ready, _ in self._poller.poll(timeout_ms)]
        return frozenset(ready for ready in self._ready if isinstance(ready, int))

    def receive(self) -> list[bytes]:
        return drain(self._sub) if self._sub in self._ready else []

    def commands(self) -> list[Command]:
        return self._requests() if self._ctl in self._ready else []

    def _requests(self) -> list[Command]:
        found = []
        size = 0
        for _ in range(FRAMES_MAX):
            try:
                identity, *parts = self._ctl.recv_multipart(zmq.NOBLOCK)
                command = _request.decode(parts[-1][: REQUEST_BYTES_MAX + 1])
            except zmq.Again:
                break
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
                self.frames_dropped += 1  # Garbage gets no answer; its sender times out.
                continue
            known = self._answers.take(identity, command)
            if isinstance(known, CommandDone):
                self._answer(identity, known)
            elif known is not None:
                found.append(known)
                size += len(parts[-1])
            if size >= PASS_BYTES:
                break
        return found

    def reply(self, done: CommandDone) -> None:
        for identity in self._answers.give(done):
            self._answer(identity, done)

    def counters(self) -> tuple[tuple[str, int], ...]:
        answers = self._answers
        return (
            ("requests_unread", self.frames_dropped),
            ("requests_repeated", answers.repeated),
            ("requests_confused", answers.confused),
        )

    def _answer(self, identity: bytes, done: CommandDone) -> None:
        try:
            self._ctl.send_multipart((identity, _encoder.encode(done)), zmq.NOBLOCK)
        except zmq.ZMQError:
            self.frames_dropped += 1  # The asker has left.

    def close(self) -> None:
        self._context.destroy(linger=LINGER_MS)
        for path in self._paths:  # Ours while the lease is held; nobody else binds them.
            path.unlink(missing_ok=True)


def _connecting(context: "zmq.Context[zmq.Socket[bytes]]", kind: int) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    return socket


def subscriber(
    context: "zmq.Context[zmq.Socket[bytes]]", run: Path, streams: Iterable[str]
) -> "zmq.Socket[bytes]":
    """Return a SUB socket connected to the owners of the streams."""
    socket = _connecting(context, zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, RECEIVE_FRAMES_MAX)
    socket.setsockopt(zmq.SNDHWM, 0)  # Else subscriptions beyond 1000 are lost.
    subscribe(socket, run, streams)
    return socket


def subscribe(socket: "zmq.Socket[bytes]", run: Path, streams: Iterable[str]) -> None:
    """Subscribe a socket to streams and connect it to their owners."""
    names = sorted(set(streams))
    for name in names:
        socket.setsockopt(zmq.SUBSCRIBE, topic(name))
    for owner in sorted({name.partition(".")[0] for name in names}):
        socket.connect(f"ipc://{socket_path(run, owner, 'pub')}")


def drain(socket: "zmq.Socket[bytes]") -> list[bytes]:
    """Return the frames of a socket that has some, at most FRAMES_MAX or what ends DRAIN_BYTES."""
    frames = [socket.recv(zmq.NOBLOCK)]
    size = len(frames[0])
    while len(frames) < FRAMES_MAX and size < DRAIN_BYTES and _has_more(socket):
        frames.append(socket.recv(zmq.NOBLOCK))
        size += len(frames[-1])
    return frames


def _has_more(socket: "zmq.Socket[bytes]") -> bool:
    # To be told by an exception costs twice as much.
    return bool(int(socket.get(zmq.EVENTS)) & _HERE)


class Subscriber:
    """A watcher's ear: hears frames of some streams, says nothing, holds nobody up."""

    def __init__(self, run: Path, streams: Iterable[str]) -> None:
        self._context = zmq.Context(io_threads=1)
        self._socket = subscriber(self._context, run, streams)

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Return frames as soon as there are any; an empty list when time is up."""
        return drain(self._socket) if self._socket.poll(timeout_ms) else []

    def close(self) -> None:
        """Leave the bus."""
        self._context.destroy(linger=0)


def ask(
    run: Path,
    service: str,
    verb: str,
    args: tuple[str, ...] = (),
    timeout_ms: int = 500,
    *,
    even_late: bool = False,
    request_id: str = "",
    still: Callable[[], bool] = lambda: True,
) -> CommandDone:
    """Return a service's answer; UnreachableError when none comes in time and while `still` holds.

    What is read later is not done, unless `even_late`; what is asked twice by an id is done once.
    """
    asking = _Asking(
        new_request(verb, args, 0 if even_late else timeout_ms, request_id), timeout_ms, still
    )
    done = asking.ask(run, (service,))[service]
    if done is None:
        raise UnreachableError(
            f"{service} does not answer `{verb}` within {timeout_ms} ms"
            + ("" if asking.sent else ": nobody serves its control socket"),
            f"`supervisorctl status {service}` and logs/system/{service}.out say why",
        )
    return done


def ask_all(
    run: Path, services: Sequence[str], verb: str, args: tuple[str, ...] = (), timeout_ms: int = 500
) -> Mapping[str, CommandDone | None]:
    """Ask several services the same at once; None for each that did not answer in time."""
    return _Asking(new_request(verb, args, timeout_ms), timeout_ms, lambda: True).ask(run, services)


class _Asking:
    """One request on its way to some services, until all have answered or time is up."""

    def __init__(self, command: Command, timeout_ms: int, still: Callable[[], bool]) -> None:
        self.sent = 0
        self._still = still
        self._clock = SystemClock()
        self._until_ns = self._clock.mono_ns() + timeout_ms * 1_000_000
        self._request = _encoder.encode(command)
        self._poller = zmq.Poller()
        self._answers: dict[str, CommandDone | None] = {}

    def ask(self, run: Path, services: Sequence[str]) -> Mapping[str, CommandDone | None]:
        """Return the answers, None for those that did not come."""
        context = zmq.Context(io_threads=1)
        waiting: dict[zmq.Socket[bytes], str] = {}
        try:
            for service in services:
                socket = _connecting(context, zmq.DEALER)
                socket.setsockopt(zmq.IMMEDIATE, 1)  # No queue for one who may never come.
                socket.connect(f"ipc://{socket_path(run, service, 'ctl')}")
                waiting[socket] = service
                self._poller.register(socket, zmq.POLLOUT)
            while waiting and self._left_ms() and self._still():
                for socket, event in self._poller.poll(min(LOOK_MS, self._left_ms())):
                    self._speak(socket, event, waiting)
        finally:
            context.destroy(linger=0)
        return {service: self._answers.get(service) for service in services}

    def _left_ms(self) -> int:
        return max(0, (self._until_ns - self._clock.mono_ns()) // 1_000_000)

    def _speak(self, socket: Any, event: int, waiting: "dict[zmq.Socket[bytes], str]") -> None:
        if event & zmq.POLLIN:
            name = waiting.pop(socket)
            self._poller.unregister(socket)
            data = socket.recv(zmq.NOBLOCK)
            socket.close()
            self._answers[name] = answer_of(name, data)
        else:  # Connected: only now can it be said that the request was sent at all.
            with suppress(zmq.Again):  # It has gone again.
                socket.send(self._request, zmq.NOBLOCK)
                self.sent += 1
                self._poller.register(socket, zmq.POLLIN)
