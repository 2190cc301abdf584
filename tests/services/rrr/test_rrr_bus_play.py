"""`rrr bus play`: the same frames in a sandbox, in their time, and never in a house."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from bus.clock import MarketTime, SystemClock, read_market_time
from bus.errors import HouseError
from bus.house import House
from bus.lease import Lease
from schema.frame import Frame, Kind, position
from schema.house import Heartbeat
from schema.messages import encode
from services.rrr.recording import MANIFEST, Manifest
from tests.services.bare import entered_house
from tests.services.rrr.tape_desk import (
    STREAMS_OF_A_DAY,
    frames,
    journals_of,
    problems,
    raw,
    run,
    told,
    traded,
    written,
)
from tests.services.rrr.trade_day import NOON_NS, Day, feed


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        yield made


@pytest.fixture
def day(house: House) -> Day:
    return traded(house)


@pytest.fixture
def recording(day: Day, tmp_path: Path) -> Path:
    """The recording of a day."""
    assert day.house.world
    told("record", "-o", str(tmp_path / "r"), "-e")
    return tmp_path / "r"


def played(recording: Path, *args: str) -> Path:
    """Play a recording as fast as possible; return the home that it was played in."""
    home = recording.parent / "home"
    told("play", str(recording), "-r", "0", "--home", str(home), *args)
    return home


def refusal(done: Result) -> str:
    assert isinstance(done.exception, HouseError), done.output
    return str(done.exception)


def test_recorded_played_and_recorded_again_gives_the_same_frames(
    recording: Path, tmp_path: Path
) -> None:
    home = played(recording)
    env = {"RRR_HOME": str(home), "RRR_RUN": str(home / "run")}
    told("record", "-o", str(tmp_path / "again"), "-e", env=env)
    for name in STREAMS_OF_A_DAY:
        assert raw(tmp_path / "again", name) == raw(recording, name)
        assert problems(journals_of(home), name) == []


def test_the_sandbox_is_watched_with_the_environment_that_is_printed(recording: Path) -> None:
    home = recording.parent / "home"
    done = run("play", str(recording), "-r", "0", "--home", str(home))
    line = done.output.splitlines()[1].split(" rrr bus watch ")[0]
    env = dict(word.split("=", 1) for word in line.split())
    shown = run("watch", "ingest.feed", "-o", "beginning", "-e", "--json", env=env)
    states = [json.loads(text)["state"] for text in shown.output.splitlines()]
    assert states == ["OK", "STALE", "OK"]
    assert run("watch", "ingest.feed", "-o", "beginning", "-e").output.count("FeedStatus") == 3


def test_without_a_name_the_sandbox_is_a_temporary_one(recording: Path) -> None:
    done = run("play", str(recording), "-r", "0", "--json")
    first, last = map(json.loads, done.output.splitlines())
    home = Path(first["home"])
    assert home.name.startswith("rrr-play.")
    assert first["world"].startswith("play-")
    assert first["whole"] is True
    assert last["frames"] == sum(len(raw(recording, name)) for name in STREAMS_OF_A_DAY)
    assert not any((home / "run").glob("*.pub"))
    assert not any((home / "run").glob("*.lease"))
    shutil.rmtree(home)


@pytest.mark.parametrize("place", ["run", "data", "world", "inside", "root", "logs"])
def test_a_place_of_the_house_is_refused_whatever_one_knows(
    recording: Path, house: House, place: str
) -> None:
    places = {
        "run": house.run,
        "data": house.home / "data",
        "world": house.world_dir,
        "inside": house.world_dir / "sandbox",
        "root": house.root,
        "logs": house.log_dir / "system",
    }
    for words in ((), ("--i-know",)):
        done = run("play", str(recording), "-r", "0", "--home", str(places[place]), *words)
        assert "never in one" in refusal(done)
    assert not any(house.run.glob("*.pub"))


def test_a_place_where_a_lease_is_held_is_refused_whatever_one_knows(
    recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "other" / "data" / "run").mkdir(parents=True)
    lease = Lease(tmp_path / "other" / "data" / "run" / "risk.lease")
    assert lease.take()
    done = run("play", str(recording), "--home", str(tmp_path / "other"), "--i-know")
    assert "the lease" in refusal(done)
    lease.release()


def test_a_world_of_another_house_is_refused(recording: Path, house: House, tmp_path: Path) -> None:
    house.described.settle(tmp_path / "elsewhere")
    home = tmp_path / "elsewhere" / "journal" / "sandbox"
    assert "in a world of a house" in refusal(run("play", str(recording), "--home", str(home)))


def test_a_place_that_holds_anything_is_taken_only_by_who_knows(
    recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").write_text("keep me")
    assert "not empty" in refusal(run("play", str(recording), "--home", str(tmp_path / "home")))
    home = played(recording, "--i-know")
    assert (home / "mine").read_text() == "keep me"
    again = run("play", str(recording), "-r", "0", "--home", str(home), "--i-know")
    assert refusal(again)


def test_times_are_kept_at_a_rate(house: House, tmp_path: Path) -> None:
    day = Day(house)
    for number in range(4):
        day.clock.advance(1_000_000_000)
        day.say(feed(f"S{number}"))
    told("record", "-o", str(tmp_path / "r"), "-e")
    begun_ns = SystemClock().mono_ns()
    told("play", str(tmp_path / "r"), "-r", "20", "--home", str(tmp_path / "home"))
    assert SystemClock().mono_ns() - begun_ns >= 3_000_000_000 // 20


@pytest.mark.parametrize(
    ("args", "states"),
    [
        (("--burst", "2"), ["OK", "STALE"]),
        (("--start-offset", "0.0001"), ["STALE", "OK"]),
        (("--until", "0.00025"), ["OK", "STALE"]),
    ],
)
def test_a_part_of_a_recording_is_played(
    house: House, args: tuple[str, ...], states: list[str], tmp_path: Path
) -> None:
    day = Day(house)
    for state in ("OK", "STALE", "OK"):
        day.say(feed(state))
        day.clock.advance(50_000)
    assert [frame.ts_ns - NOON_NS for frame in frames(house.journal_dir, "ingest.feed")]
    told("record", "-o", str(tmp_path / "r"), "-e", "ingest.feed")
    home = played(tmp_path / "r", *args)
    env = {"RRR_HOME": str(home), "RRR_RUN": str(home / "run")}
    shown = run("watch", "ingest.feed", "-o", "beginning", "-e", "--json", env=env)
    assert [json.loads(text)["state"] for text in shown.output.splitlines()] == states


def test_the_clock_of_the_sandbox_tells_the_recorded_time(recording: Path, house: House) -> None:
    path = recording / MANIFEST
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    manifest.clock = MarketTime(5_000, NOON_NS, 10.0, house.world)
    path.write_bytes(msgspec.json.encode(manifest))
    home = recording.parent / "home"
    told("play", str(recording), "-r", "1e6", "--clock", "--home", str(home))
    market = read_market_time(home / "run" / "clock.json", f"play-{house.world}", 1e7)
    assert market is not None
    assert 5_000 <= market.origin_ns <= 5_000 + 10 * 1_000_000
    assert market.anchor_ns <= SystemClock().wall_ns()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--remap", "ingest.feed"), 2),
        (("--remap", "ingest.feed:=nobody.says"), 2),
        (("--remap", "ingest.feed:=ingest.bar"), 2),
        (("--clock", "-r", "0"), 2),
        (("--start-paused",), 2),
        (("-r", "nan"), 2),
        (("-r", "-1"), 2),
        (("-d", "soon"), 2),
        (("--start-offset", "1d"), 1),
        (("--home", "x" * 5000), 2),
    ],
)
def test_what_makes_no_sense_is_refused(
    recording: Path, args: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    done = run("play", str(recording), "--home", str(tmp_path / "home"), *args)
    assert getattr(done.exception, "exit_code", done.exit_code) == code, done.output


def test_nothing_is_played_from_a_directory_without_a_recording(
    house: House, tmp_path: Path
) -> None:
    assert house.world
    for path in (tmp_path, tmp_path / "nothing"):
        assert "holds no recording" in refusal(run("play", str(path)))
        assert "holds no recording" in refusal(run("play", str(path), "--info"))


def test_a_manifest_that_names_a_way_out_names_no_path(recording: Path) -> None:
    path = recording / MANIFEST
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    manifest.world = "../../outside"
    path.write_bytes(msgspec.json.encode(manifest))
    assert journals_of(played(recording)).parent.name == "play-unknown"


def test_info_tells_what_a_recording_holds(recording: Path) -> None:
    shown = told("play", str(recording), "--info")
    assert (shown["whole"], shown["wrong"]) == (True, [])
    assert {one["stream"] for one in shown["streams"]} == {*STREAMS_OF_A_DAY}
    text = run("play", str(recording), "--info").output
    assert "the end was reached" in text
    assert "gateway.order" in text
    (recording / MANIFEST).unlink()
    assert "no manifest" in run("play", str(recording), "--info").output
    counted = told("play", str(recording), "--info")["streams"]
    assert [one["last"] for one in counted] == [one["last"] for one in shown["streams"]]


def heartbeat(service: str, number: int) -> Frame:
    beat = Heartbeat(
        ts_event=1, service=service, state="READY", reason="", world="w", pid=1, started_ns=1,
        turn=1, last=(), synced=(), cursors=(),
    )  # fmt: skip
    return Frame(
        f"{service}.hb", Kind.HEARTBEAT, 0, position(1, number), NOON_NS + number, 1, 1, 0,
        encode([beat]),
    )  # fmt: skip


def test_a_stream_is_said_as_another_one_that_carries_the_same(
    house: House, tmp_path: Path
) -> None:
    assert house.world
    written(tmp_path / "r", "risk.hb", *(heartbeat("risk", number) for number in range(3))).close()
    home = tmp_path / "home"
    args = ("-r", "0", "--home", str(home), "--remap", "risk.hb:=engine.hb")
    first = json.loads(run("play", str(tmp_path / "r"), *args, "--json").output.splitlines()[0])
    assert first["streams"] == ["engine.hb"]
    assert first["whole"] is False
