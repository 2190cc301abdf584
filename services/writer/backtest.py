"""What the backtest shard keeps: of each run the latest word, its round trips, its curves.

The same run says the same again, and that is a repeat; said otherwise under the same id, the new
word replaces all of the old one.
"""

import msgspec

from bus.shard import Connection
from schema.head import Message
from schema.house import BacktestResult, RunEquity, RunPrices, RunTrades
from services.writer.effects import Keep

KEPT = (BacktestResult, RunTrades, RunEquity, RunPrices)

RUN = (
    "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET "
    "strategy = excluded.strategy, world = excluded.world, metrics = excluded.metrics, "
    "orders = excluded.orders, fingerprint = excluded.fingerprint, ts_ns = excluded.ts_ns, "
    "report = excluded.report "
    "WHERE (strategy, world, metrics, orders, fingerprint, ts_ns, report) IS NOT "
    "(excluded.strategy, excluded.world, excluded.metrics, excluded.orders, "
    "excluded.fingerprint, excluded.ts_ns, excluded.report)"
)
TRADE = (
    "INSERT INTO run_trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (run_id, number) DO NOTHING"
)
EQUITY = "INSERT INTO run_equity VALUES (?, ?, ?, ?) ON CONFLICT (run_id, ts_ns) DO NOTHING"
PRICE = (
    "INSERT INTO run_prices VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, symbol, ts_ns) DO NOTHING"
)
SAME = "SELECT 1 FROM runs WHERE run_id = ? AND fingerprint = ?"
FORGET = (
    "DELETE FROM run_trades WHERE run_id = ?",
    "DELETE FROM run_equity WHERE run_id = ?",
    "DELETE FROM run_prices WHERE run_id = ?",
)


def keep(message: Message, _now_ns: int) -> Keep | None:
    """Return what is kept of a message about backtests."""
    if isinstance(message, KEPT):
        return Keep(message=message)
    return Keep(message=message, refused=f"no table keeps a {type(message).__name__}")


def fold(db: Connection, kept: Keep) -> bool:
    """Write one word about a run; False when it stands there already."""
    before = db.total_changes()
    match kept.message:
        case BacktestResult() as run:
            _write_run(db, run)
        case RunTrades(run_id=run_id, first=first, trades=trades):
            rows = (msgspec.structs.astuple(trade) for trade in trades)
            db.executemany(TRADE, [(run_id, first + place, *row) for place, row in enumerate(rows)])
        case RunEquity(run_id=run_id, at_ns=at_ns, equity=equity, exp=exp):
            points = zip(at_ns, equity, strict=True)
            db.executemany(EQUITY, [(run_id, at, worth, exp) for at, worth in points])
        case RunPrices(run_id=run_id, symbol=symbol, at_ns=at_ns, px=px, px_exp=px_exp):
            marks = zip(at_ns, px, strict=True)
            db.executemany(PRICE, [(run_id, symbol, at, one, px_exp) for at, one in marks])
    return db.total_changes() > before


def _write_run(db: Connection, run: BacktestResult) -> None:
    if not db.execute(SAME, (run.run_id, run.fingerprint)).fetchall():
        for statement in FORGET:
            db.execute(statement, (run.run_id,))
    metrics = msgspec.json.encode(dict(run.metrics)).decode()
    names = (run.run_id, run.strategy, run.world, metrics)
    report = run.report or "{}"
    db.execute(RUN, (*names, run.orders, run.fingerprint, run.ts_event, report))
