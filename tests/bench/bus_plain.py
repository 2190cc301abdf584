"""The bare way: pyzmq PUB and SUB over ipc, one message a frame, as well as they can be used.

`python -m tests.bench.bus_plain speak|standby|hear PATH`. Each message is encoded and decoded by a
msgspec coder of its type, and handled by one call. The publisher's queue holds a whole run, so that
nothing is lost; one without a bound, and a short one that holds it up, are not faster.
"""

import sys

import msgspec
import zmq

from bus.clock import SystemClock
from schema.market import Trade
from tests.bench.bus_load import Counter, Told, owed, stamped, trades
from tests.bench.bus_service import TICK_NS, Plan

QUEUED = 1_000_000
RECONNECT_MS = 20

_clock = SystemClock()


def _speak(path: str) -> None:
    socket = zmq.Context().socket(zmq.PUB)
    socket.setsockopt(zmq.SNDHWM, QUEUED)
    socket.bind(f"ipc://{path}")
    _say_line("here")
    for line in sys.stdin:
        plan = msgspec.json.decode(line, type=Plan)
        if plan.rate:
            _say_paced(socket, plan)
        else:
            _say_all(socket, plan)


def _say_all(socket: "zmq.Socket[bytes]", plan: Plan) -> None:
    words, encode, send = trades(), msgspec.msgpack.Encoder().encode, socket.send
    rounds, rest = divmod(plan.count, len(words))
    for _ in range(rounds):
        if plan.stamps:
            words[0] = stamped(words[0])
        for trade in words:
            send(encode(trade))
    for trade in words[:rest]:
        send(encode(trade))


def _say_paced(socket: "zmq.Socket[bytes]", plan: Plan) -> None:
    word, encode, begun_ns = trades()[0], msgspec.msgpack.Encoder().encode, _clock.mono_ns()
    for said in range(plan.count):
        while owed(plan.rate, _clock.mono_ns() - begun_ns, said) <= 0:
            _clock.pause_ms(TICK_NS // 1_000_000)
        socket.send(encode(stamped(word) if plan.stamps else word))


def _hear(path: str) -> None:
    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"ipc://{path}")
    _say_line("here")
    for line in sys.stdin:
        plan = msgspec.json.decode(line, type=Plan)
        told = _heard(socket, plan) if plan.count else _heard_stamp(socket)
        _say_line(msgspec.json.encode(told).decode())


def _heard(socket: "zmq.Socket[bytes]", plan: Plan) -> Told:
    counter, decode = Counter(), msgspec.msgpack.Decoder(Trade).decode
    counter.begin(plan.count, timing=plan.stamps)
    receive, handle = socket.recv, counter.handle
    for _ in range(plan.count):
        handle(decode(receive()), 0)
    return counter.so_far()


def _heard_stamp(socket: "zmq.Socket[bytes]") -> Told:
    counter, decode = Counter(), msgspec.msgpack.Decoder(Trade).decode
    counter.begin(0, timing=True)
    while not counter.told.at_ns:
        counter.handle(decode(socket.recv()), 0)
    return counter.so_far()


def _stand_by(path: str) -> None:
    _say_line("here")
    sys.stdin.readline()
    _speak(path)


def _say_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"speak": _speak, "standby": _stand_by, "hear": _hear}[sys.argv[1]](sys.argv[2])
