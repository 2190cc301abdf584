"""What of all that a service says is worth a line in its log, and how loud that line is.

The journals are the record; these lines are for the person who reads `logs/` at night.
"""

from typing import Literal

import msgspec

from bus.telling import step_name, tell, told_of
from schema import house, orders, strategy, trading
from schema.head import Message

Volume = Literal["quiet", "told", "urgent"]
"""In the file alone; on the console too, while there is room; on the console before all else."""


class Line(msgspec.Struct, frozen=True):
    """One line of a log."""

    event: str
    text: str
    about: str = ""
    order: str = ""
    volume: Volume = "quiet"
    audit: bool = False


NAMES: dict[type[Message], str] = {
    orders.KillLevel: "kill_level",
    orders.InstrumentHalted: "instrument_halted",
    orders.InstrumentResumed: "instrument_resumed",
    orders.OrderResolved: "order_resolved",
    orders.OrderAdopted: "order_adopted",
    orders.LiveArmed: "live_armed",
    orders.LiveDisarmed: "live_disarmed",
    orders.Deposit: "deposit",
    trading.StrategyFailed: "strategy_failed",
    trading.StrategyPaused: "strategy_paused",
    trading.StrategyResumed: "strategy_resumed",
    strategy.StrategyLoaded: "strategy_loaded",
    strategy.StrategyRetired: "strategy_retired",
    strategy.ShadowFill: "shadow_fill",
    trading.PairLocked: "pair_locked",
    trading.RiskState: "risk_state",
    trading.LimitBreached: "limit_breached",
    trading.LimitChanged: "limit_changed",
    trading.LimitReleased: "limit_released",
    trading.EquityMarked: "equity_marked",
    trading.Protection: "protection",
    house.Alert: "alert",
}
"""What stands in a log beside the steps of an order, which are called as `rrr why` calls them."""

STEPS = frozenset(
    {
        *(trading.Decision, orders.OrderSubmitted, orders.OrderDenied, orders.OrderUnconfirmed),
        *(orders.OrderRejected, orders.OrderCancelRejected, orders.OrderCanceled),
        *(orders.OrderExpired, orders.OrderTriggered, orders.Fill),
    }
)

TOLD = STEPS | frozenset(NAMES)
"""All that leaves a line."""

URGENT = frozenset(
    {
        *(orders.KillLevel, orders.InstrumentHalted, orders.OrderUnconfirmed),
        *(orders.LiveArmed, orders.LiveDisarmed),
        *(trading.StrategyFailed, trading.LimitBreached, house.Alert),
    }
)
QUIET = frozenset(
    {trading.Decision, trading.EquityMarked, orders.OrderTriggered, strategy.ShadowFill}
)
AUDITED = frozenset(
    {
        *(orders.KillLevel, orders.InstrumentHalted, orders.InstrumentResumed, orders.Deposit),
        *(orders.OrderResolved, orders.OrderAdopted, orders.LiveArmed, orders.LiveDisarmed),
        *(trading.StrategyPaused, trading.StrategyResumed),
        *(strategy.StrategyLoaded, strategy.StrategyRetired),
        *(trading.LimitChanged, trading.LimitReleased),
    }
)
"""What a person did, or what only a person can undo."""


def line_of(message: Message) -> Line | None:
    """Return the line that a message leaves; None when it leaves none."""
    kind = type(message)
    if kind in STEPS:
        event = step_name(message).replace(" ", "_")
    elif kind in NAMES:
        event = NAMES[kind]
    else:
        return None
    return Line(
        event=event,
        text=_text(message),
        about=told_of(message),
        order=str(getattr(message, "client_order_id", "")),
        volume="urgent" if kind in URGENT else "quiet" if kind in QUIET else "told",
        audit=kind in AUDITED,
    )


def _text(message: Message) -> str:
    # What goes to the exchange is told by what it is, as the journal has it whole.
    return tell(message.intent if isinstance(message, orders.OrderSubmitted) else message)
