"""One server for all tests of this folder, and a small dump for those that need no server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.migrate.server import Postgres, running

DUMP = """
CREATE TABLE public.t (id integer NOT NULL, n numeric);
CREATE TABLE public.u (id integer NOT NULL);
COPY public.t (id, n) FROM stdin;
{t}\\.
COPY public.u (id) FROM stdin;
1
2
\\.
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "small.sql"
    rows = "".join(f"{n}\t{'NaN' if n == 3 else n}\n" for n in range(1, 8))
    path.write_text(DUMP.format(t=rows))
    return path
