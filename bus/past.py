"""What the journals say of the past: messages with their places, and the inputs of a past turn."""

from collections.abc import Iterator, Sequence

import msgspec

from bus.errors import JournalError
from bus.intake import Heard, read_body
from bus.journals import Journals
from schema.frame import Kind
from schema.head import Local, Message
from schema.house import Inputs
from schema.messages import local_decoder
from schema.streams import BY_NUMBER, TURNS, Stream

SLICE_BYTES = 1 << 20


class Said(msgspec.Struct, frozen=True):
    """One message of an own or folded stream, with its place."""

    stream: Stream
    pos: int
    ts_ns: int
    message: Message


def read_stream(journals: Journals, stream: Stream, after: int) -> Iterator[Said]:
    """Yield every message of a stream behind a position, the bus's own records included."""
    reader = journals.reader(stream)
    pos = after
    while frames := reader.read(pos, SLICE_BYTES):
        for frame in frames:
            pos = max(pos, frame.last)
            if frame.kind not in (Kind.DATA, Kind.EPOCH):
                continue
            for index, message in enumerate(read_body(stream, frame.body)):
                if message is not None and frame.pos + index > after:
                    yield Said(stream, frame.pos + index, frame.ts_ns, message)


def until(said: Iterator[Said], last: int) -> Iterator[Said]:
    """Yield what stands up to a position, it included."""
    for one in said:
        if one.pos > last:
            return
        yield one


def in_order(past: Sequence[Said]) -> list[Said]:
    """Return the messages of several streams in the order in which they were appended."""
    return sorted(
        (said for said in past if type(said.message) not in TURNS), key=lambda said: said.ts_ns
    )


def local_of(turn: Inputs) -> list[Local]:
    """Return the local inputs of a turn."""
    return [local_decoder().decode(packed) for _, packed in turn.local]


def heard_again(turn: Inputs, journals: Journals) -> list[Heard]:
    """Return the inputs of a recorded turn, read from the journals, in the order of then."""
    heard: list[Heard] = []
    for number, first, last in turn.slices:
        stream = BY_NUMBER[number]
        found = [
            Heard(said.message, number, said.pos)
            for said in until(read_stream(journals, stream, first - 1), last)
            if type(said.message) not in TURNS
        ]
        if not found or found[0].pos != first or found[-1].pos != last:
            raise JournalError(
                f"{stream.name}: turn {turn.turn} heard positions {first} to {last}, "
                "which its journal no longer has",
                "Retention took them: start again after moving the snapshot away to fold instead",
            )
        heard += found
    for index, packed in turn.local:
        heard.insert(index, Heard(local_decoder().decode(packed)))
    return heard
