"""The answer no: said once for each id, and to the other order of a pair as well."""

from schema.instruments import Denial
from schema.orders import OrderDenied
from schema.trading import OrderIntent
from services.gateway.turn import Turn

OWN = "gateway"
CONTINGENT = "CONTINGENT_DENIED"
"""The code of an order that nothing is wrong with but what became of the other of its pair."""


def deny(
    turn: Turn,
    order_id: str,
    intent: OrderIntent | None,
    denial: Denial,
    by: str = OWN,
    symbol: str = "",
) -> None:
    """Say that an order does not leave, and that whoever waits for it does not either."""
    forget(turn, order_id)
    turn.say(
        OrderDenied(
            ts_event=turn.now_ns,
            trace=intent.trace if intent is not None else 0,
            client_order_id=order_id,
            symbol=intent.symbol if intent is not None else symbol,
            code=denial.code,
            detail=denial.detail,
            by=by,
        )
    )
    for other in [one for one in turn.windows.intents.values() if one.oco == order_id]:
        why = Denial(CONTINGENT, f"{order_id}, the other of its pair, was denied: {denial.code}")
        deny(turn, other.client_order_id, other, why)


def forget(turn: Turn, order_id: str) -> None:
    """Stop waiting for anything about an id."""
    turn.windows.intents.pop(order_id, None)
    turn.windows.verdicts.pop(order_id, None)
