"""Every message by tag, and the decoders of a stream's body."""

from collections.abc import Iterable
from functools import cache, reduce
from operator import or_
from types import GenericAlias
from typing import Any

import msgspec

from schema import exchange, forecast, house, joined, market, orders, strategy, trading
from schema.head import Local, Message
from schema.streams import BY_NUMBER, STREAMS, TURNS, Stream


def _kinds(base: type) -> dict[int, type[Any]]:
    found: dict[int, type[Any]] = {}
    for module in (market, forecast, strategy, trading, orders, house, exchange, joined):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, base):
                found[kind.__struct_config__.tag] = kind  # type: ignore[attr-defined]
    found.pop(None, None)  # type: ignore[call-overload]  # The families themselves have no tag.
    return dict(sorted(found.items()))


MESSAGES: dict[int, type[Message]] = _kinds(Message)
LOCALS: dict[int, type[Local]] = _kinds(Local)


def union(kinds: Iterable[type]) -> Any:
    """Return the union of some kinds, made when the program runs."""
    return reduce(or_, kinds)


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises on bytes that are nothing which it knows: three kinds, of three families."""

_encoder = msgspec.msgpack.Encoder()


@cache
def decoder(number: int) -> msgspec.msgpack.Decoder[list[Message]]:
    """Return the decoder of one stream's bodies."""
    stream: Stream = BY_NUMBER[number]
    kinds = stream.messages + (TURNS if stream.journaled else ())
    return msgspec.msgpack.Decoder(GenericAlias(list, (union(kinds),)))


@cache
def inline_decoder() -> msgspec.msgpack.Decoder[Local | Message]:
    """Return the decoder of what stands inside `Inputs`: it has no place in any journal."""
    unkept = (
        kind for stream in STREAMS.values() if not stream.journaled for kind in stream.messages
    )
    return msgspec.msgpack.Decoder(union({*LOCALS.values(), *unkept}))


def encode(messages: list[Message]) -> bytes:
    """Return a frame's body: one msgpack array of tagged arrays."""
    return _encoder.encode(messages)


def encode_inline(message: Local | Message) -> bytes:
    """Return a message that no journal has, as it stands inside `Inputs`."""
    return _encoder.encode(message)


def decode(number: int, body: bytes | memoryview) -> list[Message]:
    """Return the messages of a body of the stream with this number."""
    return decoder(number).decode(body)
