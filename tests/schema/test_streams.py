"""The registry: one place, one owner, one number for ever."""

import pytest

from schema.frame import TOPIC_BYTES
from schema.house import Heartbeat, Timer
from schema.market import Trade
from schema.messages import LOCALS, MESSAGES, decode, encode
from schema.streams import BY_NUMBER, HEARTBEATS, PERSON, STREAMS, TURNS, home, owned_by
from tests.schema.samples import SAMPLES


def test_numbers_and_names_are_used_once() -> None:
    assert len(BY_NUMBER) == len(STREAMS)
    assert all(name == stream.name for name, stream in STREAMS.items())
    assert len(set(MESSAGES) | set(LOCALS)) == len(MESSAGES) + len(LOCALS)


def test_every_name_fits_a_topic() -> None:
    for name in STREAMS:
        assert len(name.encode("ascii")) < TOPIC_BYTES


def test_every_message_belongs_to_exactly_one_stream() -> None:
    homes = [kind for s in STREAMS.values() for kind in s.messages if kind is not Heartbeat]
    assert len(homes) == len(set(homes))
    assert set(MESSAGES.values()) == {*homes, *TURNS, Heartbeat}
    assert home(Trade) is STREAMS["ingest.trade"]
    assert home(Timer) is None


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_carries_its_messages(name: str) -> None:
    stream = STREAMS[name]
    for kind in stream.messages:
        message = SAMPLES[kind.__struct_config__.tag]  # type: ignore[index]
        assert decode(stream.number, encode([message])) == [message]


def test_every_owner_and_consumer_is_a_service_that_gives_signs_of_life() -> None:
    for stream in STREAMS.values():
        assert stream.owner in {*HEARTBEATS, PERSON}
        assert set(stream.durable) <= set(HEARTBEATS)


def test_what_a_person_says_is_never_kept_and_nobody_is_bound_to_hear_it() -> None:
    notes = owned_by(PERSON)
    assert [stream.name for stream in notes] == ["cli.note"]
    assert all(not stream.journaled and not stream.durable for stream in notes)


def test_what_a_late_joiner_begins_with_is_said_on_that_stream_and_kept() -> None:
    told = [stream for stream in STREAMS.values() if stream.snapshot is not None]
    assert {stream.name for stream in told} == {"gateway.order", "ingest.depth"}
    for stream in told:
        assert stream.journaled
        assert stream.snapshot in stream.messages
        assert {"part", "parts"} <= set(stream.snapshot.__struct_fields__)


def test_own_streams_come_strongest_first_and_the_heartbeat_last() -> None:
    assert [stream.name for stream in owned_by("risk")] == ["risk.event", "risk.verdict", "risk.hb"]


def test_money_is_of_class_a() -> None:
    for name in ("gateway.order", "risk.event"):
        assert STREAMS[name].durability == "A"
