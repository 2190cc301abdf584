"""The signed interface, without HTTP: a request in, a status and JSON out.

REST and the WebSocket API offer the same calls under different names.
"""

import msgspec

from services.venue import signing
from services.venue.account_calls import AccountCalls
from services.venue.desk import Desk
from services.venue.order_calls import OrderCalls
from services.venue.params import Params, Refusal
from services.venue.rest import ROOT, Answer, refused

RESTRICTIONS = "/sapi/v1/account/apiRestrictions"

ON_SOCKET = {
    "order.place": "POST order",
    "order.test": "POST order/test",
    "order.status": "GET order",
    "order.cancel": "DELETE order",
    "order.cancelReplace": "POST order/cancelReplace",
    "orderList.place": "POST order/oco",
    "orderList.place.oco": "POST orderList/oco",
    "orderList.status": "GET orderList",
    "orderList.cancel": "DELETE orderList",
    "openOrders.status": "GET openOrders",
    "openOrders.cancelAll": "DELETE openOrders",
    "openOrderLists.status": "GET openOrderList",
    "allOrders": "GET allOrders",
    "allOrderLists": "GET allOrderList",
    "myTrades": "GET myTrades",
    "account.status": "GET account",
}
"""The calls of the WebSocket API, in the words of REST."""


class Private:
    """Answers about one desk; the market time that it has reached is the time of the answer."""

    def __init__(self, desk: Desk) -> None:
        self._calls = {**OrderCalls(desk).calls, **AccountCalls(desk).calls}

    def call_of(self, method: str, path: str) -> str | None:
        """Return the call that a method and a path name, None when there is none."""
        if path == RESTRICTIONS:
            return "GET account/apiRestrictions" if method == "GET" else None
        call = f"{method} {path.removeprefix(ROOT)}"
        return call if path.startswith(ROOT) and call in self._calls else None

    def rest(self, call: str, key: str, query: str, body: str, wall_ms: int) -> Answer:
        """Return the answer to a request of REST; what was signed is as it was sent."""
        try:
            signed = signing.of_rest(key, query, body)
            found, weight = self.obey(call, signed, wall_ms)
        except Refusal as refusal:
            return refused(refusal)
        return Answer(200, msgspec.json.encode(found), weight)

    def obey(self, call: str, signed: signing.Signed, wall_ms: int) -> tuple[object, int]:
        """Return the result and the weight of a call; Refusal when it is not taken."""
        params = Params(signed.fields, signed.key)
        signing.check(signed, params, wall_ms)
        params.ignore("apiKey", "returnRateLimits")
        found = self._calls[call](params)
        params.check_all_read()
        return found, params.weight
