"""Which messages the analytics shard keeps, and what becomes of each.

Streams are read side by side, so a forecast may come before the bar that it was made of, and an
intent before its forecast: whoever comes second fills in the time of the first. When a bar was said
is remembered in the shard for a while; the bars themselves are market data.
"""

from collections.abc import Callable, Mapping

from bus.shard import Connection
from schema import forecast, market, orders, strategy, trading
from schema.head import Message
from schema.streams import STREAMS
from services.writer import executions, predictions
from services.writer.bars_said import Horizon, remember
from services.writer.effects import Keep

FORECASTS, INTENTS, ORDERS = (
    STREAMS[name].number for name in ("predictor.forecast", "engine.intent", "gateway.order")
)

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
        orders.OrderResolved,
        orders.OrderAdopted,
        orders.LiveArmed,
        orders.LiveDisarmed,
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
    """The fold of the analytics shard; what it must remember stands in the shard."""

    linked: frozenset[type[Message]] = frozenset(
        {market.Bar, forecast.Forecast, trading.OrderIntent, orders.OrderSubmitted}
    )

    def __init__(self) -> None:
        self._horizon = Horizon(len(self.linked) - 1)

    def fold(self, db: Connection, kept: Keep) -> bool:
        """Write what becomes of one message; each stands on its stream once."""
        match kept.message:
            case market.Bar():
                remember(db, kept.pos, kept.said_ns)
                predictions.link_bar(db, kept)
                executions.link_bar(db, kept)
            case forecast.Forecast():
                predictions.write_forecast(db, kept)
                executions.link_forecast(db, kept.pos)
                self._horizon.pass_by(db, FORECASTS, kept.said_ns)
            case trading.OrderIntent():
                executions.write_wish(db, kept)
                self._horizon.pass_by(db, INTENTS, kept.said_ns)
            case orders.OrderSubmitted():
                executions.write_wish(db, kept)
                self._horizon.pass_by(db, ORDERS, kept.said_ns)
            case _:
                TABLES[type(kept.message)](db, kept)
        return True
