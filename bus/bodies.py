"""A body that holds what this code does not know is read message by message.

An old reader meets new messages whenever its publisher was restarted first. Prices and life signs
are there again a moment later, so what is unknown of them is skipped and counted; of streams that
money hangs on nothing may be passed over.
"""

from collections.abc import Callable

import msgspec

from bus.errors import ProtocolError
from schema.head import Message
from schema.messages import MESSAGES, UNREADABLE, decoder
from schema.streams import Stream

Skipped = Callable[[int], None]
"""Is told how many messages were passed over."""

ONE = b"\x91"
"""How a list of one begins."""


def read_singly(
    stream: Stream, body: bytes, pos: int, skipped: Skipped | None = None
) -> list[Message | None]:
    """Decode each message of a body for itself; an unknown one is None in C and E.

    In A and B it is a ProtocolError, which names its tag and its place.
    """
    found = [_read_one(stream, raw, pos + index) for index, raw in enumerate(_raws(body))]
    if not found:
        _refuse(stream, pos, "no array of messages", None)
        found = [None]
    if skipped is not None:
        skipped(sum(message is None for message in found))
    return found


def _raws(body: bytes) -> list[msgspec.Raw]:
    try:
        return msgspec.msgpack.decode(body, type=list[msgspec.Raw])
    except UNREADABLE:
        return []


def _read_one(stream: Stream, raw: msgspec.Raw, pos: int) -> Message | None:
    try:
        return decoder(stream.number).decode(ONE + bytes(raw))[0]
    except UNREADABLE as error:
        _refuse(stream, pos, _told(raw), error)
        return None


def _told(raw: msgspec.Raw) -> str:
    """Return what kind of message it says that it is."""
    try:
        tag = msgspec.msgpack.decode(bytes(raw), type=list[msgspec.Raw])[0]
        number = msgspec.msgpack.decode(bytes(tag), type=int)
    except (*UNREADABLE, IndexError):
        return "a message without a tag"
    known = MESSAGES.get(number)
    return f"a message of tag {number} ({known.__name__ if known else 'unknown here'})"


def _refuse(stream: Stream, pos: int, what: str, error: Exception | None) -> None:
    if stream.durability not in "AB":
        return
    raise ProtocolError(
        f"{stream.name} at position {pos}: {what}, which this code does not read"
        + (f": {error}" if error else ""),
        "Its publisher runs newer code: restart this service on the same tree, nothing was passed "
        "over. `rrr bus schema check` compares the tree with what the journals hold",
    ) from error
