"""What goes wrong on the way: each has a clear word, and loses nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import click
import psycopg
import pytest

from bus import checksums
from bus.errors import HouseError, ShardError, UnreachableError
from services.rrr.db_migrate import Wish, migrated
from services.rrr.pg_server import Server
from services.rrr.pg_tables import Batch, Table
from services.writer.legacy import FILE, LEGACY
from tests.migrate.desk import Place, equal
from tests.migrate.server import PASSWORD, Postgres
from tests.ports import free_port

NUMBERS = """
CREATE TABLE numbers (id int PRIMARY KEY, half numeric(10,1), name text);
INSERT INTO numbers SELECT n, n / 2.0, 'n' || n FROM generate_series(1, 1000) AS n;
CREATE TABLE keyless (a int, f float8, long text);
INSERT INTO keyless SELECT n, CASE n WHEN 7 THEN 'NaN'::float8 ELSE n END, repeat('x', 1000)
FROM generate_series(1, 20000) AS n;
"""


class Watched(Server):
    """A server beside which something happens once the first batch was handed out."""

    then: Callable[[], None] = staticmethod(lambda: None)

    def batches(self, table: Table, last_key: str, done_rows: int) -> Iterator[Batch]:
        for nth, batch in enumerate(super().batches(table, last_key, done_rows)):
            yield batch
            if nth == 0:
                self.then()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "copy", batch_rows=5000)


@pytest.mark.slow
def test_what_changes_meanwhile_is_not_seen(postgres: Postgres, place: Place) -> None:
    name = postgres.database(NUMBERS)

    def change() -> None:
        with postgres.connect(name) as db:
            db.execute("INSERT INTO numbers VALUES (1001, 1, 'late'), (-1, 1, 'before')")
            db.execute("DELETE FROM numbers WHERE id = 900")
            db.execute("UPDATE numbers SET half = 0")

    with Watched(postgres.url(name), 100) as source:
        source.then = change
        assert equal(migrated(source, place.path, Wish(tables=("numbers",))))
    assert place.rows("SELECT count(*), sum(half), max(id) FROM numbers") == [
        (1000, 2_502_500, 1000)
    ]
    (verdict,) = place.copy(postgres.url(name), tables=("numbers",), verify_only=True)
    assert "1000 rows, the source has 1001" in verdict.differences
    assert "half: its sum is 2502500, at the source 0" in verdict.differences


@pytest.mark.slow
@pytest.mark.parametrize("table", ["numbers", "keyless"])
def test_a_source_that_goes_away_is_gone_on_with(
    postgres: Postgres, place: Place, table: str
) -> None:
    name = postgres.database(NUMBERS)

    def end_sessions() -> None:
        with postgres.connect("postgres") as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'rrr db migrate'"
            )

    with Watched(postgres.url(name), 100) as source:
        source.then = end_sessions
        with pytest.raises(UnreachableError, match="run the same command again") as caught:
            migrated(source, place.path, Wish(tables=(table,)))
    assert caught.value.exit_code == 4
    assert place.one("SELECT done FROM mig_state") == 0
    assert place.one("SELECT rows FROM mig_state") >= 100
    assert equal(place.copy(postgres.url(name)))


@pytest.mark.slow
def test_a_table_that_was_changed_is_begun_anew(postgres: Postgres, place: Place) -> None:
    name = postgres.database(NUMBERS)
    place.copy(postgres.url(name), tables=("numbers",))
    with postgres.connect(name) as db:
        db.execute("ALTER TABLE numbers ALTER name TYPE varchar(9), ADD more int")
    with pytest.raises(HouseError, match=r"'more', 'integer'.* Begin anew with --restart"):
        place.copy(postgres.url(name))
    assert equal(place.copy(postgres.url(name), restart=True))


@pytest.mark.slow
def test_long_rows_are_copied_in_small_pieces(postgres: Postgres, place: Place) -> None:
    name = postgres.database(
        "CREATE TABLE long (id int PRIMARY KEY, a text);"
        "INSERT INTO long SELECT n, repeat('x', 6000000) FROM generate_series(1, 4) AS n"
    )
    pieces: list[int] = []
    with Server(postgres.url(name), 1000) as source:
        (table,) = source.tables()
        pieces += [len(batch.lines) for batch in source.batches(table, "", 0)]
    assert pieces == [3, 1]
    assert equal(place.copy(postgres.url(name)))


@pytest.mark.slow
def test_who_is_not_let_in_is_told_why_without_the_secret(postgres: Postgres) -> None:
    name = postgres.database()
    for url, code, said in (
        (postgres.url(name, password="wr0ng-s3cret"), 1, "Set PGPASSWORD"),
        (postgres.url("no_such"), 1, "name of the database"),
        (f"postgresql://boss:wr0ng-s3cret@127.0.0.1:{free_port()}/x", 4, "can it be reached"),
        ("postgresql://boss:wr0ng-s3cret@host.invalid/x", 4, "can it be reached"),
    ):
        with pytest.raises(HouseError) as caught:
            Server(url, 1)
        assert caught.value.exit_code == code, caught.value
        assert said in str(caught.value)
        assert not {"wr0ng-s3cret", PASSWORD} & set(str(caught.value).replace('"', " ").split())
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3c@ret@host/db",
        "postgresql://me:s3c/ret@host/db",
        "postgresql://me:s3c%zret@host/db",
        "postgresql://me:s3cret@host:6543/db",
        "postgres://me:s3cret@host:port/db",
        "postgresql://me:s3cret@host/db?nonsense=1",
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        Server(url, 1)
    assert "s3c" not in caught.value.message
    assert "ret@" not in caught.value.message


@pytest.mark.slow
def test_rows_that_a_role_may_not_see_are_not_left_out_silently(
    postgres: Postgres, place: Place
) -> None:
    name = postgres.database(
        """
        DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'guest';
        CREATE TABLE open (id int PRIMARY KEY); CREATE TABLE closed (id int);
        CREATE TABLE hidden (id int PRIMARY KEY, who text); INSERT INTO hidden VALUES (1, 'boss');
        ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON hidden USING (who = current_user);
        GRANT SELECT ON open, hidden TO guest;
        """
    )
    url = postgres.url(name, "guest", "guest")
    with pytest.raises(HouseError, match="may not read closed"):
        place.copy(url)
    with pytest.raises(HouseError, match="row security hides rows of hidden"):
        place.copy(url, tables=("open", "hidden"))
    assert equal(place.copy(url, tables=("open",)))
    assert equal(place.copy(postgres.url(name)))
    with postgres.connect(name) as db:
        db.execute("DROP OWNED BY guest")
        db.execute("DROP ROLE guest")


@pytest.mark.slow
def test_a_database_without_an_encoding_is_refused(postgres: Postgres, place: Place) -> None:
    with pytest.raises(HouseError, match="SQL_ASCII"):
        place.copy(postgres.url(postgres.database(encoding="SQL_ASCII")))


@pytest.mark.slow
def test_the_source_is_never_written_to(postgres: Postgres) -> None:
    url, refused = postgres.url(postgres.database(NUMBERS)), psycopg.errors.ReadOnlySqlTransaction
    with Server(url, 1) as source, pytest.raises(refused):
        source._db.execute("DELETE FROM public.numbers")


def test_another_source_does_not_go_on_with_a_copy(dump: Path, place: Place) -> None:
    place.copy(dump)
    dump.write_text(dump.read_text() + "-- changed\n")
    with pytest.raises(HouseError, match="--restart"):
        place.copy(dump)
    assert equal(place.copy(dump, restart=True))
    assert place.one("SELECT count(*) FROM t") == 6


def test_a_foreign_file_and_one_from_the_future_are_left_alone(dump: Path, place: Place) -> None:
    path = place.path / FILE
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE mine (a)")
    with pytest.raises(ShardError, match="no legacy shard"):
        place.copy(dump, restart=True)
    db.pragma("application_id", LEGACY.application_id)
    db.pragma("user_version", 99)
    with pytest.raises(ShardError, match="newer code"):
        place.copy(dump, restart=True)
    assert list(db.execute("SELECT count(*) FROM mine")) == [(0,)]
    db.close()


def test_a_changed_value_is_found_by_comparing_again(dump: Path, place: Place) -> None:
    assert equal(place.copy(dump))
    db = apsw.Connection(str(place.path / FILE), vfs=checksums.load())
    db.execute("UPDATE t SET n = '5.0' WHERE id = 5")
    db.close()
    verdicts = place.copy(dump, verify_only=True)
    assert [bool(one.differences) for one in verdicts] == [True, False]
    assert verdicts[0].differences[0].startswith("the hash is ")  # 5.0 equals 5 as a number.


def test_a_row_that_went_missing_is_found_by_comparing_again(dump: Path, place: Place) -> None:
    assert equal(place.copy(dump))
    db = apsw.Connection(str(place.path / FILE), vfs=checksums.load())
    db.execute("DELETE FROM quarantine")
    db.close()
    (verdict, _) = place.copy(dump, verify_only=True)
    assert "6 rows, the source has 7" in verdict.differences
