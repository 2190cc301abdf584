"""What is small or quick brings in nothing large: running writers, and the verbs of a night."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGE = {"numpy", "duckdb", "psycopg", "rich", "polars", "pyarrow", "torch"}

SAY = "import json, sys; print(json.dumps([*{name.partition('.')[0] for name in sys.modules}]))"
WRITERS = """
from bus.clock import SystemClock
from bus.house import settle_world
from bus.migrations import KINDS
from services.writer.build import open_store
from tests.services.bare import bare_house
with bare_house() as house:
    settle_world(house)
    for shard in KINDS:
        store = open_store(shard, house, SystemClock())
        store.idle()
        store.close()
"""


@pytest.mark.parametrize(
    ("does", "large"),
    [
        (WRITERS + "import services.writer.__main__\n", LARGE | {"click"}),
        ("import services.rrr.__main__, services.rrr.status\n", LARGE),
        ("import services.rrr.__main__, services.rrr.kill\n", LARGE | {"apsw", "tomllib"}),
    ],
    ids=["the writers", "rrr status", "rrr kill"],
)
def test_what_is_small_or_quick_brings_in_nothing_large(does: str, large: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", does + SAY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert large & set(json.loads(done.stdout)) == set()
