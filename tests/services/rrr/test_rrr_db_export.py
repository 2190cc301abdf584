"""`rrr db export`: a shard as SQL, CSV and Parquet, exactly, beside a writer at work."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bus.migrations import KINDS
from bus.rows import read_rows
from bus.shard import open_writer
from services.rrr.db_export_manifest import read_manifest
from services.rrr.db_export_parquet import folder_of
from services.rrr.db_export_text import csv_line
from services.rrr.db_import_rows import csv_rows
from tests.services.rrr.export_desk import AT_NS, MAX, MINUTE, MONTHS, ROOT, Desk, content
from tests.services.writer import archive_desk

MINUTE_MS = 60_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def query(sql: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(":memory:")) as db:
        return list(db.execute(sql).fetchall())


def test_a_dump_is_read_back_by_sqlite_alone(desk: Desk) -> None:
    desk.fill("trading")
    place = desk.path / "trading.sql"
    done = desk.rrr("export", "trading", "--to", place)
    assert done.code == 0, done.err
    with closing(apsw.Connection(str(desk.path / "back.db"))) as db:
        db.execute(place.read_text(encoding="utf-8"))
    assert content(desk.path / "back.db") == content(desk.file("trading"))


def test_duckdb_reads_bars_by_their_partitions(desk: Desk) -> None:
    desk.fill("market")
    place = desk.path / "out"
    assert desk.rrr("export", "market", "--to", place, "--format", "parquet").code == 0
    path = f"{place}/bars/symbol=BTC-USDT/timeframe=1m/year=2026/month=01/part-0.parquet"
    assert Path(path).is_file()
    bars = f"read_parquet('{place}/bars/**/*.parquet', hive_partitioning=true)"
    rows = query(
        f"SELECT pair, timeframe, timestamp, open, volume, trades FROM {bars} "
        "WHERE symbol = 'BTC-USDT' AND year = 2026 AND month::INTEGER = 1 ORDER BY timestamp"
    )
    assert len(rows) == 700
    assert rows[3][2:] == ((MINUTE + 3) * MINUTE_MS, Decimal("0.10"), Decimal("0.00000003"), 3)
    assert rows[3][:2] == ("BTC/USDT", "1m")
    wide = query(f"SELECT high FROM {bars} WHERE pair = 'SHIB/USDT' LIMIT 1")
    assert str(wide[0][0]) == "9223372.036854775807000000"


def test_numbers_have_eighteen_digits_where_they_fit(desk: Desk) -> None:
    desk.write("market", MONTHS[0], {
        "series": [(1, "BTC/USDT", "1m", 60, 2, 8, 8)],
        "bar": [(1 << 26 | MINUTE + n, 10, 12, 9, 11, 5, 6, 7, 0) for n in range(3)],
    })  # fmt: skip
    place = desk.path / "out"
    assert desk.rrr("export", "market", "bars", "--to", place, "--format", "parquet").code == 0
    kinds = query(f"SELECT name, duckdb_type FROM parquet_schema('{place}/bars/**/*.parquet')")
    assert ("open", "DECIMAL(18,2)") in kinds
    assert ("volume", "DECIMAL(18,8)") in kinds
    packed = query(
        f"SELECT DISTINCT compression FROM parquet_metadata('{place}/bars/**/*.parquet')"
    )
    assert packed == [("ZSTD",)]


def test_views_are_what_a_query_shows(desk: Desk) -> None:
    desk.fill("market", "trading")
    for shard, view in (("market", "bars"), ("market", "ticks"), ("trading", "ledger")):
        place = desk.path / f"{view}.csv"
        words = ["--views"] if shard == "trading" else []
        assert desk.rrr("export", shard, view, "--to", place, *words).code == 0
        with place.open(newline="", encoding="utf-8") as file:
            found = [tuple(row.items()) for row in csv.DictReader(file)]
        shown = read_rows(desk.house.db_dir, shard, f"SELECT * FROM {view}")
        expected = [
            tuple((k, "" if v is None else str(v)) for k, v in row.items()) for row in shown
        ]
        assert sorted(found) == sorted(expected)
        assert found


def test_rows_are_chosen_by_symbol_timeframe_and_time(desk: Desk) -> None:
    desk.fill("market")
    place = desk.path / "some.csv.gz"
    words = ("--symbol", "BTC/USDT", "--timeframe", "1m")
    span = ("--since", "2026-02-01", "--until", "2026-02-01T00:05:00Z")
    done = desk.rrr("export", "market", "bars", "--to", place, *words, *span, "--json")
    assert done.code == 0, done.err
    with gzip.open(place, "rt") as file:
        rows = list(csv.DictReader(file))
    assert {row["symbol"] for row in rows} == {"BTC/USDT"}
    first = (MINUTE + 1440) * MINUTE_MS
    assert [int(row["open_ms"]) for row in rows] == [first + n * MINUTE_MS for n in range(5)]
    assert done.told["rows"] == 5


def test_a_symbol_or_a_timeframe_that_is_mistyped_is_told(desk: Desk) -> None:
    desk.fill("market")
    words = ("export", "market", "--to", desk.path / "none", "--format", "csv")
    nothing = desk.rrr(*words, "--symbol", "BTC/USTD")
    assert (nothing.code, (desk.path / "none").exists()) == (1, False)
    assert "has nothing of BTC/USTD" in nothing.err
    assert desk.rrr(*words, "--timeframe", "7m").code == 2


def test_selected_tables_hold_what_was_asked_for(desk: Desk) -> None:
    desk.fill("market", "trading")
    until = ("--until", "2026-01-31T00:00:30Z", "--symbol", "BTC/USDT")
    place = desk.path / "out"
    assert desk.rrr("export", "market", "--to", place, "--format", "csv", *until).code == 0
    lines = (place / MONTHS[0] / "tick.csv").read_text().splitlines()
    assert len(lines) == 31
    assert len((place / MONTHS[0] / "bar.csv").read_text().splitlines()) == 2
    assert len((place / MONTHS[0] / "series.csv").read_text().splitlines()) == 3
    since = ("--since", "2026-02-01", "--format", "sql")
    assert desk.rrr("export", "trading", "--to", desk.path / "t", *since).code == 0
    dumped = (desk.path / "t" / "trading.sql").read_text()
    assert 'INSERT INTO "risk_events"' not in dumped
    assert 'INSERT INTO "meta"' in dumped


def test_null_is_told_from_the_empty_text(desk: Desk) -> None:
    desk.fill("trading")
    place = desk.path / "orders.csv"
    assert desk.rrr("export", "trading", "orders", "--to", place).code == 0
    rows = query(
        "SELECT count(*) FILTER (reason IS NULL), count(*) FILTER (strategy IS NULL), "
        f"count(*) FILTER (under = '') FROM read_csv('{place}', nullstr='', "
        "allow_quoted_nulls=false, all_varchar=true, quote='\"', escape='\"', strict_mode=false)"
    )
    assert rows == [(1, 13, 13)]


def test_the_page_about_exports_names_the_columns_that_there_are(desk: Desk) -> None:
    desk.fill("market")
    place = desk.path / "out"
    assert desk.rrr("export", "market", "--to", place, "--format", "parquet").code == 0
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    for kind in ("bars", "ticks"):
        told = page.partition(f"| column of {kind} |")[2].partition("\n\n")[0]
        rows = [line.split("|")[1] for line in told.splitlines()[2:]]
        path = max((place / kind).rglob("*.parquet"))
        found = query(f"SELECT column_name FROM (DESCRIBE SELECT * FROM '{path}')")
        hive = ("symbol", "timeframe", "year", "month")
        names = [name for (name,) in found if name not in hive]
        assert re.findall(r"`(\w+)`", " ".join(rows)) == names


@given(
    some.lists(
        some.tuples(
            some.none() | some.integers(-(1 << 63), MAX),
            some.none() | some.text(),
            some.none() | some.binary(max_size=9),
            some.none() | some.floats(allow_nan=False),
        ),
        max_size=6,
    )
)
def test_csv_gives_back_what_was_written(rows: list[tuple[Any, ...]]) -> None:
    text = "".join(map(csv_line, rows))
    assert list(csv_rows(_lines(text), ("INTEGER", "TEXT", "BLOB", "REAL"))) == rows


def _lines(text: str) -> Iterator[str]:
    yield from (line + "\n" for line in text.split("\n")[:-1])


@given(some.text(min_size=1), some.text(min_size=1))
def test_no_two_symbols_share_a_folder(one: str, other: str) -> None:
    if one.encode("utf-8", "replace") != other.encode("utf-8", "replace"):
        assert folder_of(one) != folder_of(other)
    assert "/" not in folder_of(one)
    assert folder_of("BTC/USDT") == "BTC-USDT" != folder_of("BTC-USDT")


def test_a_writer_goes_on_while_its_shard_is_exported(desk: Desk) -> None:
    desk.fill("trading")
    shard = open_writer(KINDS["trading"], desk.file("trading"), desk.house.world)
    place = desk.path / "out"
    try:
        assert desk.rrr("export", "trading", "--to", place, "--format", "csv").code == 0
        with shard.transaction() as db:
            db.execute("UPDATE stream_position SET pos = pos + 1 WHERE stream = 'ingest.bar'")
        assert shard.checkpoint(truncate=True)
    finally:
        shard.close()
    _, manifest = read_manifest(place)
    assert manifest.files[0].positions["ingest.bar"] == 7


def test_many_rows_are_several_files_of_parquet(desk: Desk) -> None:
    desk.write("backtest", "backtest", {"run_equity": [("r", n, n, 2) for n in range(130_000)]})
    place = desk.path / "out"
    assert desk.rrr("export", "backtest", "--to", place, "--format", "parquet").code == 0
    assert names(place / "backtest" / "run_equity") == ["part-0.parquet", "part-1.parquet"]
    assert desk.rrr("import", place, "--to", desk.path / "back").code == 0
    assert content(desk.path / "back" / "backtest.db") == content(desk.file("backtest"))


def test_history_is_exported_when_it_is_asked_for(desk: Desk) -> None:
    place = desk.path / "history.csv"
    done = desk.rrr("export", "market", "bars", "--history", "--to", place)
    assert done.code == 3 and "rrr data import" in done.err
    archive_desk.fill(desk.house.home / "data" / "historical" / "binance")
    assert desk.rrr("export", "market", "bars", "--history", "--to", place).code == 0
    assert len(place.read_text().splitlines()) == 1 + 1401
    assert read_manifest(place)[1].world == archive_desk.WORLD
    for words in (("history", "bars"), ("history:binance", "bars"), ("history:kraken", "bars")):
        done = desk.rrr("export", *words, "--to", place, "--force")
        assert done.code == (2 if "history:kraken" in words else 0), done.err
    assert "There are: history:binance" in done.err


def test_a_large_file_is_copied_before_it_is_read(desk: Desk) -> None:
    big = [(n, AT_NS, "t", "r", b"x" * (1 << 20)) for n in range(34)]
    desk.write("backtest", "backtest", {"dead_letter": big})
    done = desk.rrr("export", "backtest", "--to", desk.path / "out", "--format", "sql", "--json")
    assert done.told["copied"] == ["backtest.db"]
    assert names(desk.path / "out") == ["backtest.sql", "export.json"]


def test_the_manifest_says_what_there_is(desk: Desk) -> None:
    desk.fill("market")
    place = desk.path / "out"
    assert desk.rrr("export", "market", "--to", place, "--format", "parquet").code == 0
    told = json.loads((place / "export.json").read_bytes())
    assert told["world"] == desk.house.world
    assert [file["name"] for file in told["files"]] == [f"{stem}.db" for stem in MONTHS]
    assert told["files"][0]["positions"]["ingest.bar"] == 7
    bars = next(one for one in told["files"][0]["tables"] if one["name"] == "bar")
    assert bars["rows"] == 703 == sum(part["rows"] for part in bars["parts"])
    listed = {part.path for part in read_manifest(place)[1].all_parts()}
    there = {p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()}
    assert there == listed | {"export.json"}
