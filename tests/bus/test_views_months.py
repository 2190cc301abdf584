"""Views over months while months are many, small, retired, or held by somebody who is slow."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import ManualClock
from bus.errors import ShardError
from bus.migrations import view_sources
from bus.rows import Reader
from bus.shard import Connection, open_writer
from bus.view_union import WHERE_FROM, view_columns
from schema.units import MS_NS, SECOND_NS
from tests.bus.month_rig import KIND, Place, Row, at, bars
from tests.bus.month_world import BTC, HastyClock
from tests.bus.view_oracle import Side

LATEST = "SELECT * FROM bars WHERE symbol = ? AND timeframe = ? ORDER BY open_ms DESC LIMIT ?"


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    made = Side(tmp_path_factory.mktemp("views"))
    yield made
    made.reader.close()


def test_more_months_than_can_be_attached_are_seen(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    made = place.live([Row(BTC, "1d", at("2010-01-01T00:00:00"), 4, 5, 3, 4)])
    for number in range(1, 130):
        year, month = 2010 + number // 12, number % 12 + 1
        path = place.db_dir / f"market_data_{year}_{month:02d}.db"
        shutil.copy(made, path)
        db = Connection(str(path))
        day = at(f"{year}-{month:02d}-01T00:00:00") // SECOND_NS // 86_400
        db.execute("UPDATE bar SET k = 1 << 26 | ?", (day,))
        db.close()
    with Reader(place.db_dir, "market") as reader:
        count = "SELECT count(*) AS n, count(DISTINCT open_ms) AS d FROM bars"
        assert list(reader.rows(count)) == [{"n": 130, "d": 130}]
        (newest,) = reader.rows(LATEST, (BTC, "1d", 1))
        assert newest["time"] == "2020-10-01T00:00:00.000Z"
        assert len(list(reader.rows("SELECT * FROM dead_letters"))) == 0
        tables = " UNION ALL ".join(
            f"SELECT count(*) AS n FROM market_data_{2010 + n // 12}_{n % 12 + 1:02d}.bar"
            for n in range(130)
        )
        with pytest.raises(ShardError, match="120 months"):
            list(reader.rows(tables))


def test_the_tables_of_a_month_are_there_by_its_name_and_the_newest_without(side: Side) -> None:
    counts = "SELECT count(*) AS n FROM {}bar"
    assert side.rows(counts.format("market_data_2026_02.")) == [(90,)]
    assert side.rows(counts.format("")) == side.rows(counts.format("market_data_2026_03."))


def test_time_limits_hold_within_a_view(side: Side) -> None:
    with (
        Reader(side.world.own.db_dir, "market", HastyClock(), 20_000) as hasty,
        pytest.raises(ShardError, match="longer than it may"),
    ):
        list(hasty.rows("SELECT count(*) FROM bars a, bars b"))


def test_each_statement_has_its_own_time(side: Side) -> None:
    clock = ManualClock()
    with Reader(side.world.own.db_dir, "market", clock, 1000) as reader:
        for _ in range(3):
            clock.advance(900_000_000)
            assert list(reader.rows(LATEST, (BTC, "1m", 2)))


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO bars VALUES (1)", "DELETE FROM bars",
     "CREATE VIRTUAL TABLE x USING bars_over_months",
     "CREATE TEMP VIEW v AS SELECT 1", "DROP VIEW bars"],
)  # fmt: skip
def test_views_are_only_read(side: Side, sql: str) -> None:
    with pytest.raises(ShardError, match=r"only reads|the query failed"):
        list(side.reader.rows(sql))


def test_a_half_read_view_holds_no_writer_up(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    path = place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 900))
    with Reader(place.db_dir, "market") as reader:
        held = reader.rows("SELECT * FROM bars")
        next(held)
        shard = open_writer(KIND, path, "w")
        with shard.transaction() as db:
            db.execute("INSERT INTO dead_letter VALUES (NULL, 0, 't', 'r', zeroblob(50000))")
        assert shard.checkpoint(truncate=True)
        assert shard.file_bytes() == 0
        shard.close()
        assert len(list(held)) == 899


def test_a_month_that_is_retired_in_the_middle_leaves_no_hole_and_no_double(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    january = bars(BTC, "1m", "2026-01-01T00:00:00", 900)
    february = bars(BTC, "1m", "2026-02-01T00:00:00", 300)
    paths = [place.live(january), place.live(february)]
    with Reader(place.db_dir, "market") as reader:
        held = reader.rows("SELECT open_ms FROM bars WHERE symbol = 'BTC/USDT'")
        found = [next(held)["open_ms"]]
        for path, rows in zip(paths, (january, february), strict=True):
            place.archive(rows)
            path.rename(tmp_path / path.name)
        found += [row["open_ms"] for row in held]
    assert found == [row.open_ns // MS_NS for row in january + february]


def test_small_views_reach_over_all_months_and_say_where_a_row_lies(
    side: Side, tmp_path: Path
) -> None:
    place = Place(tmp_path / "w")
    old = place.archive(bars(BTC, "1m", "2026-01-01T00:00:00", 5))
    new = place.live(bars(BTC, "1m", "2026-02-01T00:00:00", 9, hole=4))
    for path, missing in ((old, 0), (new, 2)):
        path.chmod(0o644)
        db = Connection(str(path))
        month = at(f"2026-0{1 if missing == 0 else 2}-01T00:00:00") // SECOND_NS // 60
        db.execute("DELETE FROM candlestick_metadata")
        count = 5 if missing == 0 else 6
        db.execute(
            "INSERT INTO candlestick_metadata VALUES (1, ?, ?, ?, 2)",
            (count, month, month + count - 1 + missing),
        )
        db.execute("INSERT INTO feed_gap VALUES ('BTC/USDT', 3, 5, 1, 'r', 0)")
        db.execute("INSERT INTO bar_live VALUES (1, ?, 4, 5, 3, 4, 1, 1, 1, 60000000000)", (month,))
        if missing == 0:
            db.execute("DROP TABLE import_file")  # It comes from older code.
        db.close()
    with Reader(place.db_dir, "market") as reader:
        kept = [
            (row["month"], row["kept"], row["bars"], row["missing"])
            for row in reader.rows("SELECT * FROM coverage")
        ]
        assert kept == [("2026-02", "live", 6, 2), ("2026-01", "archive", 5, 0)]
        gaps = "SELECT month, first_trade_id FROM gaps WHERE filled = 1 ORDER BY month"
        assert [tuple(row.values()) for row in reader.rows(gaps)] == [
            ("2026-01", 3),
            ("2026-02", 3),
        ]
        (live, _) = reader.rows("SELECT time, close, last_trade FROM bars_live")
        assert live == {
            "time": "2026-02-01T00:00:00.000Z",
            "close": "0.04",
            "last_trade": "1970-01-01T00:01:00.000Z",
        }
        assert list(reader.rows("SELECT * FROM imports")) == []
        assert list(reader.rows("SELECT * FROM dead_letters WHERE kept = 'live'")) == []
        shown = {str(row["name"]) for row in reader.rows("SELECT name FROM sqlite_temp_schema")}
        assert {"bars", "ticks", *view_sources(KIND)} <= shown
    with Reader(side.world.own.db_dir, "market", history=(side.world.history.top,)) as reader:
        assert next(
            iter(reader.rows("SELECT kept FROM coverage WHERE month = '2025-12'")),
            {"kept": "history"},
        )


@pytest.mark.parametrize("name", sorted(view_sources(KIND)))
def test_columns_of_a_view_over_months_are_those_of_its_select(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path / "w")
    place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 1))
    source = view_sources(KIND)[name]
    with Reader(place.db_dir, "market") as reader:
        plain = source.format(db="market_data_2026_01")
        told = list(reader.rows(f"SELECT (SELECT count(*) FROM ({plain})) AS n"))
        assert told == [{"n": 0}]
        columns = [str(row["name"]) for row in reader.rows(f"PRAGMA table_info({name})")]
    assert columns == [*WHERE_FROM, *view_columns(source)]
    assert all(f" AS {column}" in source for column in view_columns(source))
