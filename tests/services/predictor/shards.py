"""A market shard with bars in it, for what trains on one."""

from collections.abc import Sequence
from pathlib import Path

from schema.market import Bar
from tests.services.market_desk import BAR, kept, store


def fill(db_dir: Path, bars: Sequence[Bar], world: str = "local-test") -> None:
    """Write bars into a new market shard."""
    db_dir.mkdir(parents=True, exist_ok=True)
    shard = store(db_dir, world)
    try:
        for start in range(0, len(bars), 5000):
            part = bars[start : start + 5000]
            shard.commit(kept(*part), {BAR: start + len(part)})
    finally:
        shard.close()
