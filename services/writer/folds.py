"""What each shard of one file makes of a message that it keeps."""

from collections.abc import Callable

from bus.shard import Connection
from schema.orders import BalanceSeen
from services.writer.analytics import Analytics
from services.writer.backtest import fold as fold_run
from services.writer.effects import Keep
from services.writer.entries import of_balance
from services.writer.file_store import Fold
from services.writer.orders import fold as fold_order
from services.writer.trading import ORDER_EVENTS, statements


def fold_of(shard: str) -> Fold:
    """Return the fold of a shard, with an empty memory of its own where it has one."""
    return _MAKERS[shard]()


def _fold_trading(db: Connection, keep: Keep) -> bool:
    if type(keep.message) in ORDER_EVENTS:
        return fold_order(db, keep.message)
    for sql, row in statements(keep.message):
        db.execute(sql, row)
    if type(keep.message) is BalanceSeen:
        for sql, row in of_balance(db, keep.message):
            db.execute(sql, row)
    return True


_MAKERS: dict[str, Callable[[], Fold]] = {
    "trading": lambda: _fold_trading,
    "analytics": lambda: Analytics().fold,
    "backtest": lambda: fold_run,
}
