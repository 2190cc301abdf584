"""The bare way of an order: a message of one part, over as many hops as the order has.

`python -m tests.bench.path_relay origin|relay|end IN OUT`: plain pyzmq PUB and SUB over ipc. The
origin says one for each line that it reads, the end writes how long that took on its way.
"""

import sys

import msgspec
import zmq

from schema.market import Trade
from tests.bench.bus_load import stamped, trades
from tests.bench.path_service import clock

RECONNECT_MS = 20

_context = zmq.Context()


def _speaker(path: str) -> "zmq.Socket[bytes]":
    socket = _context.socket(zmq.PUB)
    socket.bind(f"ipc://{path}")
    return socket


def _hearer(path: str) -> "zmq.Socket[bytes]":
    socket = _context.socket(zmq.SUB)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"ipc://{path}")
    return socket


def _say_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _origin(path: str) -> None:
    socket, word, encode = _speaker(path), trades()[0], msgspec.msgpack.Encoder().encode
    _say_line("here")
    for _ in sys.stdin:
        socket.send(encode(stamped(word)))


def _relay(before: str, after: str) -> None:
    source, target = _hearer(before), _speaker(after)
    decode, encode = msgspec.msgpack.Decoder(Trade).decode, msgspec.msgpack.Encoder().encode
    _say_line("here")
    while True:
        target.send(encode(decode(source.recv())))


def _end(path: str) -> None:
    source, decode = _hearer(path), msgspec.msgpack.Decoder(Trade).decode
    _say_line("here")
    while True:
        word = decode(source.recv())
        _say_line(str(clock.mono_ns() - word.ts_recv))


if __name__ == "__main__":
    kind, *paths = sys.argv[1:]
    match kind:
        case "origin":
            _origin(*paths)
        case "relay":
            _relay(*paths)
        case _:
            _end(*paths)
