"""What came from PostgreSQL, for whoever asks with SQL."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bus.clock import SystemClock
from bus.history import HISTORY
from bus.reading import Rows, Value, attach, guard, open_reader, select
from bus.rows import TIME_LIMIT_MS
from services.rrr.survey import NotReadyError
from services.writer.legacy import FILE, LEGACY

MAKES = "`rrr db migrate SOURCE` makes it"


def legacy_dir(home: Path, name: str) -> Path:
    """Return where the tables of one source are."""
    return home / "data" / HISTORY / name


def legacy_rows(
    home: Path,
    sql: str,
    bindings: Sequence[Value] = (),
    *,
    name: str = "supabase",
    time_limit_ms: int = TIME_LIMIT_MS,
) -> Rows:
    """Return the rows of a SELECT on what `rrr db migrate` brought, by the names of its tables."""
    path = legacy_dir(home, name) / FILE
    if not path.is_file():
        there = sorted(home.glob(f"data/historical/*/{FILE}"))
        known = ", ".join(f"legacy:{one.parent.name}" for one in there)
        raise NotReadyError(f"there is no {path} yet", f"There is {known}" if known else MAKES)
    return _rows(path, sql, bindings, time_limit_ms)


def _rows(path: Path, sql: str, bindings: Sequence[Value], time_limit_ms: int) -> Rows:
    with closing(open_reader(time_limit_ms)) as db:
        if not attach(db, LEGACY, path, "legacy"):
            raise NotReadyError(f"{path} is still being made", MAKES)
        guard(db, SystemClock(), time_limit_ms)
        yield from select(db, sql, bindings)
