"""What each request of the gateway costs, by the exchange's own table [doc]."""

from schema.exchange import (
    AskAccount,
    AskOpenOrders,
    AskOrder,
    AskTop,
    AskTrades,
    SendCancel,
    SendOrder,
)
from schema.head import Effect
from schema.joined import SendPair, SendReplace

TIME = "GET time"
WEIGHTS = {
    "POST order": 1,
    "POST orderList/oco": 1,
    "POST order/cancelReplace": 1,
    "DELETE order": 1,
    "DELETE orderList": 1,
    "GET order": 4,
    "GET orderList": 4,
    "GET openOrders": 80,  # of all symbols at once
    "GET myTrades": 20,
    "GET account": 20,
    "GET account/apiRestrictions": 1,
    "GET ticker/bookTicker": 2,
    TIME: 1,
}
UNKNOWN = 20

REQUESTS: dict[type[Effect], tuple[str, ...]] = {
    SendOrder: ("POST order",),
    SendPair: ("POST orderList/oco",),
    SendReplace: ("POST order/cancelReplace",),
    SendCancel: ("DELETE order",),
    AskOrder: ("GET order",),
    AskTrades: ("GET myTrades",),
    AskOpenOrders: ("GET openOrders",),
    AskAccount: ("GET account", "GET account/apiRestrictions"),
    AskTop: ("GET ticker/bookTicker",),
}
ORDERS: dict[type[Effect], int] = {SendOrder: 1, SendPair: 2, SendReplace: 1}


def weight_of(request: str) -> int:
    """Return the weight of one request, named by its method and path."""
    return WEIGHTS.get(request, UNKNOWN)


def cost_of(effect: Effect) -> int:
    """Return the weight of all that an effect asks."""
    return sum(map(weight_of, REQUESTS.get(type(effect), ()))) or UNKNOWN


def orders_in(effect: Effect) -> int:
    """Return how many new orders an effect sends."""
    return ORDERS.get(type(effect), 0)
