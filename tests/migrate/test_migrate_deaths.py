"""A copy that dies, at any of its statements or for want of room, is gone on with."""

import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

from bus.errors import HouseError
from tests.migrate.desk import Place, equal
from tests.migrate.server import Postgres

pytestmark = pytest.mark.slow

NUMBERS = """
CREATE TABLE numbers (id int PRIMARY KEY, half numeric(10,1), name text);
INSERT INTO numbers SELECT n, n / 2.0, repeat('n', 100) FROM generate_series(1, 3000) AS n;
"""


def in_a_child(work: Callable[[], None]) -> int:
    """Do something in another process; return what it died of, 0 when it ended by itself."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except HouseError as error:
            os.write(2, f"{error}\n".encode())
            os._exit(9)
        finally:
            os._exit(7)
    return os.waitpid(pid, 0)[1]


def copy_until(dump: Path, place: Place, last: int) -> None:
    """Copy a dump, and die before the so-manieth statement that SQLite is given."""
    count = 0

    def trace(_cursor: object, _sql: str, _bindings: object) -> bool:
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    apsw.connection_hooks.append(lambda db: db.set_exec_trace(trace))
    Place(place.path, batch_rows=3).copy(dump)


def test_a_death_at_any_statement_loses_nothing(dump: Path, tmp_path: Path) -> None:
    whole = Place(tmp_path / "whole", batch_rows=3)
    assert equal(whole.copy(dump))
    last, killed = 1, True
    while killed:
        place = Place(tmp_path / f"at_{last}", batch_rows=3)
        died_of = in_a_child(partial(copy_until, dump, place, last))
        killed = died_of == signal.SIGKILL
        assert equal(place.copy(dump))
        assert place.contents() == whole.contents()
        held = "SELECT * FROM quarantine"
        assert place.rows(held) == whole.rows(held)
        last += 1
    assert last > 60


def test_a_disk_that_is_full_is_gone_on_with(postgres: Postgres, tmp_path: Path) -> None:
    url, place = postgres.url(postgres.database(NUMBERS)), Place(tmp_path)

    def with_little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        place.copy(url)

    status = in_a_child(with_little_room)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 9
    assert 0 < place.one("SELECT rows FROM mig_state") < 3000
    assert equal(place.copy(url))
