"""`rrr venue` at a venue that runs: what a person says, and what the exchange then does."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from services.venue.faults_kinds import KINDS
from tests.services.venue.test_process import House

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
USAGE, UNREACHABLE = 2, 4


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("cli"))
    with made.running(signal.SIGTERM):
        yield made


def rrr(house: House, *args: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "services.rrr", "venue", *args],
        cwd=ROOT, env=house.env, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_a_fault_that_a_person_sets_is_made_and_ends_when_told(house: House) -> None:
    said = rrr(house, "fault", "maintenance", "--for", "60", "call=public")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("maintenance: 503 to everything")
    with pytest.raises(HTTPError, match="503"):
        house.get("time")
    assert "maintenance" in rrr(house, "status").stdout
    assert rrr(house, "fault", "--clear").stdout == "cleared: maintenance\n"
    assert "serverTime" in house.get("time")
    assert "It makes no fault." in rrr(house, "status").stdout


def test_the_list_has_every_fault_and_what_it_does(house: House) -> None:
    listed = json.loads(rrr(house, "fault", "--list", "--json").stdout)
    assert {one["name"]: one["what"] for one in listed["faults"]} == {
        name: kind.what for name, kind in KINDS.items()
    }
    table = rrr(house, "fault", "--list").stdout
    assert all(name in table for name in KINDS)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("fault", "lost_akc"), "did you mean lost_ack?"),
        (("fault", "slow", "ms=x"), "expected a whole number"),
        (("fault", "slow", "--count", "0"), "--count"),
        (("fault", "--list", "slow"), "--list takes no fault"),
        (("fault", "--clear", "--for", "3"), "--clear takes the name of a fault"),
    ],
)
def test_a_word_that_it_does_not_know_is_one_line_and_exit_2(
    house: House, args: tuple[str, ...], text: str
) -> None:
    done = rrr(house, *args)
    assert done.returncode == USAGE
    assert text in done.stderr


def test_where_no_venue_runs_it_says_so_and_exits_4(tmp_path: Path) -> None:
    done = rrr(House(tmp_path), "fault", "--list")
    assert done.returncode in {3, UNREACHABLE}
    assert "run" in done.stderr


def test_play_money_is_put_in_and_taken_out_while_the_exchange_runs(house: House) -> None:
    done = rrr(house, "deposit", "usdt", "250.25")
    assert (done.returncode, done.stdout) == (0, "250.25 USDT: 100250.25000000 USDT is free now\n")
    assert rrr(house, "withdraw", "USDT", "250.25").stdout.startswith("-250.25 USDT: 100000.0")
    refused = rrr(house, "withdraw", "USDT", "900000")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "100000.00000000 USDT is free" in refused.stderr
    for words in (("deposit", "USDT", "nan"), ("withdraw", "USDT", "0"), ("deposit", "USDT")):
        assert rrr(house, *words).returncode == USAGE
