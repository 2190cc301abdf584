"""`rrr bus pub`: one's own words on `cli.note`, heard by who listens; never another's."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from bus.clock import SystemClock
from bus.errors import BusyError, HouseError
from bus.house import House
from bus.lease import Lease
from bus.wire import Subscriber
from schema.frame import Frame, epoch_of, unpack
from schema.house import Note
from schema.messages import decode
from schema.streams import STREAMS
from services.rrr import rrr
from services.rrr.speaker import speaking
from tests.services.bare import entered_house
from tests.services.rrr.tape_desk import OTHERS, run, started, told, until

NOTE = STREAMS["cli.note"]
ONE = ("-w", "1", "-W", "10")


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        yield made


class Ear:
    """Who listens to notes."""

    def __init__(self, house: House) -> None:
        self.frames: list[Frame] = []
        self._subscriber = Subscriber(house.run, ("cli.note",))

    def hear(self) -> list[Note]:
        """Return all notes so far."""
        self.frames += map(unpack, self._subscriber.receive(20))
        messages = [m for frame in self.frames for m in decode(NOTE.number, frame.body)]
        return [m for m in messages if isinstance(m, Note)]

    def close(self) -> None:
        self._subscriber.close()


@pytest.fixture
def ear(house: House) -> Iterator[Ear]:
    made = Ear(house)
    yield made
    made.close()


def test_a_note_is_heard_by_who_listens(ear: Ear) -> None:
    done = told("pub", "cli.note", '{"a": [1, 2.5, null]}', "--topic", "door", *ONE)
    assert done == {"stream": "cli.note", "said": 1, "listeners": 1}
    until(ear.hear)
    (note,) = ear.hear()
    assert (note.topic, note.body) == ("door", '{"a":[1,2.5,null]}')
    assert note.ts_event > 0


def test_who_listens_already_hears_it_without_being_waited_for(ear: Ear) -> None:
    told("pub", "cli.note", '"hello"')
    until(ear.hear)
    assert [note.body for note in ear.hear()] == ['"hello"']


@pytest.mark.usefixtures("house")
def test_nobody_has_to_listen() -> None:
    assert told("pub", "cli.note", "1")["listeners"] == 0
    assert "Said 1 on cli.note, 0 listen" in run("pub", "cli.note", "1").output


def test_it_is_said_as_often_as_it_was_told(ear: Ear) -> None:
    told("pub", "cli.note", "7", "-t", "30", "-r", "1000", *ONE)
    until(lambda: len(ear.hear()) == 30)
    positions = [frame.pos for frame in ear.frames]
    assert positions == list(range(positions[0], positions[0] + 30))


def test_every_start_begins_an_epoch(house: House) -> None:
    epochs = []
    for _ in range(2):
        ear = Ear(house)  # A subscriber that is not asked does not subscribe again.
        told("pub", "cli.note", "1", "--once", *ONE)
        until(ear.hear)
        epochs += [epoch_of(frame.pos) for frame in ear.frames]
        ear.close()
    assert len(set(epochs)) == 2


def test_each_line_of_the_input_is_said(ear: Ear) -> None:
    args = ("bus", "pub", "cli.note", "--stdin", *ONE)
    runner = CliRunner(env=dict.fromkeys(OTHERS))
    done = runner.invoke(rrr, args, input='{"n": 1}\n\n"two"\n')
    assert done.exit_code == 0, done.output
    until(lambda: len(ear.hear()) == 2)
    assert [note.body for note in ear.hear()] == ['{"n":1}', '"two"']


@pytest.mark.parametrize("name", ["gateway.order", "engine.intent", "risk.hb", "warden.process"])
def test_a_stream_of_a_service_is_refused_with_the_reason(house: House, name: str) -> None:
    done = run("pub", name, "{}")
    assert done.exit_code == 2
    assert f"for {STREAMS[name].owner} alone to say" in done.output
    assert not any(house.run.glob("*.pub"))


@pytest.mark.parametrize(
    "args",
    [
        ("nobody.says", "{}"),
        ("cli.other", "{}"),
        ("cli.note", "{"),
        ("cli.note", "[" * 100_000),
        ("cli.note", "NaN"),
        ("cli.note",),
        ("cli.note", "{}", "--stdin"),
        ("cli.note", "{}", "-t", "0"),
        ("cli.note", "{}", "-r", "0"),
        ("cli.note", "{}", "-r", "nan"),
        ("cli.note", "{}", "-1", "-t", "2"),
        ("cli.note", "{}", "-w", "-1"),
        ("cli.note", f'"{"x" * (1 << 20)}"'),
        (),
    ],
)
@pytest.mark.usefixtures("house")
def test_pub_refuses_what_it_does_not_know(args: tuple[str, ...]) -> None:
    done = run("pub", *args)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output


@pytest.mark.usefixtures("house")
def test_subscribers_that_do_not_come_are_not_waited_for_for_ever() -> None:
    done = run("pub", "cli.note", "1", "-w", "1", "-W", "0.1")
    assert isinstance(done.exception, HouseError)
    assert done.exception.exit_code == 3
    assert "0 of 1 subscribers" in str(done.exception)


def test_nothing_stays_behind_when_it_has_spoken(house: House) -> None:
    told("pub", "cli.note", "1")
    assert not any(path.suffix in {".pub", ".ctl", ".lease"} for path in house.run.iterdir())


def test_two_do_not_speak_at_once(house: House) -> None:
    lease = Lease(house.run / "cli.lease")
    assert lease.take()
    with pytest.raises(BusyError) as caught, speaking(house, _Hasty()):
        raise AssertionError("somebody else speaks")
    assert caught.value.exit_code == 75
    lease.release()


def test_what_is_too_large_for_a_number_is_refused_and_not_said_as_null() -> None:
    for body in ("1e999", '{"a": [-1e400]}'):
        assert run("pub", "cli.note", body).exit_code == 2


class _Hasty(SystemClock):
    """A clock on which nobody waits long."""

    def pause_ms(self, ms: int) -> None:
        super().pause_ms(1)

    def mono_ns(self) -> int:
        return super().mono_ns() * 100


@pytest.mark.slow
def test_a_person_who_watches_sees_what_a_script_says(house: House) -> None:
    saying = ("pub", "cli.note", '{"n":1}', "-r", "50", *ONE)
    with (
        started(house, "watch", "cli.note", "-n", "2", "--json") as watch,
        started(house, *saying) as pub,
    ):
        out, err = watch.communicate(timeout=20)
        assert (watch.returncode, err) == (0, b"")
        pub.terminate()
        said, complaint = pub.communicate(timeout=20)
    first: dict[str, Any] = json.loads(out.splitlines()[0])
    assert (first["stream"], first["type"], first["body"]) == ("cli.note", "Note", '{"n":1}')
    assert (pub.returncode, complaint) == (0, b"")
    assert said.startswith(b"Said ")


@pytest.mark.slow
def test_the_second_one_waits_for_the_first(house: House) -> None:
    with started(house, "pub", "cli.note", "1", "-t", "3", "-r", "5") as first:
        until((house.run / "cli.pub").exists)
        with started(house, "pub", "cli.note", "2", "--json") as second:
            assert json.loads(second.communicate(timeout=20)[0])["said"] == 1
            assert first.wait(timeout=20) == 0
        first.communicate()
