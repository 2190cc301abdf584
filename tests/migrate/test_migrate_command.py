"""`rrr db migrate` as a person and a script use it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from bus import checksums
from bus.clock import SystemClock
from bus.lease import Lease
from services.writer.legacy import FILE
from tests.migrate.desk import ROOT, Person, Place
from tests.migrate.old_system import QUARANTINED, ROWS, SCHEMA, TABLES
from tests.migrate.server import Postgres

pytestmark = pytest.mark.slow

MANY = """
CREATE TABLE market_data (id bigserial PRIMARY KEY, symbol text, timestamp timestamptz,
  open numeric(20,8), high numeric(20,8), low numeric(20,8), close numeric(20,8),
  volume numeric(20,8));
INSERT INTO market_data (symbol, timestamp, open, high, low, close, volume)
SELECT 'BTC-USD', '2024-01-01'::timestamptz + n * interval '1 minute', 60000 + n * 0.01,
  60001 + n * 0.01, 59999, 60000.5, CASE n % 10000 WHEN 7 THEN 'NaN'::numeric ELSE 1.23456789 END
FROM generate_series(1, 100000) AS n;
"""
DEADLINE_NS = 60_000_000_000


@pytest.fixture(scope="module")
def old(postgres: Postgres) -> str:
    return postgres.url(postgres.database(SCHEMA + ROWS))


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_a_person_sees_a_table_a_verdict_and_the_bars(old: str, person: Person) -> None:
    done = person.rrr(old, "--bars", "--name", "ours")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^market_data +2010 +1 +3 +[0-9a-f]{16} +equal$", done.stdout, re.MULTILINE)
    assert "in quarantine: market_data.volume: NaN has no exact number (1)" in done.stdout
    rows, held = sum(TABLES.values()), sum(QUARANTINED.values())
    assert f"{rows:,} rows, {held} of them in quarantine: equals its source" in done.stdout
    bars = person.place("ours").path / "bars"
    commands = re.findall(r"^  rrr data import (\S+) (.*)$", done.stdout, re.MULTILINE)
    assert [(Path(file).name, words) for file, words in commands] == [
        ("BTC-USD-1m.csv", "--symbol BTC/USD --timeframe 1m --exchange EXCHANGE"),
        ("ETH-USD-1h.csv", "--symbol ETH/USD --timeframe 1h --exchange EXCHANGE"),
    ]
    asked = re.search(r"^ask them: +rrr (db query .*)$", done.stdout, re.MULTILINE)
    assert asked is not None
    assert person.rrr(*shlex.split(asked[1])[2:], verb="db query").returncode == 0
    assert (bars / "BTC-USD-1m.csv").read_text().splitlines()[:2] == [
        "timestamp,open,high,low,close,volume",
        "1672531200000,16500.00000000,16501.00000000,16499.50000000,16500.50000000,0.00000000",
    ]
    assert "(1 rows without a number" in done.stdout  # The volume that is NULL.
    for file, words in commands:
        person.rrr("import", file, *words.replace("EXCHANGE", "binance").split(), verb="data")
    found = person.rrr("status", "--json", verb="data")
    series = {(one["symbol"], one["timeframe"]): one for one in json.loads(found.stdout)}
    assert series["BTC/USD", "1m"]["rows"] == 2000
    assert series["ETH/USD", "1h"]["rows"] == 8


def test_a_script_gets_one_object_and_a_report_in_a_file(old: str, person: Person) -> None:
    done = person.rrr(old, "--json", "--tables", "orders,trades", "--name", "mine")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert [one["table"] for one in found["tables"]] == ["orders", "trades"]
    written = json.loads((person.place("mine").path / "legacy.report.json").read_text())
    assert written["tables"] == found["tables"]
    assert "secret" not in done.stdout + (person.place("mine").path / FILE).read_text("latin-1")


def test_a_difference_ends_with_five(old: str, person: Person) -> None:
    assert person.rrr(old).returncode == 0
    db = apsw.Connection(str(person.place().path / FILE), vfs=checksums.load())
    db.execute("UPDATE market_data SET close = close + 1 WHERE id = 1")
    db.close()
    done = person.rrr(old, "--verify-only")
    assert done.returncode == 5
    assert "DIFFERS: market_data: close: its sum is" in done.stdout
    assert 'DIFFERS: market_data: the row ["1"] is otherwise at the source' in done.stdout
    assert person.rrr(old, "--restart", "--json").returncode == 0


def test_a_flipped_bit_is_found(old: str, person: Person) -> None:
    assert person.rrr(old).returncode == 0
    path = person.place().path / FILE
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"BTC-USD")] ^= 1
    path.write_bytes(raw)
    done = person.rrr(old, "--verify-only")
    assert done.returncode == 5
    assert "damaged" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["postgresql://me:s3cret@host:6543/x"], 2, "port 5432"),
        (["mysql://x"], 2, "neither"),
        (["no-such-file.sql"], 1, "cannot be read"),
        (["{old}", "--tables", "nonsense"], 2, "no table 'nonsense'"),
        (["{old}", "--name", "../x"], 2, "no name"),
        (["{old}", "--verify-only"], 1, "Copy it first"),
        (["{old}", "--verify-only", "--restart"], 2, "choose one"),
        (["{old}", "--batch-rows", "0"], 2, "batch-rows"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    old: str, person: Person, words: list[str], code: int, said: str
) -> None:
    done = person.rrr(*(word.replace("{old}", old) for word in words))
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_a_second_copy_at_the_same_time_is_refused(old: str, person: Person) -> None:
    place = person.place().path
    lease = Lease(place / "legacy.lease")
    assert lease.take()
    done = person.rrr(old)
    lease.release()
    assert done.returncode == 1
    assert f"process {os.getpid()} copies to {place} already" in done.stderr


def test_the_password_may_come_from_the_environment(old: str, person: Person) -> None:
    bare = re.sub(r"boss:[^@]*@", "boss@", old)
    assert person.rrr(bare, "--tables", "orders", PGPASSWORD="its/own@secret").returncode == 0
    refused = person.rrr(bare, "--tables", "orders", PGPASSWORD="wr0ng")
    assert refused.returncode == 1
    assert "Set PGPASSWORD" in refused.stderr
    assert "wr0ng" not in refused.stderr


def rows_so_far(place: Place) -> int:
    if not (place.path / FILE).exists():
        return 0
    try:
        return int(place.one("SELECT coalesce(sum(rows), 0) FROM mig_state"))
    except apsw.Error:  # It is being made.
        return 0


def test_a_hundred_thousand_rows_survive_kills_in_the_middle(
    postgres: Postgres, person: Person
) -> None:
    url = postgres.url(postgres.database(MANY))
    place, clock = person.place(), SystemClock()
    words = [sys.executable, "-m", "services.rrr", "db", "migrate", url, "--batch-rows", "5000"]
    seen = 0
    for enough in (20_000, 60_000):
        child = subprocess.Popen(words, cwd=ROOT, env=person.environ, stdout=subprocess.DEVNULL)
        until_ns = clock.mono_ns() + DEADLINE_NS
        while rows_so_far(place) < enough and child.poll() is None:
            assert clock.mono_ns() < until_ns
            clock.pause_ms(5)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert seen < rows_so_far(place) < 100_000
        seen = rows_so_far(place)
    done = person.rrr(url)
    assert done.returncode == 0, done.stderr
    assert place.one("SELECT count(*) FROM market_data") == 99_990
    assert place.one("SELECT count(*) FROM quarantine") == 10
