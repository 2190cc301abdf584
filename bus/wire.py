"""ZeroMQ: the only file that imports zmq.

Each service binds one PUB `<run>/<service>.pub` and one ROUTER `<run>/<service>.ctl`, and connects
one SUB to every publisher that it hears. Options and their reasons: reference of ZeroMQ 4.3 and
docs/adr/0002.
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import zmq

from bus.errors import ProtocolError, SettingsError, UnreachableError
from bus.transport import FRAMES_MAX, Transport
from schema.frame import FRAME_BYTES_MAX, topic
from schema.house import Command, CommandDone

SEND_FRAMES_MAX = 256
"""With frames of at most 64 KiB, a stuck subscriber costs its publisher 16 MiB and no more."""

RECEIVE_FRAMES_MAX = 1000
LINGER_MS = 250
HANDSHAKE_MS = 2000
RECONNECT_MS = 20
SOCKET_PATH_BYTES_MAX = 100

_request = msgspec.msgpack.Decoder(Command)
_answer = msgspec.msgpack.Decoder(CommandDone)
_encoder = msgspec.msgpack.Encoder()


def socket_path(run: Path, service: str, kind: str) -> Path:
    """Return the path of a service's socket; SettingsError when the system cannot bind it."""
    path = run / f"{service}.{kind}"
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_BYTES_MAX:
        raise SettingsError(
            f"socket path {path} has {length} bytes, at most {SOCKET_PATH_BYTES_MAX} fit",
            "Set RRR_RUN to a short directory on the internal disk, e.g. ~/.rrr",
        )
    return path


class Wire(Transport):
    """A service's sockets."""

    def __init__(self, run: Path, service: str) -> None:
        self._run = run
        self._paths = (socket_path(run, service, "pub"), socket_path(run, service, "ctl"))
        for path in self._paths:
            _refuse_foreign(path)
        self._context = zmq.Context(io_threads=1)
        self._pub = self._bound(zmq.PUB, self._paths[0])
        self._ctl = self._bound(zmq.ROUTER, self._paths[1])
        self._inodes = tuple(_inode(path) for path in self._paths)
        self._sub = subscriber(self._context, run, ())
        self._poller = zmq.Poller()
        self._poller.register(self._sub, zmq.POLLIN)
        self._poller.register(self._ctl, zmq.POLLIN)
        self._askers: dict[str, bytes] = {}
        self.frames_dropped = 0

    def hear(self, streams: Iterable[str]) -> None:
        """Subscribe to streams, before their journals are read."""
        subscribe(self._sub, self._run, streams)

    def lost(self) -> Path | None:
        """Return the socket of ours that is gone or another's: nobody new can reach us there."""
        for path, ours in zip(self._paths, self._inodes, strict=True):
            if _inode(path) != ours:
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
        socket.bind(f"ipc://{path}")
        return socket

    def send(self, frame: bytes) -> None:
        self._pub.send(frame, zmq.NOBLOCK)

    def watch(self, fd: int) -> None:
        self._poller.register(fd, zmq.POLLIN | zmq.POLLERR)

    def unwatch(self, fd: int) -> None:
        self._poller.unregister(fd)

    def wait(self, timeout_ms: int) -> frozenset[int]:
        return frozenset(
            ready for ready, _ in self._poller.poll(timeout_ms) if isinstance(ready, int)
        )

    def receive(self) -> list[bytes]:
        return drain(self._sub)

    def commands(self) -> list[Command]:
        found = []
        for _ in range(FRAMES_MAX):
            try:
                identity, *parts = self._ctl.recv_multipart(zmq.NOBLOCK)
                command = _request.decode(parts[-1])
            except zmq.Again:
                break
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
                self.frames_dropped += 1  # Garbage gets no answer; its sender times out.
                continue
            self._askers[command.request_id] = identity
            found.append(command)
        return found

    def reply(self, done: CommandDone) -> None:
        identity = self._askers.pop(done.request_id, None)
        if identity is None:
            return
        try:
            self._ctl.send_multipart((identity, _encoder.encode(done)), zmq.NOBLOCK)
        except zmq.ZMQError:
            self.frames_dropped += 1  # The asker has left.

    def close(self) -> None:
        self._context.destroy(linger=LINGER_MS)
        for path in self._paths:  # Ours while the lease is held; nobody else binds them.
            path.unlink(missing_ok=True)


def _inode(path: Path) -> int:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return -1


def _refuse_foreign(path: Path) -> None:
    # libzmq unlinks whatever stands at the path, a database as readily as a stale socket.
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SettingsError(
            f"{path} is needed for a socket, and something else is there",
            "Move that file away: binding would delete it",
        )


def subscriber(
    context: "zmq.Context[zmq.Socket[bytes]]", run: Path, streams: Iterable[str]
) -> "zmq.Socket[bytes]":
    """Return a SUB socket connected to the owners of the streams."""
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, RECEIVE_FRAMES_MAX)
    socket.setsockopt(zmq.SNDHWM, 0)  # Else subscriptions beyond 1000 are lost.
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
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
    """Return the frames that wait at a socket, at most FRAMES_MAX."""
    frames: list[bytes] = []
    receive, here, more = socket.recv, zmq.NOBLOCK, frames.append
    try:
        for _ in range(FRAMES_MAX):
            more(receive(here))
    except zmq.Again:
        pass
    return frames


class Subscriber:
    """A watcher's ear: hears frames of some streams, says nothing, holds nobody up."""

    def __init__(self, run: Path, streams: Iterable[str]) -> None:
        self._context = zmq.Context(io_threads=1)
        self._socket = subscriber(self._context, run, streams)

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Return frames as soon as there are any; an empty list when time is up."""
        self._socket.poll(timeout_ms)
        return drain(self._socket)

    def close(self) -> None:
        """Leave the bus."""
        self._context.destroy(linger=0)


def ask(
    run: Path, service: str, verb: str, args: tuple[str, ...] = (), timeout_ms: int = 500
) -> CommandDone:
    """Return a service's answer to a command; UnreachableError when none comes in time."""
    done = ask_all(run, (service,), verb, args, timeout_ms)[service]
    if done is None:
        raise UnreachableError(
            f"{service} does not answer `{verb}` within {timeout_ms} ms",
            f"`supervisorctl status {service}` and logs/system/{service}.out say why",
        )
    return done


def ask_all(
    run: Path,
    services: Sequence[str],
    verb: str,
    args: tuple[str, ...] = (),
    timeout_ms: int = 500,
) -> Mapping[str, CommandDone | None]:
    """Ask several services the same at once; None for each that did not answer in time."""
    context = zmq.Context(io_threads=1)
    poller = zmq.Poller()
    names: dict[zmq.Socket[bytes], str] = {}
    for service in services:
        socket = _asker(context, run, service, verb, args)
        names[socket] = service
        poller.register(socket, zmq.POLLIN)
    answers = _collect(poller, names, timeout_ms)
    context.destroy(linger=0)
    return {service: answers.get(service) for service in services}


def _asker(
    context: "zmq.Context[zmq.Socket[bytes]]",
    run: Path,
    service: str,
    verb: str,
    args: tuple[str, ...],
) -> "zmq.Socket[bytes]":
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"ipc://{socket_path(run, service, 'ctl')}")
    who = os.environ.get("USER") or f"uid{os.getuid()}"
    by = f"{who}:{os.getpid()}"
    request = Command(request_id=os.urandom(8).hex(), verb=verb, args=args, by=by)
    socket.send(_encoder.encode(request), zmq.NOBLOCK)
    return socket


def _collect(
    poller: zmq.Poller, names: "dict[zmq.Socket[bytes], str]", timeout_ms: int
) -> dict[str, CommandDone]:
    answers: dict[str, CommandDone] = {}
    while len(answers) < len(names):
        ready = poller.poll(timeout_ms)
        if not ready:
            break
        for socket, _ in ready:
            assert isinstance(socket, zmq.Socket)
            try:
                answers[names[socket]] = _answer.decode(socket.recv(zmq.NOBLOCK))
            except msgspec.MsgspecError as error:
                raise ProtocolError(
                    f"{names[socket]} answered in a way that this rrr does not read: {error}",
                    "Its code differs from the tree: restart it",
                ) from error
            poller.unregister(socket)
    return answers
