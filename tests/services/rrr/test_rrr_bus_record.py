"""`rrr bus record`: frames are copied byte for byte, and whatever ends it leaves a recording."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.build import contract_hash
from bus.clock import ManualClock, SystemClock
from bus.errors import HouseError
from bus.house import House
from bus.journals import DiskJournals
from bus.pulse import Pulse
from bus.wire import Wire
from schema.frame import Kind, epoch_of
from schema.house import Inputs
from schema.market import Trade
from schema.messages import decode
from schema.streams import STREAMS
from services.rrr.recording import MANIFEST, differences, open_recording
from tests.services.bare import entered_house
from tests.services.rrr.bus_desk import writer_of
from tests.services.rrr.tape_desk import (
    STREAMS_OF_A_DAY,
    frames,
    problems,
    raw,
    run,
    started,
    told,
    traded,
    until,
)
from tests.services.rrr.trade_day import NOON_NS, Day, feed, trade

TRADES = STREAMS["ingest.trade"]


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        yield made


@pytest.fixture
def day(house: House) -> Day:
    return traded(house)


def test_what_is_recorded_is_what_was_said_byte_for_byte(day: Day, tmp_path: Path) -> None:
    manifest = told("record", "-o", str(tmp_path / "r"), "--exit-at-end")
    assert {one["stream"] for one in manifest["streams"] if one["frames"]} == {*STREAMS_OF_A_DAY}
    for name in STREAMS_OF_A_DAY:
        assert raw(tmp_path / "r", name) == raw(day.house.journal_dir, name)
        assert problems(tmp_path / "r", name) == []


def test_the_manifest_tells_world_code_places_and_hashes(day: Day, tmp_path: Path) -> None:
    told("record", "-o", str(tmp_path), "-e", "ingest.*")
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert manifest["world"] == day.house.world
    assert manifest["contract"] == contract_hash(day.house)
    assert 0 < manifest["begun_ns"] <= manifest["ended_ns"]
    assert manifest["ended_by"] == "the end was reached"
    (trades,) = [one for one in manifest["streams"] if one["stream"] == "ingest.trade"]
    there = frames(tmp_path, "ingest.trade")
    assert (trades["first"], trades["last"]) == (there[0].pos, there[-1].last)
    assert (trades["frames"], trades["messages"]) == (len(there), 10)
    assert differences(open_recording(tmp_path)) == []


@pytest.mark.usefixtures("day")
def test_a_changed_byte_is_found_by_its_hash(tmp_path: Path) -> None:
    told("record", "-o", str(tmp_path), "-e")
    (path,) = (tmp_path / "ingest" / "trade").glob("*.seg")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (found,) = differences(open_recording(tmp_path))
    assert str(path) in found
    done = run("play", str(tmp_path), "--info")
    assert isinstance(done.exception, HouseError)
    assert done.exception.exit_code == 5


@pytest.mark.usefixtures("day")
def test_a_directory_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me")
    done = run("record", "-o", str(tmp_path), "-e")
    assert isinstance(done.exception, HouseError)
    assert "not empty" in str(done.exception)
    assert (tmp_path / "mine").read_text() == "keep me"


@pytest.mark.parametrize(
    "args",
    [
        ("nobody.says",),
        ("--offset", "somewhere"),
        ("--since", "soon"),
        ("--until", "noon"),
        ("-d", "nan"),
        ("-d", "-1"),
        ("-b", "much"),
        ("-b", "0"),
        ("--since", "1m", "--offset", "end"),
        ("-o", "x" * 5000),
    ],
)
@pytest.mark.usefixtures("house")
def test_record_refuses_what_it_does_not_know(args: tuple[str, ...], tmp_path: Path) -> None:
    done = run("record", "-o", str(tmp_path / "r"), "-e", *args)
    assert done.exit_code == 2, done.output
    assert not any(tmp_path.rglob("*"))


@pytest.mark.usefixtures("house")
def test_a_place_that_cannot_be_written_is_a_failure_and_no_damage() -> None:
    done = run("record", "-o", "/dev/null/r", "-e")
    assert isinstance(done.exception, HouseError)
    assert done.exception.exit_code == 1
    assert "/dev/null/r cannot be made" in str(done.exception)


def test_of_the_last_ones_only_messages_count(house: House, tmp_path: Path) -> None:
    writer = writer_of(house, "ingest.trade", ManualClock(NOON_NS))
    for number in range(4):
        writer.append([trade(number, number + 1)])
    writer.append([Inputs(ts_event=0, turn=1, now_ns=0, code="", slices=())])
    told("record", "-o", str(tmp_path / "r"), "-e", "ingest.trade", "--offset", "-1")
    assert trades_of(tmp_path / "r") == [3]


def trades_of(directory: Path) -> list[int]:
    found = []
    for frame in frames(directory, "ingest.trade"):
        if frame.kind == Kind.DATA:
            messages = decode(TRADES.number, frame.body)
            found += [m.trade_id for m in messages if isinstance(m, Trade)]
    return found


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        (("--offset", "-2"), [4, 5]),
        (("--offset", "@2023-11-14T22:13:00.00035"), [3, 4, 5]),
        (("--until", "@2023-11-14T22:13:00.0003"), [0, 1, 2]),
        (("-b", "1"), []),
        (("-d", "0"), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_recording_begins_and_ends_where_it_is_told(
    house: House, args: tuple[str, ...], ids: list[int], tmp_path: Path
) -> None:
    day = Day(house)
    for number in range(6):
        day.say(trade(number, number + 1))
    assert NOON_NS % 10**9 == 0
    told("record", "ingest.trade", "-o", str(tmp_path), "-e", *args)
    assert trades_of(tmp_path) == ids


def test_a_recording_goes_over_the_death_of_a_publisher(house: House, tmp_path: Path) -> None:
    clock, journals = SystemClock(), DiskJournals(house.journal_dir, SystemClock())
    for _ in range(3):
        epoch = journals.open_epoch("ingest")
        writer = journals.writer(TRADES, epoch, "code")
        writer.append([trade(number, number + 1) for number in range(5)])
    told("record", "ingest.trade", "-o", str(tmp_path), "-e")
    assert raw(tmp_path, "ingest.trade") == raw(house.journal_dir, "ingest.trade")
    assert problems(tmp_path, "ingest.trade") == []
    assert len({epoch_of(frame.pos) for frame in frames(tmp_path, "ingest.trade")}) == 3
    assert len(list((tmp_path / "ingest" / "trade").glob("*.seg"))) == 3
    assert clock.wall_ns() > 0


@pytest.mark.slow
def test_ctrl_c_ends_it_with_a_summary_and_a_manifest(day: Day, tmp_path: Path) -> None:
    target = tmp_path / "r"
    with started(day.house, "record", "-o", str(target), "ingest.feed") as recorder:
        until(target.exists)
        said = []
        for number in range(50):
            said.append(day.say(feed(f"S{number}")))
            SystemClock().pause_ms(2)
            if (target / "ingest" / "feed").exists() and number > 20:
                break
        until(lambda: any((target / "ingest" / "feed").glob("*.seg")))
        until(lambda: [f.last for f in frames(target, "ingest.feed")][-1:] == [said[-1][1]])
        recorder.send_signal(signal.SIGINT)
        out, err = recorder.communicate(timeout=20)
        assert (recorder.returncode, err) == (0, b"")
        assert b"somebody ended it" in out
        manifest = open_recording(target).manifest
        assert manifest is not None
        assert raw(target, "ingest.feed")[-1] == raw(day.house.journal_dir, "ingest.feed")[-1]
        assert problems(target, "ingest.feed") == []


@pytest.mark.slow
def test_a_killed_recorder_leaves_what_is_whole(day: Day, tmp_path: Path) -> None:
    target = tmp_path / "r"
    with started(day.house, "record", "-o", str(target), "--offset", "beginning") as recorder:
        last = frames(day.house.journal_dir, "ingest.trade")[-1].last
        until(
            lambda: (
                target.exists() and [f.last for f in frames(target, "ingest.trade")][-1:] == [last]
            )
        )
        recorder.kill()
        recorder.communicate()
        shown = told("play", str(target), "--info")
        assert shown["whole"] is False
        assert "ingest.trade" in {one["stream"] for one in shown["streams"]}
        played = told("play", str(target), "-r", "0", "--home", str(tmp_path / "home"))
        assert played["frames"] > 0


@pytest.mark.slow
def test_heartbeats_are_recorded_from_their_socket_when_named(house: House, tmp_path: Path) -> None:
    wire, clock = Wire(house.run, "risk"), SystemClock()
    pulse = Pulse("risk", wire, clock)
    with started(
        house, "record", "-o", str(tmp_path / "r"), "risk.hb", "-d", "1.5", "-J"
    ) as recorder:
        while recorder.poll() is None:
            pulse.beat()
            clock.pause_ms(20)
        out, err = recorder.communicate()
        wire.close()
        assert (recorder.returncode, err) == (0, b"")
        (heard,) = json.loads(out)["streams"]
        assert heard["messages"] >= 2
        assert [frame.kind for frame in frames(tmp_path / "r", "risk.hb")][:2] == [
            Kind.HEARTBEAT
        ] * 2
