"""`rrr db import` brings nothing in of what is damaged, forged or hostile, and says where it is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.rrr.db_export_manifest import NAME, Manifest
from services.writer.archive_files import sha256_of
from tests.services.rrr.export_desk import Desk, exported, files_under


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


FIRST_PATH = "files.0.tables.0.parts.0.path"
HOSTILE = [
    "ATTACH 'x.db' AS x;",
    "PRAGMA writable_schema=ON;",
    "SELECT load_extension('x');",
    "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END;",
    "CREATE TABLE more (a);",
    "DROP TABLE runs;",
    "UPDATE runs SET orders = 0;",
    "DELETE FROM runs;",
    "VACUUM INTO 'x.db';",
    "ROLLBACK;",
    "INSERT INTO \"sqlite_schema\" VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (a)');",
    'INSERT INTO "migration" ("name") VALUES (\'9999_more.sql\');',
    'INSERT INTO "run_equity" SELECT run_id, 9, 9, 9 FROM runs;',
    "INSERT INTO \"run_equity\" VALUES ('r', (SELECT count(*) FROM runs), 1, 1);",
    "INSERT INTO \"run_equity\" VALUES ('r', 1, 1, 1); DROP TABLE runs;",
    "INSERT INTO \"run_equity\" VALUES ('r', length(load_extension('x')), 1, 1);",
    "INSERT INTO \"run_equity\" VALUES ('r', 1.5, 1, 1);",
    "INSERT INTO \"run_equity\" VALUES ('r', NULL, 1, 1);",
    "INSERT INTO \"run_equity\" VALUES ('more', 1, 1, 1);",
    "REPLACE INTO \"run_equity\" VALUES ('r1', 1, 1, 1);",
]


@pytest.mark.parametrize("statement", HOSTILE, ids=lambda text: text[:40])
def test_a_dump_may_do_nothing_but_insert(desk: Desk, statement: str) -> None:
    place = exported(desk, "backtest", "--format", "sql")
    dump = place / "backtest.sql"
    lines = dump.read_text().split("\n")
    at = next(n for n, line in enumerate(lines) if 'INTO "run_equity"' in line)
    dump.write_text("\n".join([*lines[:at], statement, *lines[at:]]))
    forge(place)
    done = desk.rrr("import", place, "--to", desk.path / "back")
    assert done.code == 5, done.out
    assert f"line {at + 1}" in done.err or "came to hold" in done.err
    assert {"data", "out"} <= set(files_under(desk.path)) <= {"data", "logs", "out"}


def test_a_dump_that_ends_too_early_is_refused(desk: Desk) -> None:
    place = exported(desk, "backtest", "--format", "sql")
    dump = place / "backtest.sql"
    text = dump.read_text()
    dump.write_text(text[: text.index("CREATE INDEX")])
    forge(place)
    refused(desk, place, "too early")
    dump.write_text(text.replace("CREATE INDEX runs_by_strategy", "CREATE INDEX runs_by_orders"))
    forge(place)
    refused(desk, place, "none of ours")


def test_a_changed_value_is_found_though_its_file_has_its_hash(desk: Desk) -> None:
    place = exported(desk, "backtest", "--format", "csv")
    path = place / "backtest" / "run_equity.csv"
    path.write_text(path.read_text().replace(",-9223372036854775806,", ",-9,"))
    forge(place)
    refused(desk, place, "run_equity came to hold 5 rows")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('"r1",1,2', "3 fields, expected 4"),
        ('"r1",1,2,x', "invalid literal"),
        ('"r1",1,2,"3"', "is no INTEGER"),
        ("r1,1,2,3", "is no TEXT"),
        ('"r1",1,2,9223372036854775808', "refuses"),
        ('"r1",,2,3', "refuses"),
        ('"r1"x,1,2,3', "no field of CSV"),
        ('"r1,1,2,3', "does not end"),
    ],
)
def test_a_bad_row_of_csv_is_told_with_its_line(desk: Desk, line: str, found: str) -> None:
    place = exported(desk, "backtest", "--format", "csv")
    path = place / "backtest" / "run_equity.csv"
    rows = path.read_text().split("\n")
    path.write_text("\n".join([*rows[:2], line, *rows[2:]]))
    forge(place)
    refused(desk, place, found)
    if found != "does not end":
        refused(desk, place, "run_equity.csv, line 3")


@pytest.mark.parametrize("form", ["sql", "csv", "parquet"])
def test_damage_is_found_before_anything_is_brought_in(desk: Desk, form: str) -> None:
    place = exported(desk, "market", "--format", form)
    path = max(place.rglob(f"*.{form}"), key=lambda one: one.stat().st_size)
    whole = path.read_bytes()
    for spoiled in (whole[:-1], b"", whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]):
        path.write_bytes(spoiled)
        refused(desk, place, "not as it was exported")
    path.unlink()
    refused(desk, place, "cannot be read")


def test_spoiled_parquet_and_gzip_are_told_by_name(desk: Desk) -> None:
    place = exported(desk, "backtest", "--format", "parquet")
    path = place / "backtest" / "runs" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    forge(place)
    refused(desk, place, "runs/part-0.parquet is damaged")
    packed = desk.path / "packed"
    words = ("--to", packed, "--format", "csv", "--compress", "gz")
    assert desk.rrr("export", "backtest", *words).code == 0
    path = packed / "backtest" / "runs.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])
    forge(packed)
    refused(desk, packed, "runs.csv.gz is damaged")


def test_a_manifest_that_leads_elsewhere_is_refused(desk: Desk) -> None:
    place = exported(desk, "backtest", "--format", "csv")
    other = desk.path / "other.csv"
    other.write_text("x")
    (place / "link.csv").symlink_to(other)
    ways = ("../other.csv", str(other), "", "backtest/../../other.csv", "a\0b", "link.csv")
    for name in ways:
        change(place, FIRST_PATH, name)
        refused(desk, place, "not within")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"format": 2}, "format 2"),
        ({"shard": "news"}, "known are"),
        ({"form": "xlsx"}, "known are"),
        ({"files.0.version": 99}, "version 99"),
        ({"files.0.version": 0}, "version"),
        ({"files.0.name": "../trading.db"}, "no place for"),
        ({"files.0.name": "market_data_2026_01.db"}, "no place for"),
        ({"files.0.tables.0.name": "more"}, "has not"),
        ({"files.0.tables.0.columns": ["key", "key"]}, "has not"),
        ({"files.0.tables.1.rows": 1}, "came to hold"),
        ({"files.0.tables.1.rows": "many"}, "no manifest"),
    ],
    ids=str,
)
def test_a_manifest_that_says_otherwise_is_refused(
    desk: Desk, changes: dict[str, Any], found: str
) -> None:
    place = exported(desk, "backtest", "--format", "csv")
    for path, value in changes.items():
        change(place, path, value)
    refused(desk, place, found)


def refused(desk: Desk, place: Path, found: str) -> None:
    done = desk.rrr("import", place, "--to", desk.path / "back")
    assert done.code == 5, done.out
    assert found in done.err
    assert not [path for path in desk.path.iterdir() if "back" in path.name]


def change(place: Path, path: str, value: Any) -> None:
    """Let a manifest say something else at a place in it."""
    whole = told = msgspec.json.decode((place / NAME).read_bytes())
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    for part in way:
        told = told[part]
    told[last] = value
    (place / NAME).write_bytes(msgspec.json.encode(whole))


def forge(place: Path) -> None:
    """Let the manifest have the hashes of the files as they are."""
    manifest = msgspec.json.decode((place / NAME).read_bytes(), type=Manifest)
    for part in manifest.all_parts():
        path = place / part.path
        part.bytes, part.sha256 = path.stat().st_size, sha256_of(path)
    (place / NAME).write_bytes(msgspec.json.encode(manifest))
