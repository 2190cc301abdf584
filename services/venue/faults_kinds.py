"""The faults that can be had of the venue: what each does, to what, and for how long.

Whatever is told to somebody may be late, wrong or lost; the ledger of the desk stays the truth.
"""

from collections.abc import Mapping

import msgspec

from services.venue.private import ON_SOCKET

Params = Mapping[str, int | str]

REPLACE = "POST order/cancelReplace"
PLACE = frozenset({"POST order", "POST order/oco", "POST orderList/oco", REPLACE})
CANCEL = frozenset({"DELETE order", "DELETE openOrders", "DELETE orderList"})
READ = frozenset(call for call in ON_SOCKET.values() if call.startswith("GET "))
PUBLIC = frozenset(
    f"GET {path}"
    for path in (
        *("ping", "time", "exchangeInfo", "klines", "depth", "trades", "historicalTrades"),
        *("aggTrades", "ticker/24hr", "ticker/price", "ticker/bookTicker"),
    )
)
GROUPS: Mapping[str, frozenset[str]] = {
    "place": PLACE,
    "cancel": CANCEL,
    "read": READ,
    "public": PUBLIC,
}

BEFORE = "before"
AFTER = "after"
WHEN = (BEFORE, AFTER)


class Kind(msgspec.Struct, frozen=True):
    """One fault by name; `call` is what it strikes unless somebody says otherwise."""

    what: str
    call: str = ""  # a group, one call, or any
    lasts: bool = False  # a condition of some seconds; else so many cases
    params: Params = {}


MARKET = frozenset({"lost_depth", "bad_rows"})
"""What strikes the market alone, and never an order."""

KINDS: dict[str, Kind] = {
    "lost_request": Kind("the connection is cut before a request is read", "place"),
    "lost_ack": Kind("it is done, and the connection is cut instead of an answer", "place"),
    "unknown_1007": Kind(
        "the answer is -1007, before it is done or after",
        "place",
        params={"when": AFTER, "status": 504},
    ),
    "error_5xx": Kind(
        "the answer is a server's failure, before it is done or after",
        "place",
        params={"when": AFTER, "status": 503},
    ),
    "error_1006": Kind(
        "the answer is -1006, before it is done or after",
        "place",
        params={"when": AFTER, "status": 500},
    ),
    "duplicate_fill": Kind("a fill is pushed twice"),
    "reorder_fills": Kind("what is pushed of an order comes backwards", params={"ms": 300}),
    "late_fill": Kind(
        "a fill is unseen for so long, in answers, reads and pushes", params={"ms": 2_000}
    ),
    "late_push": Kind("the user stream lags by so long", lasts=True, params={"ms": 2_000}),
    "partial_fill": Kind(
        "a part of an order trades first, the rest later; of a market order it expires",
        params={"part_pct": 50},
    ),
    "cancel_race": Kind(
        "the order trades in the moment of its cancel", "DELETE order", params={"part_pct": 100}
    ),
    "cancel_unknown": Kind("a cancel is refused with -2011 although the order is open", "cancel"),
    "cancel_ack_without_final_fill": Kind(
        "a cancel's answer does not know of the last fill, which comes later",
        "DELETE order",
        params={"part_pct": 50, "ms": 2_000},
    ),
    "lagging_reads": Kind("reads show what was so long ago", lasts=True, params={"ms": 2_000}),
    "vanish": Kind("a new order is in no read for so long", "place", params={"ms": 3_000}),
    "rate_429": Kind("429 with Retry-After, until that is over", "any", params={"wait_s": 2}),
    "ban_418": Kind("418 with Retry-After, until that is over", "any", params={"wait_s": 4}),
    "mute_stream": Kind("the user stream stays open and says nothing", lasts=True),
    "dead_stream": Kind("the user stream is cut, and cannot be had for so long", lasts=True),
    "stream_garbage": Kind("an event of the user stream is replaced by garbage"),
    "clock_skew": Kind("the exchange's clock is off by so much", lasts=True, params={"ms": 2_000}),
    "maintenance": Kind("503 to everything, and every symbol is in BREAK", "any", lasts=True),
    "html_body": Kind("the answer is a page for people", "place", params={"status": 200}),
    "truncated_json": Kind("the answer ends in its middle", "place"),
    "empty_body": Kind("the answer is empty", "place"),
    "wrong_order_answer": Kind("the answer is about another order", "place"),
    "stale_quotes": Kind("the market's streams stay open and say nothing", lasts=True),
    "lost_depth": Kind("a change of the book is left out of the market's streams"),
    "bad_rows": Kind(
        "what cannot be true stands before each trade and top of the market's streams", lasts=True
    ),
    "slow": Kind(
        "it takes so long, before it is done or after",
        "any",
        lasts=True,
        params={"ms": 1_000, "when": AFTER},
    ),
}
