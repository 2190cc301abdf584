"""`python -m tests.chaos.shards_reader DB_DIR`: reads every view, again and again, until told.

Each failure is one line of JSON on standard output; the last line says how much was read. What it
saw once must be there whenever it looks again.
"""

import json
import select
import sys
from pathlib import Path

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.rows import Reader

READS = {
    "market": (
        "SELECT count(*) AS n FROM bars WHERE symbol = 'BTC/USDT' AND timeframe = '1m'",
        "SELECT count(*) AS n FROM ticks WHERE symbol = 'BTC/USDT'",
    ),
    "trading": ("SELECT count(*) AS n FROM fills", "SELECT count(*) AS n FROM ledger"),
    "analytics": ("SELECT count(*) AS n FROM executions",),
    "backtest": ("SELECT count(*) AS n FROM runs",),
}
PAUSE_MS = 100


def main(db_dir: Path) -> None:
    """Read until standard input ends."""
    clock, most, reads = SystemClock(), dict[str, int](), 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for shard, statements in READS.items():
            for sql in statements:
                reads += 1
                _look(db_dir, shard, sql, most)
        clock.pause_ms(PAUSE_MS)
    sys.stdout.write(json.dumps({"reads": reads, "rows": sum(most.values())}) + "\n")


def _look(db_dir: Path, shard: str, sql: str, most: dict[str, int]) -> None:
    try:
        with Reader(db_dir, shard) as reader:
            (row,) = reader.rows(sql)
    except HouseError as error:
        if most.get(sql):  # Before the first row there may be no shard yet.
            _tell(f"{sql}: {error}")
        return
    found = int(str(row["n"]))
    if found < most.get(sql, 0):
        _tell(f"{sql}: {found} rows, and there were {most[sql]}")
    most[sql] = max(found, most.get(sql, 0))


def _tell(what: str) -> None:
    sys.stdout.write(json.dumps({"error": what}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
