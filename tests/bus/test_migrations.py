"""The steps from an older shard to the tables of today."""

from pathlib import Path

import pytest

from bus.errors import ShardError
from bus.migrations import KINDS, Kind, view_sources
from bus.rows import Reader
from bus.shard import open_writer


def _kind(directory: Path, *steps: str) -> Kind:
    folder = directory / "sql" / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    for number, sql in enumerate(steps, start=1):
        (folder / f"{number:04d}_step.sql").write_text(sql)
    return Kind("toy", 77, 1, sql=folder.parent)


BASE = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE stream_position (stream TEXT PRIMARY KEY, pos INTEGER NOT NULL) STRICT;"
)


def test_a_shard_goes_forward_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "toy.db"
    open_writer(_kind(tmp_path, BASE), path, "w", {"ingest.bar": 5}).close()
    kind = _kind(tmp_path, BASE, "CREATE TABLE a (x INTEGER) STRICT;", "DROP TABLE a;")
    shard = open_writer(kind, path, "w")
    assert shard.db.pragma("user_version") == 3
    assert shard.db.execute("SELECT pos FROM stream_position").fetchall() == [(5,)]
    shard.close()


def test_a_step_that_fails_leaves_the_shard_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "toy.db"
    first = _kind(tmp_path, BASE)
    open_writer(first, path, "w").close()
    with pytest.raises(ShardError, match="no such table: absent"):
        open_writer(
            _kind(tmp_path, BASE, "CREATE TABLE a (x INTEGER) STRICT; DROP TABLE absent;"),
            path,
            "w",
        )
    (tmp_path / "sql" / "toy" / "0002_step.sql").unlink()
    shard = open_writer(first, path, "w")
    tables = {name for (name,) in shard.db.execute("SELECT name FROM sqlite_schema")}
    assert "a" not in tables
    shard.close()


def test_a_file_tells_of_which_shard_it_is() -> None:
    assert len({kind.application_id for kind in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if not kind.monthly])
def test_a_shard_of_one_file_shows_its_views_while_it_is_empty(tmp_path: Path, kind: Kind) -> None:
    shard = open_writer(kind, tmp_path / f"{kind.name}.db", "w")
    with Reader(tmp_path, kind.name) as reader:
        views = set(view_sources(kind))
        assert views
        for view in views:
            assert list(reader.rows(f"SELECT * FROM {view}")) == []
    shard.close()
