"""A PostgreSQL server as the source of a copy: one snapshot of it, read and never written."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

import click

from bus.errors import HouseError, UnreachableError
from services.rrr import pg_catalog as catalog
from services.rrr import pg_sums as sums
from services.rrr.pg_tables import Batch, Table, cut
from services.rrr.pg_totals import Totals
from services.rrr.pg_values import Keeping

if TYPE_CHECKING:
    from psycopg import Connection

SCHEMES = ("postgres://", "postgresql://")
TRANSACTION_POOLER_PORT = 6543
POOLER_HINT = "Use the session pooler or the direct connection: the same address with port 5432"
URL_HINT = (
    "Write postgresql://USER@HOST:5432/DATABASE with the password in PGPASSWORD or ~/.pgpass; "
    "within an address @ : / # ? % are written as %40 %3A %2F %23 %3F %25"
)
REACH_HINT = (
    "Is the host right, and can it be reached from here? "
    "Supabase's direct host has IPv6 alone; its session pooler, port 5432, has IPv4 too"
)
AGAIN_HINT = "What was copied is kept: run the same command again, and it goes on there"
VERSION_MIN = 120_000

PATIENCE: dict[str, Any] = {
    "connect_timeout": 15,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "application_name": "rrr db migrate",
}

SESSION = """
SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex';
SET xmlbinary = 'base64'; SET search_path = ''; SET row_security = off; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '30s'
"""
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Server:
    """One transaction of one database, in which nothing changes while it is copied."""

    def __init__(self, url: str, batch_rows: int) -> None:
        wanted = checked(url)
        self.notes: list[str] = []
        self._batch_rows = batch_rows
        self._secret = str(wanted.get("password") or "")
        with self._spoken("the source cannot be opened"):
            self._db = _connected(wanted)
        info = self._db.info
        self._password = info.password
        self.label = f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname}"
        self.identity = f"{info.host}:{info.port}/{info.dbname}"
        with ExitStack() as failed:
            failed.callback(self._db.close)
            self._begin()
            failed.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def tables(self) -> list[Table]:
        """Return the tables of the schema public that have columns."""
        with self._spoken("the catalog of the source cannot be read"):
            return catalog.tables(self._db, self.notes)

    def require_readable(self, tables: Sequence[Table]) -> None:
        """Raise HouseError for tables of which this role sees nothing, or not all."""
        with self._spoken("the privileges at the source cannot be read"):
            catalog.require_readable(self._db, [table.name for table in tables])

    def fits(self, table: Table, columns: Sequence[str]) -> frozenset[str]:
        """Return which of some wide columns hold nothing that does not fit 64 bits."""
        with self._spoken(f"{table.name} cannot be looked through"):
            return sums.fitting(self._db, table, columns)

    def resumes(self, table: Table) -> bool:
        """Return whether a table has a key to go on behind."""
        return bool(table.key)

    def batches(self, table: Table, last_key: str, done_rows: int) -> Iterator[Batch]:
        """Yield the rows of a table behind a key, in the order of the key."""
        with self._spoken(f"{table.name} cannot be copied on, after {done_rows:,} rows"):
            yield from self._keyed(table, last_key) if table.key else self._streamed(table)

    def totals(self, table: Table, keepings: Sequence[Keeping]) -> Totals:
        """Return what the server itself adds up, in the snapshot that was copied."""
        with self._spoken(f"{table.name} cannot be added up"):
            return sums.totals(self._db, table, keepings)

    def same_rows(
        self, table: Table, keepings: Sequence[Keeping], rows: Sequence[Sequence[str | None]]
    ) -> list[str]:
        """Return the keys of the rows that are otherwise, or missing, at the source."""
        with self._spoken(f"rows of {table.name} cannot be compared"):
            return sums.otherwise(self._db, table, keepings, rows)

    def _begin(self) -> None:
        with self._spoken("the session cannot be set up"):
            version = self._db.info.server_version
            if version < VERSION_MIN:
                raise HouseError(
                    f"the server is PostgreSQL {version // 10_000}, at least 12 is needed",
                    "Make a file with pg_dump, and migrate that",
                )
            self._db.execute(SESSION)
            self._db.execute(SNAPSHOT)
            encoding = catalog.encoding(self._db)
        if encoding == "SQL_ASCII":
            raise HouseError(
                "the database is SQL_ASCII: its bytes have no encoding, so they are no text",
                "Make a file with pg_dump, convert it to UTF-8, and migrate that",
            )

    def _keyed(self, table: Table, last_key: str) -> Iterator[Batch]:
        places = [table.columns.index(column) for column in table.key]
        while True:
            page = self._copy(sums.page_sql(table, last_key, self._batch_rows))
            found = 0
            for lines in cut(page, self._batch_rows):
                found += len(lines)
                last_key = sums.key_of(lines[-1], places)
                yield Batch(lines, last_key)
            if found < self._batch_rows:
                return

    def _streamed(self, table: Table) -> Iterator[Batch]:
        for lines in cut(self._copy(sums.all_sql(table)), self._batch_rows):
            yield Batch(lines, "")

    def _copy(self, sql: str) -> Iterator[bytes]:
        with self._db.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            for line in copy:
                yield bytes(line)[:-1]

    @contextmanager
    def _spoken(self, what: str) -> Iterator[None]:
        """Say what failed at the source in words, without a secret."""
        import psycopg  # noqa: PLC0415 - only who migrates needs it

        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._failure(what, error) from None
        except psycopg.Error as error:
            raise HouseError(f"{what}: {self._plain(error)}", AGAIN_HINT) from None

    def _failure(self, what: str, error: Exception) -> HouseError:
        said = self._plain(error)
        opened = hasattr(self, "_db")
        if not opened and "FATAL:" in said:  # Somebody is there, and refuses.
            return HouseError(f"{what}: {said}", _refusal_hint(said))
        hint = AGAIN_HINT if opened else REACH_HINT
        return UnreachableError(f"{what}: {said}", hint)

    def _plain(self, error: Exception) -> str:
        said = " ".join(str(error).split())
        for secret in (self._secret, getattr(self, "_password", "")):
            said = said.replace(secret, "***") if secret else said
        return said


def checked(url: str) -> dict[str, Any]:
    """Return the parts of an address; UsageError, without a word of it, when it is none."""
    try:
        import psycopg  # noqa: PLC0415 - only who migrates needs it
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the same
    except ImportError as error:
        raise HouseError("psycopg is not installed", "Run `make up`, which installs it") from error
    try:
        parts: dict[str, Any] = {**conninfo_to_dict(url)}
    except psycopg.Error:  # Its text may hold a part of the password.
        raise click.UsageError(f"the address of the source cannot be read. {URL_HINT}") from None
    port, host = str(parts.get("port") or "5432"), str(parts.get("host") or "")
    if not port.isdigit() or set("@?# ") & set(host):
        raise click.UsageError(f"the address of the source cannot be read. {URL_HINT}")
    if int(port) == TRANSACTION_POOLER_PORT:
        raise click.UsageError(
            f"port {port} is the transaction pooler, which cannot keep one snapshot. {POOLER_HINT}"
        )
    return parts


def _connected(wanted: dict[str, Any]) -> "Connection[tuple[Any, ...]]":
    import psycopg  # noqa: PLC0415 - only who migrates needs it

    return psycopg.connect(**{**PATIENCE, **wanted}, autocommit=True)


def _refusal_hint(said: str) -> str:
    if "password" in said or "authentication" in said:
        return "Set PGPASSWORD, or write a line into ~/.pgpass, for this user"
    if "does not exist" in said:
        return "Look at the name of the database and of the user in the address"
    return "The server says why it refuses; mend that there"
