"""What the backtest shard keeps: one row for each run, the latest word about it."""

import msgspec

from bus.shard import Connection
from schema.head import Message
from schema.house import BacktestResult
from services.writer.effects import Keep

RUN = (
    "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET "
    "strategy = excluded.strategy, world = excluded.world, metrics = excluded.metrics, "
    "orders = excluded.orders, fingerprint = excluded.fingerprint, ts_ns = excluded.ts_ns "
    "WHERE (strategy, world, metrics, orders, fingerprint, ts_ns) IS NOT (excluded.strategy, "
    "excluded.world, excluded.metrics, excluded.orders, excluded.fingerprint, excluded.ts_ns)"
)


def keep(message: Message, _now_ns: int) -> Keep | None:
    """Return what is kept of a message about backtests."""
    if isinstance(message, BacktestResult):
        return Keep(message=message)
    return Keep(message=message, refused=f"no table keeps a {type(message).__name__}")


def fold(db: Connection, kept: Keep) -> bool:
    """Write the outcome of a run; False when it stands there already."""
    run = kept.message
    assert isinstance(run, BacktestResult)
    metrics = msgspec.json.encode(dict(run.metrics)).decode()
    names = (run.run_id, run.strategy, run.world, metrics)
    db.execute(RUN, (*names, run.orders, run.fingerprint, run.ts_event))
    return bool(db.changes())
