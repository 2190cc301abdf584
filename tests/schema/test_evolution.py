"""Evolution both ways: an old reader on what today's code writes, today's on what grew since.

An old reader is a message without its last field; a later one has fields more. What neither knows
is a whole new kind of message: then the class of the stream decides.
"""

from contextlib import nullcontext, suppress
from types import GenericAlias
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.bodies import read_singly
from bus.clock import ManualClock
from bus.errors import ProtocolError
from bus.intake import Lane, read_body
from bus.journals import DiskJournals
from bus.service import each
from bus.shapes import Field, Shape, StreamShape, breaks, shape_of
from schema.frame import Kind, position
from schema.head import Message
from schema.messages import LOCALS, MESSAGES, encode
from schema.streams import STREAMS, TURNS, Stream
from tests.schema.samples import SAMPLES, sample

HEAD_FIELDS = 3
TOMORROW = 9999
JOURNALED = [stream for stream in STREAMS.values() if stream.journaled]


def grew(kind: Any) -> bool:
    """Return whether the last field of a message may have been appended."""
    return (
        len(kind.__struct_fields__) > HEAD_FIELDS and not msgspec.structs.fields(kind)[-1].required
    )


GROWN = [tag for tag, kind in MESSAGES.items() if grew(kind)]

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def shorter(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a message as it was before its last field was appended."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind)[:-1]:
        if field.required:
            fields.append((field.name, field.type))
        else:
            fields.append((field.name, field.type, field.default))
    tag = kind.__struct_config__.tag
    return msgspec.defstruct(
        kind.__name__, fields, tag=tag, array_like=True, frozen=True, kw_only=True
    )


def stream_of(kind: type[Message]) -> Stream:
    """Return a stream that a kind of message stands on."""
    return next(
        stream
        for stream in STREAMS.values()
        if kind in stream.messages or (stream.journaled and kind in TURNS)
    )


def grown(message: msgspec.Struct, *more: Any) -> bytes:
    """Return the body of a message that has fields more."""
    (raw,) = msgspec.msgpack.decode(msgspec.msgpack.encode([message]))
    return msgspec.msgpack.encode([[*raw, *more]])


@pytest.mark.parametrize("tag", [*MESSAGES, *LOCALS])
def test_an_old_reader_reads_what_todays_code_writes(tag: int) -> None:
    message = SAMPLES[tag]
    old = shorter(type(message))
    body = encode([message])
    (read,) = msgspec.msgpack.decode(body, type=GenericAlias(list, (old,)))
    for name in old.__struct_fields__:
        assert getattr(read, name) == getattr(message, name)


@pytest.mark.parametrize("tag", GROWN)
def test_todays_code_reads_what_an_old_writer_wrote(tag: int) -> None:
    message, kind = SAMPLES[tag], MESSAGES[tag]
    last = msgspec.structs.fields(kind)[-1]
    old = shorter(kind)
    written = old(**{name: getattr(message, name) for name in old.__struct_fields__})
    stream = stream_of(kind)
    (read,) = read_body(stream, msgspec.msgpack.encode([written]))
    assert read == msgspec.structs.replace(message, **{last.name: last.default})


@given(tag=st.sampled_from(sorted(MESSAGES)), more=st.lists(values, min_size=1, max_size=4))
def test_whatever_is_appended_an_old_reader_reads_the_rest(tag: int, more: list[Any]) -> None:
    message = SAMPLES[tag]
    assert read_body(stream_of(type(message)), grown(message, *more)) == [message]


def with_stranger(stream: Stream) -> bytes:
    """Return a body of three messages, the middle one of a kind that is not known yet."""
    known = sample(stream.messages[0])
    (raw,) = msgspec.msgpack.decode(encode([known]))
    return msgspec.msgpack.encode([raw, [TOMORROW, 1, 0, [0, 0], "new"], raw])


@pytest.mark.parametrize("stream", STREAMS.values(), ids=list(STREAMS))
def test_an_unknown_kind_is_skipped_and_counted_or_stops_with_its_place(stream: Stream) -> None:
    counted: list[int] = []
    known = sample(stream.messages[0])
    if stream.durability in "CE":
        read = read_body(stream, with_stranger(stream), 7, counted.append)
        assert (read, counted) == ([known, None, known], [1])
        return
    with pytest.raises(ProtocolError) as failure:
        read_body(stream, with_stranger(stream), 7, counted.append)
    told = str(failure.value)
    for part in (f"tag {TOMORROW}", stream.name, "position 8", "restart this service"):
        assert part in told


@pytest.mark.parametrize("stream", [STREAMS["ingest.trade"], STREAMS["gateway.order"]])
@given(body=st.binary(max_size=60) | values.map(msgspec.msgpack.encode))
def test_a_body_of_anything_is_read_skipped_or_refused(stream: Stream, body: bytes) -> None:
    with nullcontext() if stream.durability == "C" else suppress(ProtocolError):
        read_singly(stream, body, 1)
        read_body(stream, body, 1)


def test_a_consumer_counts_what_it_skips_and_stays_in_order(tmp_path: Any) -> None:
    stream = STREAMS["ingest.trade"]
    journals = DiskJournals(tmp_path, ManualClock(10**18))
    writer = journals.writer(stream, journals.open_epoch("ingest"), "code")
    writer.append_body(Kind.DATA, with_stranger(stream), 3)
    writer.append_body(Kind.DATA, with_stranger(stream), 3)
    lane = Lane(stream, journals, None)
    heard = [one.pos for _ in range(2) for one in each(lane.catch_up())]
    writer.close("over")
    assert heard == [position(1, n) for n in (1, 3, 4, 6)]
    assert lane.unknown == 2


@given(data=st.data())
def test_appended_fields_with_defaults_never_break_a_shape_and_others_do(data: Any) -> None:
    stream = data.draw(st.sampled_from(JOURNALED))
    now = shape_of(stream)
    assert list(breaks(now, now)) == []
    picked = data.draw(st.integers(0, len(now.messages) - 1))
    name, text = data.draw(st.text(min_size=1)), data.draw(st.sampled_from(["int", "str"]))
    default = data.draw(st.none() | st.just("0"))
    later = _with(now, picked, lambda fields: (*fields, Field(name, text, default)))
    assert bool(list(breaks(now, later))) == (default is None)
    assert list(breaks(later, now)) == []
    place = data.draw(st.integers(0, len(now.messages[picked].fields) - 1))
    other = _with(now, picked, lambda fields: (*fields[:place], *fields[place + 1 :]))
    if place < len(now.messages[picked].fields) - 1:
        assert list(breaks(now, other))


def _with(shape: StreamShape, index: int, change: Any) -> StreamShape:
    one = shape.messages[index]
    changed = Shape(one.name, one.tag, change(one.fields))
    messages = (*shape.messages[:index], changed, *shape.messages[index + 1 :])
    return msgspec.structs.replace(shape, messages=messages)
