"""Which messages the analytics shard keeps, and what becomes of each.

Streams are read side by side, so a forecast may come before the bar that it was made of, and an
intent before its forecast: whoever comes second fills in the time of the first. When a bar was said
is remembered for a while and written with what it led to; the bars themselves are market data.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from bus.shard import Connection
from schema import forecast, market, orders, strategy, trading
from schema.head import Message
from services.writer import executions, predictions
from services.writer.effects import Keep

BARS_MAX = 10_000

Write = Callable[[Connection, Keep], None]

IGNORED: frozenset[type[Message]] = frozenset(
    {
        trading.CancelIntent,
        trading.Decision,
        trading.StrategyFailed,
        trading.StrategyPaused,
        trading.StrategyResumed,
        trading.PairLocked,
        strategy.StrategyLoaded,
        strategy.StrategyRetired,
        strategy.StrategyState,
        strategy.ShadowFill,
        trading.Position,
        orders.OrderTriggered,
        orders.OrderPendingCancel,
        orders.OrderCancelRejected,
        orders.KillLevel,
        orders.InstrumentHalted,
        orders.InstrumentResumed,
        orders.Deposit,
        orders.BalanceSeen,
        orders.Reconciled,
        orders.RequestWeight,
        orders.AccountSnapshot,
    }
)
"""No step of an order and no measure of a forecast: the trading shard has what matters of these."""

TABLES: Mapping[type[Message], Write] = {
    forecast.ModelCard: predictions.write_model,
    forecast.Score: predictions.write_score,
    trading.Portfolio: predictions.write_metrics,
    trading.Verdict: executions.write_verdict,
    orders.OrderDenied: executions.write_end,
    orders.OrderUnconfirmed: executions.write_answer,
    orders.OrderAccepted: executions.write_answer,
    orders.OrderRejected: executions.write_answer,
    orders.OrderCanceled: executions.write_end,
    orders.OrderExpired: executions.write_end,
    orders.Fill: executions.write_fill,
}


def keep(message: Message, _now_ns: int) -> Keep | None:
    """Return what is kept of a message; None for what is ignored by name."""
    kind = type(message)
    if kind in IGNORED:
        return None
    if kind in TABLES or kind in Analytics.linked:
        return Keep(message=message)
    return Keep(message=message, refused=f"no table keeps a {kind.__name__}")


class Analytics:
    """The fold of the analytics shard, and when the newest bars were said, by their positions."""

    linked: frozenset[type[Message]] = frozenset(
        {market.Bar, forecast.Forecast, trading.OrderIntent, orders.OrderSubmitted}
    )

    def __init__(self) -> None:
        self._bars: OrderedDict[int, int] = OrderedDict()

    def fold(self, db: Connection, kept: Keep) -> bool:
        """Write what becomes of one message; each stands on its stream once."""
        match kept.message:
            case market.Bar():
                self._hear_bar(db, kept)
            case forecast.Forecast():
                predictions.write_forecast(db, kept, self._bars)
                executions.link_forecast(db, kept.pos)
            case trading.OrderIntent() | orders.OrderSubmitted():
                executions.write_wish(db, kept, self._bars)
            case _:
                TABLES[type(kept.message)](db, kept)
        return True

    def _hear_bar(self, db: Connection, kept: Keep) -> None:
        self._bars[kept.pos] = kept.said_ns
        if len(self._bars) > BARS_MAX:
            self._bars.popitem(last=False)
        predictions.link_bar(db, kept)
        executions.link_bar(db, kept)
