"""How a house ends: in order, half dead, or refused; it leaves nothing behind."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow


@pytest.fixture
def house() -> Iterator[Checkout]:
    made = Checkout(RRR_CLOCK__SCALE="60", RRR_INGEST__HISTORY_DAYS="1")
    try:
        yield made
    finally:
        made.close()


def test_down_leaves_nothing_behind(house: Checkout) -> None:
    house.up()
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []


def test_down_twice_is_no_error(house: Checkout) -> None:
    done = house.rrr("down")
    assert (done.returncode, done.stdout) == (0, "Nothing runs here.\n")


def test_services_leave_when_their_supervisor_was_killed(house: Checkout) -> None:
    house.up()
    supervisor = int((house.root / "data" / "run" / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    house.until("all have left", lambda: not house.processes(), patience_s=20)
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []


def test_a_house_whose_supervisor_was_killed_comes_up_again(house: Checkout) -> None:
    house.up()
    supervisor = int((house.root / "data" / "run" / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    house.up()
    assert house.status()["ready"]


def test_a_supervisor_whose_socket_was_removed_gets_no_second_one_beside_it(
    house: Checkout,
) -> None:
    house.up()
    (house.root / "data" / "run" / "supervisor.sock").unlink()
    done = house.rrr("up")
    assert done.returncode == 3
    assert "runs and does not answer" in done.stderr
    (house.root / "data" / "run" / "supervisord.pid").unlink()
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []


@pytest.mark.parametrize("name", ["ingest.lease", "writer_market.pub", "venue.ctl", "warden.lease"])
def test_whose_place_was_removed_is_started_again(house: Checkout, name: str) -> None:
    house.up()
    service = name.partition(".")[0]
    before = house.pids()[service]
    (house.root / "data" / "run" / name).unlink()
    house.until(
        "another process is READY",
        lambda: house.pids().get(service, before) != before and house.status()["ready"],
        patience_s=20,
    )


def test_supervisorctl_alone_starts_and_stops_everything(house: Checkout) -> None:
    assert house.run("supervisord").returncode == 0
    house.run("supervisorctl", "start", "all")
    house.until("all are READY", lambda: house.rrr("status").returncode == 0)
    house.run("supervisorctl", "stop", "all")
    assert house.rrr("status").returncode == 3
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []


def test_a_hung_process_is_ended_and_comes_back(house: Checkout) -> None:
    house.up()
    hung = house.pids()["writer_trading"]
    os.kill(hung, signal.SIGSTOP)
    house.until(
        "another process is READY",
        lambda: house.pids().get("writer_trading", hung) != hung and house.status()["ready"],
        patience_s=40,
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RRR_VENUE__SEDE", "8", "seed"),
        ("RRR_VENUE__SEED", "seven", "seed"),
        ("RRR_WRITER__WAL_ALARM_MIB", "-1", "wal_alarm_mib"),
        ("RRR_VENUE__MARKET", "replay", "venue.replay"),
    ],
)
def test_bad_settings_are_one_message(
    house: Checkout, variable: str, value: str, said: str
) -> None:
    house.environ[variable] = value
    done = house.rrr("up")
    assert done.returncode == 78
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert house.left_behind() == []


def test_broken_settings_hide_nothing_and_do_not_keep_the_house_up(house: Checkout) -> None:
    house.up()
    local = house.root / "settings.local.toml"
    local.write_text(local.read_text() + "[ingest]\nhistory_dayz = 3\n")
    status = house.rrr("status")
    assert "history_dayz" in status.stderr
    assert "World: local-synthetic-7 (local)   SIMULATED MARKET AND MONEY   READY" in status.stdout
    assert status.returncode == 0
    done = house.rrr("down")
    assert "history_dayz" in done.stderr
    assert (done.returncode, house.left_behind()) == (0, [])


@pytest.mark.parametrize("mute", [False, True])
def test_a_service_that_refused_its_settings_comes_back_when_they_are_mended(
    house: Checkout, *, mute: bool
) -> None:
    house.up()
    local = house.root / "settings.local.toml"
    good, word = local.read_text(), house.root / "data" / "run" / "ingest.exit"
    local.write_text(good + "[ingest]\nhistory_dayz = 3\n")
    if mute:
        word.mkdir()  # As on a full disk, no last word can be written.
    os.kill(int((house.root / "data" / "run" / "ingest.lease").read_text()), signal.SIGKILL)
    house.until("it refuses", lambda: "EXITED" in house.run("supervisorctl", "status").stdout)
    if mute:
        word.rmdir()
    else:
        assert "history_dayz" in word.read_text()
    local.write_text(good)
    house.until("it is back", lambda: house.status()["ready"], patience_s=20)


def test_a_taken_port_is_one_message(house: Checkout) -> None:
    other = Checkout(RRR_CLOCK__SCALE="60", RRR_INGEST__HISTORY_DAYS="1")
    try:
        port = house.venue.rpartition(":")[2]
        other.environ["RRR_PORTS__VENUE"] = port
        house.up()
        done = other.rrr("up")
        assert done.returncode == 75, done.stderr
        assert port in done.stderr
        assert other.left_behind() == []
        # A number that was written before a power cut may be the neighbour's by now.
        theirs, ours = (one.root / "data/run/supervisord.pid" for one in (house, other))
        ours.write_text(theirs.read_text())
        assert other.rrr("down").stdout == "Nothing runs here.\n"
        assert house.status()["ready"]
    finally:
        other.close()


def test_a_crash_loop_ends_the_wait_and_names_the_culprit(house: Checkout) -> None:
    (house.root / "services" / "monitor" / "core.py").write_text("raise RuntimeError('broken')\n")
    done = house.rrr("up")
    assert done.returncode == 3
    assert "monitor ends again and again" in done.stderr
    assert "monitor.out" in done.stderr
    latched = [stop for stop in house.status()["stops"] if stop["by"] == "warden"]
    assert [stop["scope"] for stop in latched] == ["monitor"]
    assert latched[0]["release"] == "supervisorctl start monitor"
