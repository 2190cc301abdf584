"""What a copy holds: every type, exactly; what has no exact form, in quarantine with its row."""

import json
import subprocess
from pathlib import Path

import pytest

from bus.errors import ShardError
from services.rrr.legacy import legacy_rows
from tests.migrate.desk import Place, equal
from tests.migrate.old_system import BAD, ODD, QUARANTINED, ROWS, SCHEMA, TABLES
from tests.migrate.server import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data" / "historical" / "supabase")


@pytest.fixture(scope="module")
def old(postgres: Postgres) -> str:
    return postgres.database(SCHEMA + ROWS)


@pytest.fixture(scope="module")
def odd(postgres: Postgres) -> str:
    return postgres.database(ODD)


def test_the_tables_of_the_old_system_come_over_whole(
    postgres: Postgres, old: str, place: Place
) -> None:
    verdicts = place.copy(postgres.url(old))
    assert equal(verdicts)
    assert {one.table: one.rows for one in verdicts} == TABLES
    assert {one.table: one.quarantined for one in verdicts if one.quarantined} == QUARANTINED
    assert place.one("SELECT open FROM market_data WHERE id = 2") == 1_650_001_000_000
    assert place.rows("SELECT qty, unrealized_pnl FROM positions") == [(0, "1000000000000000000")]
    assert place.one("SELECT fee FROM trades ORDER BY qty LIMIT 1") == "0.0000000000000000001"
    assert place.one("SELECT metrics FROM ml_models") == '{"auc" : 0.7, "auc": 0.8}'
    assert place.one("SELECT count(*) FROM ml_predictions WHERE forecast = 9e999") == 1
    assert place.rows("SELECT at, kind FROM risk_events") == [(None, "a\tb")]


def test_a_dump_gives_what_the_server_gives(
    postgres: Postgres, old: str, odd: str, tmp_path: Path
) -> None:
    for name in (old, odd):
        direct, dumped = Place(tmp_path / name / "a"), Place(tmp_path / name / "b")
        assert equal(direct.copy(postgres.url(name)))
        assert equal(dumped.copy(postgres.dump(name, tmp_path / f"{name}.sql")))
        assert direct.contents(without=["twice"]) == dumped.contents()  # A dump leaves it out.
        held = 'SELECT "table", key, "column", reason FROM quarantine ORDER BY 1, 2, 3'
        assert direct.rows(held) == dumped.rows(held)


def test_every_type_is_kept_by_its_rule(postgres: Postgres, odd: str, place: Place) -> None:
    assert equal(place.copy(postgres.url(odd)))
    first = dict(
        zip(
            [name for (name,) in place.rows("SELECT name FROM pragma_table_info('every_2')")],
            place.rows("SELECT * FROM every_2 WHERE id = 1")[0],
            strict=True,
        )
    )
    assert first["Price"] == 150_000_000
    assert first["price_2"] == 123  # PostgreSQL itself has rounded it to hundreds.
    assert first["wide"] == "999999999999.99999999"
    assert first["plain"] == "1000000000000000000"
    assert first["small"] == 123
    assert first["big"] == 9_223_372_036_854_775_807
    assert first["at"] == 1_704_046_500_500_000
    assert first["local"] == 1_704_067_200_123_000
    assert (first["day"], first["clock"]) == ("2024-02-29", "24:00:00")
    assert first["u"].hex() == "a0eebc999c0b4ef8bb6d6bb9bd380a11"
    assert first["b"] == b"\xde\xad\xbe\xef\x00"
    assert first["j"] == '{"b":1,  "a": 1.50}'
    assert first["jb"] == '{"a": 1.50, "b": 1}'
    assert (first["f"], first["r"]) == (0.1, 0.10000000149011612)
    assert (first["ok"], first["m"], first["c"]) == (1, "it's; bad", "ab  ")
    assert json.loads(first["texts"]) == ["a", "b c", None, 'q"\\x', "NULL", ""]
    assert (first["nums"], first["grid"]) == ("[1.50, -2]", "[[1, 2], [3, 4]]")
    assert (first["ats"], first["flags"]) == ('["2023-12-31 18:15:00+00"]', "[true, null, false]")
    assert first["order"] == "tab\there\nnew\r\\.\\N \u00fc \U0001f600"
    assert (first["i"], first["ip"], first["twice"]) == ("1 day 02:00:00", "::1/64", 2)


def test_names_that_sqlite_takes_for_one_are_told_apart(
    postgres: Postgres, odd: str, place: Place
) -> None:
    verdicts = place.copy(postgres.url(odd))
    made = {one.table: one.legacy_table for one in verdicts}
    assert (made["Every"], made["every"], made["quarantine"]) == (
        "Every",
        "every_2",
        "quarantine_2",
    )
    assert place.one('SELECT count(*) FROM "Every" WHERE "K 2" = 0') == 71
    keys = "SELECT legacy_column FROM column_map WHERE key_position AND legacy_table = '{}'"
    assert place.rows(keys.format("Every") + " ORDER BY key_position") == [("K 2",), ("k1",)]
    assert place.rows(keys.format("included")) == [("a",)]
    assert place.one("SELECT count(*) FROM included") == 250


def test_the_view_for_people_shows_what_postgres_shows(
    postgres: Postgres, odd: str, place: Place
) -> None:
    place.copy(postgres.url(odd))
    sql = 'SELECT "Price", price_2, small, at, local, u, wide FROM every_2_readable ORDER BY id'
    assert place.rows(sql) == [
        (
            *("1.50000000", "12300", "0.00123"),
            *("2023-12-31T18:15:00.500000Z", "2024-01-01T00:00:00.123000"),
            *("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "999999999999.99999999"),
        ),
        (
            *("-0.00000001", "-100", "0.00000"),
            *("0001-01-01T00:00:00.000000Z", "1969-12-31T23:59:59.999000", None, "1.00000000"),
        ),
        (None, None, None, "9999-12-30T23:59:59.999999Z", None, None, None),
    ]


def test_what_has_no_exact_form_is_in_quarantine_with_its_row(
    postgres: Postgres, place: Place
) -> None:
    (verdict,) = place.copy(postgres.url(postgres.database(BAD)))
    assert equal([verdict])
    assert (verdict.rows, verdict.quarantined) == (13, 11)
    assert place.rows("SELECT id, n, f FROM bad") == [(3, "1.5", None), (10, None, float("-inf"))]
    found = place.rows('SELECT key, "column", value, row FROM quarantine ORDER BY id')
    assert [(json.loads(key)[0], column) for key, column, _, _ in found] == [
        *(("1", "n"), ("2", "n"), ("4", "s"), ("5", "at"), ("6", "at"), ("7", "at")),
        *(("8", "local"), ("8", "day"), ("9", "f"), ("11", "texts"), ("12", "nums"), ("13", "j")),
    ]
    assert [value for _, _, value, _ in found[:5]] == [
        *("NaN", "Infinity", "NaN", "-infinity", "0044-03-14 18:18:44+00 BC"),
    ]
    assert json.loads(found[9][3])["texts"] == "[0:1]={a,b}"


def test_a_copy_is_one_plain_file_that_the_house_reads(
    postgres: Postgres, old: str, place: Place, tmp_path: Path
) -> None:
    place.copy(postgres.url(old))
    assert sorted(path.name for path in place.path.iterdir()) == ["legacy.db"]
    assert place.one("PRAGMA journal_mode") == "delete"
    found = list(legacy_rows(tmp_path, "SELECT side, count(*) AS n FROM orders GROUP BY 1"))
    assert found == [{"side": "buy", "n": 25}, {"side": "sell", "n": 25}]
    with pytest.raises(ShardError, match="only reads"):
        list(legacy_rows(tmp_path, "DELETE FROM orders"))


def test_only_the_chosen_tables_are_copied(postgres: Postgres, old: str, place: Place) -> None:
    verdicts = place.copy(postgres.url(old), tables=("orders", "trades"))
    assert [one.table for one in verdicts] == ["orders", "trades"]
    assert equal(place.copy(postgres.url(old)))  # The others come later.
    assert place.one("SELECT count(*) FROM mig_state WHERE done") == len(TABLES)


def test_a_latin_database_is_copied_as_utf8(postgres: Postgres, place: Place) -> None:
    name = postgres.database(encoding="LATIN1")
    with postgres.connect(name) as db:
        db.execute("CREATE TABLE t (a text PRIMARY KEY)")
        db.execute("INSERT INTO t VALUES (%s)", ("Zürich",))
    assert equal(place.copy(postgres.url(name)))
    assert place.one("SELECT a FROM t") == "Zürich"


def test_a_dump_of_rows_alone_is_text_until_a_schema_says_more(
    postgres: Postgres, old: str, tmp_path: Path
) -> None:
    rows = postgres.dump(old, tmp_path / "rows.sql", "--data-only")
    schema = postgres.dump(old, tmp_path / "schema.sql", "--schema-only")
    plain, typed = Place(tmp_path / "a"), Place(tmp_path / "b")
    assert equal(plain.copy(rows))
    assert plain.one("SELECT unrealized_pnl FROM positions WHERE symbol = 'BTC-USD'") == "NaN"
    assert equal(typed.copy(rows, schema))
    assert typed.one("SELECT count(*) FROM quarantine") == sum(QUARANTINED.values())


def test_a_compressed_dump_is_read_like_a_plain_one(
    postgres: Postgres, old: str, tmp_path: Path
) -> None:
    path = postgres.dump(old, tmp_path / "old.sql")
    subprocess.run(["gzip", "-k", path], check=True)
    plain, packed = Place(tmp_path / "a"), Place(tmp_path / "b")
    assert equal(plain.copy(path))
    assert equal(packed.copy(tmp_path / "old.sql.gz"))
    assert plain.contents() == packed.contents()
