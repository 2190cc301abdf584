"""`rrr bus lag`: who is how far behind, by what services answer and by what their files tell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.clock import ManualClock
from bus.cursors import write_cursors
from bus.house import House
from schema.frame import position
from schema.house import Heartbeat
from schema.streams import STREAMS
from services.rrr.bus_kept import Consumer, consumers, last_of, synced_of
from services.rrr.bus_lag import Bounds, bounds_of, require_near
from services.rrr.survey import NotReadyError, Survey
from tests.services.bare import entered_house
from tests.services.rrr.answering import Services
from tests.services.rrr.bus_desk import (
    MINUTE_NS,
    NOON_NS,
    bar,
    bars,
    bus,
    done,
    failure,
    rows,
    writer_of,
)

STREAM = STREAMS["ingest.bar"]


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered, with five bars."""
    with entered_house() as made:
        bars(made).close("done")
        yield made


def said(service: str, **told: Any) -> Heartbeat:
    return Heartbeat(
        ts_event=NOON_NS,
        service=service,
        state="READY",
        reason="",
        world="w",
        pid=1,
        started_ns=NOON_NS,
        turn=1,
        **({"last": (), "synced": (), "cursors": ()} | told),
    )


def found(*heartbeats: Heartbeat) -> Survey:
    now_ns = NOON_NS + 6 * MINUTE_NS
    return Survey(now_ns, {one.service: one for one in heartbeats}, {}, [], {})


def remember(house: House, service: str, pos: int) -> None:
    write_cursors(house.journal_dir / service, [(STREAM.number, pos)])


def of(rows_: list[Consumer]) -> dict[str, tuple[int | None, float | None, str]]:
    return {one.consumer: (one.behind, one.behind_s, one.known_from) for one in rows_}


def test_a_cursor_comes_from_who_runs_else_from_the_files(house: House) -> None:
    remember(house, "writer_market", position(3, 1))
    remember(house, "writer_analytics", position(3, 5))
    asked = found(said("writer_market", cursors=((STREAM.number, position(3, 3)),)))
    assert of(consumers(house, asked, STREAM)) == {
        "writer_market": (2, 2 * 60.0, "heartbeat"),
        "writer_analytics": (0, 0.0, "file"),
    }


def test_a_goodbye_that_nobody_heard_is_no_lag(house: House) -> None:
    remember(house, "writer_market", position(3, 5))
    assert of(consumers(house, found(), STREAM))["writer_market"] == (0, 0.0, "file")


def test_messages_are_counted_across_epochs(house: House) -> None:
    clock = ManualClock(NOON_NS + 5 * MINUTE_NS)
    again = writer_of(house, "ingest.bar", clock, 4)
    again.append([bar(1), bar(2)])
    again.close("done")
    remember(house, "writer_market", position(3, 4))
    behind = of(consumers(house, found(), STREAM))["writer_market"]
    assert behind == (3, 60.0, "file")


def test_far_behind_is_counted_by_positions(house: House) -> None:
    again = writer_of(house, "ingest.bar", ManualClock(NOON_NS), 4)
    again.append([bar(number) for number in range(60_000)])
    again.close("done")
    remember(house, "writer_market", position(3, 4))
    behind, seconds, _ = of(consumers(house, found(), STREAM))["writer_market"]
    assert behind in range(60_000, 60_004)
    assert seconds == 60.0


def test_what_cannot_be_read_is_not_counted(house: House) -> None:
    remember(house, "writer_market", position(3, 1))
    (path,) = (house.journal_dir / "ingest" / "bar").glob("*.seg")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert of(consumers(house, found(), STREAM))["writer_market"] == (None, None, "file")
    assert "3:6" in done("info", "ingest.bar")


def test_nobody_is_behind_a_stream_that_holds_nothing(house: House) -> None:
    assert {one.behind for one in consumers(house, found(), STREAMS["ingest.feed"])} == {0}


def test_who_only_listens_is_told_where_all_are(house: House) -> None:
    asked = found(said("engine", cursors=((STREAM.number, position(3, 5)),)))
    all_ = consumers(house, asked, STREAM)
    assert [(one.consumer, one.durable) for one in all_] == [
        ("writer_market", True),
        ("writer_analytics", True),
        ("engine", False),
    ]
    assert len(consumers(house, asked, STREAM, all_of_them=False)) == 2


def test_an_owner_that_runs_says_how_far_it_is(house: House) -> None:
    asked = found(
        said("ingest", last=((STREAM.number, position(3, 4)),), synced=((STREAM.number, 7),))
    )
    assert last_of(house, asked, STREAM) == position(3, 4)
    assert synced_of(asked, STREAM) == 7
    assert last_of(house, found(), STREAM) == position(3, 6)
    assert synced_of(found(), STREAM) is None


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0.0, "OK"), (4.9, "OK"), (5.0, "WARN"), (59.9, "WARN"), (60.0, "CRIT"), (None, "UNKNOWN")],
)
def test_seconds_behind_have_a_name(seconds: float | None, state: str) -> None:
    one = Consumer("a", "b", True, 1, 2, 1, seconds, "file")
    bounds = Bounds(5.0, 60.0)
    assert bounds.state(one) == state
    if state == "OK":
        require_near([one], bounds)
    else:
        with pytest.raises(NotReadyError, match=state):
            require_near([one], bounds)


def test_a_check_exits_3_when_somebody_is_behind(house: House) -> None:
    for service in ("writer_market", "writer_analytics"):
        remember(house, service, position(3, 5))
    assert bus("lag", "ingest.bar", "--warn", "5s").exit_code == 0
    remember(house, "writer_market", position(3, 4))
    assert bus("lag", "ingest.bar").exit_code == 0
    error = failure("lag", "ingest.bar", "--crit", "10m")
    assert isinstance(error, NotReadyError)
    assert "writer_market is behind ingest.bar" in str(error)


@pytest.mark.usefixtures("house")
def test_what_nobody_knows_is_null() -> None:
    first, _ = rows("lag", "ingest.bar")
    assert first["cursor"] is first["behind"] is first["behind_s"] is None
    assert first["state"] == "UNKNOWN"
    assert "UNKNOWN" in done("lag")
    assert bus("lag", "--warn", "soon").exit_code == 2


def test_who_answers_is_asked(house: House) -> None:
    beat = said("ingest", last=((4, position(3, 6)),), synced=((4, position(3, 2)),))
    writer = said("writer_market", cursors=((4, position(3, 3)),))
    services = Services(
        house,
        ("ingest", "writer_market"),
        {
            ("ingest", "status"): (True, "", msgspec.msgpack.encode(beat)),
            ("writer_market", "status"): (True, "", msgspec.msgpack.encode(writer)),
        },
    )
    try:
        answer = services.rrr("bus", "info", "ingest.bar", "--json")
    finally:
        services.close()
    told = json.loads(answer.out)
    assert told["synced"] == "3:2"
    assert told["owner_state"] == "READY"
    first = told["consumers"][0]
    assert (first["consumer"], first["behind"], first["known_from"]) == (
        "writer_market",
        2,
        "heartbeat",
    )
    assert Path(told["directory"]).is_dir()


def test_bounds_that_cross_are_refused_and_one_alone_moves_the_other() -> None:
    assert bus("lag", "--warn", "60s", "--crit", "5s").exit_code == 2
    assert bounds_of("90s", None) == Bounds(90.0, 90.0)
    assert bounds_of(None, "2s") == Bounds(2.0, 2.0)
    assert bounds_of(None, None) == Bounds(5.0, 60.0)
