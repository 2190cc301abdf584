"""What an export reads of a file, and what a new file takes in: exactly the rows, and only rows."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bus.errors import HouseError
from bus.migrations import KINDS, steps
from bus.shard import open_writer
from services.writer.dump import Choice, Digest, Snapshot, open_live, take_snapshot
from services.writer.dump_months import take_month
from services.writer.dump_sql import literal, literals
from services.writer.loading import BadRowError, Loading
from tests.services.writer import archive_desk
from tests.services.writer.archive_desk import JANUARY, WORLD

TRADING, MARKET, BACKTEST = (KINDS[name] for name in ("trading", "market", "backtest"))

values = (
    some.none()
    | some.integers(-(1 << 63), (1 << 63) - 1)
    | some.floats(allow_nan=False)
    | some.text()
    | some.binary()
)


@given(values)
def test_a_literal_is_its_value_on_one_line(value: Any) -> None:
    text = literal(value)
    assert not {"\n", "\r", "\0"} & set(text)
    with closing(apsw.Connection(":memory:")) as db:
        db.execute("CREATE TABLE t (v ANY) STRICT")
        db.execute(f"INSERT INTO t VALUES ({text})")
        ((found, kind),) = db.execute("SELECT v, typeof(v) FROM t").fetchall()
    assert found == value
    assert literals(f"{text});") == literals(f"{text});\n") == (value,)
    assert kind == {int: "integer", float: "real", str: "text", bytes: "blob"}.get(
        type(value), "null"
    )


def shard_at(path: Path) -> Path:
    shard = open_writer(BACKTEST, path, WORLD)
    with shard.transaction() as db:
        db.executemany(
            "INSERT INTO run_equity VALUES (?, ?, ?, ?)", [("r", n, n, 2) for n in range(9)]
        )
    shard.close()
    return path


def snapshot_of(path: Path, scratch: Path) -> Snapshot:
    found = take_snapshot(BACKTEST, path, scratch)
    assert found is not None
    return found


def equity(snapshot: Snapshot, choice: Choice | None = None) -> list[Any]:
    table = snapshot.table("run_equity")
    assert table is not None
    return [row for block in snapshot.rows(table, choice) for row in block]


def test_a_snapshot_stands_still_while_the_writer_writes(tmp_path: Path) -> None:
    path = shard_at(tmp_path / "backtest.db")
    with snapshot_of(path, tmp_path) as snapshot:
        shard = open_writer(BACKTEST, path, WORLD)
        with shard.transaction() as db:
            db.execute("DELETE FROM run_equity")
        assert len(equity(snapshot)) == 9
        shard.close()
    with snapshot_of(path, tmp_path) as snapshot:
        assert equity(snapshot) == []


def test_rows_come_by_their_key_as_they_are_chosen(tmp_path: Path) -> None:
    with snapshot_of(shard_at(tmp_path / "backtest.db"), tmp_path) as snapshot:
        assert [row[1] for row in equity(snapshot)] == list(range(9))
        assert equity(snapshot, Choice("ts_ns > ?", (6,))) == [("r", 7, 7, 2), ("r", 8, 8, 2)]
        assert equity(snapshot, Choice(spans=())) == []
        assert snapshot.world() == WORLD
        assert snapshot.version == len(steps(BACKTEST))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("retired", [False, True])
def test_a_month_is_alike_in_rows_and_in_chunks(
    tmp_path: Path, *, late: bool, retired: bool
) -> None:
    archive_desk.fill(tmp_path)
    archive_desk.archive(tmp_path)
    if retired:
        archive_desk.retire(tmp_path)
    if late:
        archive_desk.add_late(tmp_path, 3, volume=9)
        archive_desk.add_late(tmp_path, 9000)
    live = tmp_path / "db" / "market_data_2026_01.db"
    archive = tmp_path / "archive" / "market" / "market_data_2026_01.arc.db"
    snapshot = take_month(MARKET, live if live.exists() else archive, tmp_path)
    assert snapshot is not None
    with snapshot:
        found = dict(month_rows(snapshot))
        marks = snapshot.table("tick_mark")
        covered = snapshot.table("candlestick_metadata")
        assert marks is not None and covered is not None
        assert [row[1:].tolist() for block in snapshot.rows(marks) for row in block] == [[1, 60]]
        bars = sum(kind == "bar" for kind, _ in found)
        assert sum(row[1] for block in snapshot.rows(covered) for row in block) == bars
    assert found == archive_desk.seen(tmp_path, JANUARY)
    assert sorted(path.name for path in tmp_path.glob("*.db")) == []


def month_rows(snapshot: Snapshot) -> Iterator[tuple[tuple[str, int], tuple[int, ...]]]:
    for name in ("bar", "tick"):
        table = snapshot.table(name)
        assert table is not None
        for block in snapshot.rows(table):
            yield from (((name, row[0]), tuple(row)) for row in block.tolist())


def test_a_digest_depends_on_rows_and_not_on_blocks() -> None:
    rows = [(n, f"x{n}", None, b"y") for n in range(10)]
    whole, parts, other = (Digest(exact=False) for _ in range(3))
    whole.add(rows)
    for at in range(0, 10, 3):
        parts.add(rows[at : at + 3])
    other.add([*rows[:9], (9, "x9", "", b"y")])
    assert whole.hexdigest() == parts.hexdigest() != other.hexdigest()
    assert whole.rows == parts.rows == 10


def test_what_is_no_shard_is_none_or_is_named(tmp_path: Path) -> None:
    (tmp_path / "trading.db").touch()
    assert take_snapshot(TRADING, tmp_path / "trading.db", tmp_path) is None
    path = shard_at(tmp_path / "backtest.db")
    with pytest.raises(HouseError, match="is no trading shard"):
        open_live(TRADING, path)
    with pytest.raises(HouseError, match="cannot be opened"):
        open_live(TRADING, tmp_path / "none.db")


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Loading]:
    made = Loading(BACKTEST, tmp_path / "backtest.db", len(steps(BACKTEST)))
    yield made
    made.abort()


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH 'x' AS x",
        "DETACH main",
        "PRAGMA user_version = 3",
        "PRAGMA writable_schema = ON",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "CREATE TRIGGER t AFTER INSERT ON runs BEGIN SELECT 1; END",
        "DROP TABLE runs",
        "ALTER TABLE runs RENAME TO walks",
        "DELETE FROM runs",
        "UPDATE runs SET orders = 1",
        "COMMIT",
        "SAVEPOINT s",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "SELECT * FROM runs",
        "INSERT INTO run_equity SELECT run_id, 1, 1, 1 FROM runs",
        "INSERT INTO run_equity VALUES ('r', (SELECT 1), 1, 1)",
        "INSERT INTO run_equity VALUES ('r', abs(1), 1, 1)",
        "INSERT INTO run_equity VALUES (load_extension('x'), 1, 1, 1)",
        "INSERT INTO migration VALUES ('x')",
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (a)')",
        "INSERT INTO temp.run_equity VALUES ('r', 1, 1, 1)",
    ],
)
def test_a_loading_runs_inserts_alone(loading: Loading, statement: str) -> None:
    with pytest.raises(BadRowError, match="no plain INSERT"):
        loading.run(statement)
    loading.run("INSERT INTO run_equity VALUES ('r', 1, -9223372036854775808, 2)")
    assert loading.digest("run_equity", ("run_id",), exact=False).rows == 1


def test_a_bad_row_is_counted(loading: Loading) -> None:
    table = loading.tables["run_equity"]
    rows: list[Any] = [("r", 1, 1, 1), ("r", 2, 1, 1), ("r", 3, "x", 1)]
    with pytest.raises(BadRowError) as caught:
        loading.insert(table, rows)
    assert caught.value.number == 3


def test_an_older_version_takes_the_newer_steps_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "backtest.db"
    loading = Loading(BACKTEST, path, 1)
    assert "run_equity" not in loading.tables
    loading.close(WORLD)
    with snapshot_of(path, tmp_path) as snapshot:
        assert snapshot.version == len(steps(BACKTEST))
        assert snapshot.world() == WORLD
    with pytest.raises(HouseError, match="this code knows"):
        Loading(BACKTEST, tmp_path / "other.db", 99)
