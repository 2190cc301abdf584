"""What tests of the copy share: a place for it, a look into it, and a person at a terminal."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from services.rrr.db_migrate import Wish, migrated
from services.rrr.pg_copying import Verdict
from services.rrr.pg_dump_file import DumpFile
from services.rrr.pg_server import Server
from services.writer.legacy import FILE

ROOT = Path(__file__).parents[2]


class Place:
    """A directory for one copy."""

    def __init__(self, path: Path, batch_rows: int = 100) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.batch_rows = path, batch_rows

    def copy(self, source: str | Path, schema: Path | None = None, **wish: Any) -> list[Verdict]:
        """Copy a server by its address, or a file."""
        asked = Wish(**wish)
        if isinstance(source, Path):
            with DumpFile(source, self.batch_rows, schema) as file:
                return migrated(file, self.path, asked)
        with Server(source, self.batch_rows) as server:
            return migrated(server, self.path, asked)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        db = apsw.Connection(str(self.path / FILE), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(db.execute(sql))
        finally:
            db.close()

    def one(self, sql: str) -> Any:
        ((found,),) = self.rows(sql)
        return found

    def contents(self, without: Sequence[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of all copied tables, without some columns."""
        found: dict[str, list[str]] = {}
        for table, column in self.rows(
            "SELECT legacy_table, legacy_column FROM column_map ORDER BY 1, position"
        ):
            found.setdefault(table, [])
            if column not in without:
                found[table].append(f'"{column}"')
        return {
            table: sorted(self.rows(f'SELECT {", ".join(names)} FROM "{table}"'), key=repr)
            for table, names in found.items()
        }


def equal(verdicts: Sequence[Verdict]) -> bool:
    wrong = {one.table: one.differences for one in verdicts if one.differences}
    assert not wrong, wrong
    return True


class Person:
    """Somebody at a terminal in this checkout, with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE", "PG"))}
        self.environ = {
            **kept,
            "RRR_HOME": str(home),
            "RRR_RUN": str(home / "run"),
            "PYTHONPATH": str(ROOT),
            "HOME": str(home),
        }

    def rrr(
        self, *words: str, verb: str = "db migrate", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.rrr", *verb.split(), *words],
            cwd=ROOT / "docs",
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def place(self, name: str = "supabase") -> Place:
        return Place(self.home / "data" / "historical" / name)
