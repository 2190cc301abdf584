"""What a process loads: memory and start time are paid by those alone who need a library."""

import os
import subprocess
import sys
import tempfile

import pytest

from tests.tidy.cards import JOBS, folders
from tests.tidy.source import ROOT

LOADED = "import sys, {module}\nprint(*sorted(sys.modules))\n"

NOBODY = frozenset({"pandas", "polars", "sqlite3", "logging.handlers", "unittest", "zmq.asyncio"})
HEAVY = frozenset({"numpy", "ccxt", "aiohttp", "torch", "scipy", "rich"})
SMALL = NOBODY | HEAVY

BY_FOLDER = {
    "venue": NOBODY | {"ccxt", "torch", "apsw", "rich"},
    "ingest": NOBODY | {"torch", "apsw", "rich"},
    "monitor": SMALL | {"apsw"},
    "warden": SMALL | {"apsw"},
    "writer": SMALL,
    "predictor": NOBODY | {"ccxt", "aiohttp", "rich", "torch", "apsw"},
    "engine": NOBODY | {"ccxt", "aiohttp", "torch", "rich", "apsw"},
    "gateway": NOBODY | {"torch", "apsw", "rich"},
}
"""What must stay outside of each process; a folder that is not named loads nothing heavy."""


IMPORT_S_MAX = 60


def loaded(module: str) -> set[str]:
    """Return every module that a fresh process has after one import.

    The process has a house of its own: one that starts to work when imported must not find ours.
    """
    with tempfile.TemporaryDirectory(prefix="rrr") as home:
        done = subprocess.run(
            [sys.executable, "-c", LOADED.format(module=module)],
            cwd=ROOT,
            env={**os.environ, "RRR_HOME": home, "RRR_RUN": f"{home}/run"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=IMPORT_S_MAX,
        )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("folder", sorted({*folders()} - JOBS))
def test_a_process_loads_nothing_that_it_does_not_need(folder: str) -> None:
    unwanted = BY_FOLDER.get(folder, SMALL)
    assert loaded(f"services.{folder}.__main__") & unwanted == set()


def test_a_backtest_loads_no_exchange_and_no_network() -> None:
    unwanted = NOBODY | {"ccxt", "aiohttp", "torch", "scipy", "rich", "apsw", "zmq"}
    assert loaded("services.backtest.keeping") & unwanted == set()


def test_the_verbs_of_the_night_load_nothing_that_can_fail() -> None:
    assert loaded("services.rrr.house") & (SMALL | {"apsw"}) == set()


def test_the_schema_loads_nothing_but_msgspec() -> None:
    found = loaded("schema.messages, schema.frame")
    assert found & (SMALL | {"zmq", "apsw", "asyncio", "bus", "services"}) == set()


def test_a_library_that_is_loaded_is_found() -> None:
    assert loaded("numpy") & HEAVY == {"numpy"}
