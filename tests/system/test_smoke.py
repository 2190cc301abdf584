"""One house, really started: what its two commands promise, in a few seconds."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none
import pytest

from tests.system.checkout import Checkout

PROGRAMS = (
    *("venue", "ingest", "predictor", "engine", "risk", "gateway"),
    *("writer_market", "writer_trading", "writer_analytics", "writer_backtest"),
    *("monitor", "warden"),
)


@pytest.fixture(scope="module")
def house() -> Iterator[Checkout]:
    """A house that is up; the tests of this file share it and leave it up."""
    made = Checkout(RRR_CLOCK__SCALE="60", RRR_INGEST__HISTORY_DAYS="1")
    try:
        made.up()
        yield made
    finally:
        made.close()


def test_status_is_the_contract(house: Checkout) -> None:
    done = house.rrr("status", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["ready"] is True
    assert (report["mode"], report["world"]) == ("local", "local-synthetic-7")
    assert [service["name"] for service in report["services"]] == list(PROGRAMS)
    for service in report["services"]:
        assert service["state"] == "READY"
        assert psutil.pid_exists(service["pid"])
        assert service["rss_bytes"] > 1 << 20


def test_status_for_people_opens_with_whether_it_trades(house: Checkout) -> None:
    house.until("it trades", lambda: house.status()["trading"])
    assert house.rrr("status").stdout.startswith("Trading: YES")


@pytest.mark.parametrize("program", PROGRAMS)
def test_supervisorctl_knows_every_program_by_its_name(house: Checkout, program: str) -> None:
    assert "RUNNING" in house.run("supervisorctl", "status", program).stdout
    assert house.run("supervisorctl", "tail", program).returncode == 0


def test_watch_shows_trades_as_they_are_said(house: Checkout) -> None:
    done = house.rrr("bus", "watch", "ingest.trade", "-n", "3", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["type"] for line in lines] == ["Trade"] * 3
    assert all(b["pos"] > a["pos"] for a, b in pairwise(lines))


def test_watch_shows_heartbeats_from_the_socket(house: Checkout) -> None:
    done = house.rrr("bus", "watch", "monitor.hb", "--once", "--json", "-W", "10")
    assert json.loads(done.stdout)["service"] == "monitor"


def test_list_knows_where_the_streams_stand(house: Checkout) -> None:
    rows = {row["stream"]: row for row in json.loads(house.rrr("bus", "list", "--json").stdout)}
    assert rows["ingest.trade"]["last_pos"] > rows["ingest.trade"]["epoch"] << 40 > 0
    assert rows["ingest.bar"]["bytes"] > 0


def test_bars_reach_the_shard(house: Checkout) -> None:
    sql = "SELECT count(*) AS n FROM bars WHERE symbol = 'BTC/USDT' AND timeframe = '1m'"
    house.until("a bar in the shard", lambda: house.query("market", sql)[0]["n"] > 0)


def test_up_again_says_so(house: Checkout) -> None:
    done = house.rrr("up")
    assert done.returncode == 0
    assert done.stdout.startswith("The house is up already.")
    assert "older code" not in done.stdout


def test_up_with_another_world_is_refused(house: Checkout) -> None:
    house.environ["RRR_VENUE__SEED"] = "8"
    done = house.rrr("up")
    del house.environ["RRR_VENUE__SEED"]
    assert done.returncode == 3
    assert "local-synthetic-7" in done.stderr
    assert "local-synthetic-8" in done.stderr


def test_up_names_what_runs_older_code(house: Checkout) -> None:
    path = house.root / "services" / "monitor" / "laws.py"
    text = path.read_text()
    path.write_text(text + "\n# Changed.\n")
    done = house.rrr("up")
    path.write_text(text)
    assert done.returncode == 0
    assert "monitor runs older code than this tree; mend it: rrr restart monitor" in done.stdout


def test_restart_waits_until_ready(house: Checkout) -> None:
    before = house.pids()["monitor"]
    assert house.rrr("restart", "monitor").returncode == 0
    assert house.pids()["monitor"] != before


def test_a_killed_process_is_back_and_counted(house: Checkout) -> None:
    before = next(one for one in house.status()["services"] if one["name"] == "monitor")
    psutil.Process(before["pid"]).send_signal(signal.SIGKILL)

    def back() -> bool:
        now = next(one for one in house.status()["services"] if one["name"] == "monitor")
        return bool(now["state"] == "READY" and now["restarts"] == before["restarts"] + 1)

    house.until("monitor is back", back)


def test_services_go_on_while_their_supervisor_is_held(house: Checkout) -> None:
    supervisor = psutil.Process(int((house.run_dir / "supervisord.pid").read_text()))
    trades = house.journal_dir() / "ingest" / "trade"
    supervisor.send_signal(signal.SIGSTOP)
    try:
        for _ in range(2):  # Nobody reads what they print meanwhile.
            before = _bytes_in(trades)
            house.until("more trades", partial(_grew, trades, before))
            house.clock.pause_ms(500)
    finally:
        supervisor.send_signal(signal.SIGCONT)
    house.until("all is READY", lambda: house.status()["ready"])


def _grew(folder: Path, before: int) -> bool:
    return _bytes_in(folder) > before


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.seg"))


def test_rrr_finds_its_house_from_inside(house: Checkout) -> None:
    program = (
        "import os, sys; sys.path[0] = os.getcwd(); os.chdir('docs'); import services.rrr as r"
    )
    done = house.run("python", "-c", f"{program}; r.main()", "status", "--json")
    assert json.loads(done.stdout)["ready"], done.stderr
