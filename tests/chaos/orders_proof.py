"""What must hold after a death: laws of every order at the venue, and books that are equal."""

from collections import Counter
from typing import Any

from bus.errors import UnreachableError
from schema.approval import order_hash
from schema.frame import Kind
from schema.messages import decode
from schema.orders import Fill, OrderSubmitted
from schema.streams import STREAMS
from services.venue.faults_kinds import PLACE
from services.venue.requests import Line
from tests.chaos.orders_house import TradingHouse
from tests.system.account import Account
from tests.system.journals import frames, messages

VENUE_SYMBOL = "BTCUSDT"
FLIGHT_MS = 100
"""So long a request may have been on its way when the exchange told to wait."""

PROTECT_S = 20.0
"""What the longest recovery takes, and the longest ban of an exchange."""


BANS = ("ban_418", "rate_429")


def breaches(house: TradingHouse) -> list[str]:
    """Return every law that was broken; none is."""
    # It trades on: what is at the venue is looked at first, for it was said before that.
    there, lines = Account(house.venue).orders(VENUE_SYMBOL), house.requests()
    said: list[Any] = messages(house.journal_dir(), "gateway.order")
    found = [*_of_orders(there, said), *_of_requests(house, lines), *_of_bans(lines)]
    return [*found, *_unprotected(house), *_differences(house)]


def _differences(house: TradingHouse) -> list[str]:
    """Return what the audit finds; it holds each book against the place where it stands."""
    checks = house.audit()["checks"]
    return [f"audit: {one['name']}: {one['detail']}" for one in checks if not one["ok"]]


def _unprotected(house: TradingHouse) -> list[str]:
    """Return every entry that was filled and had neither stop nor exit on its way in time."""
    stream, open_ns = STREAMS["gateway.order"], 0
    found, legs = list[str](), dict[str, str]()
    for frame in frames(house.journal_dir(), stream):
        for message in decode(stream.number, frame.body) if frame.kind == Kind.DATA else ():
            if isinstance(message, OrderSubmitted):
                legs[message.client_order_id] = message.intent.leg
            if isinstance(message, Fill) and legs.get(message.client_order_id) == "entry":
                open_ns = open_ns or frame.ts_ns
            if isinstance(message, OrderSubmitted) and message.intent.leg != "entry" and open_ns:
                gap_s = (frame.ts_ns - open_ns) / 1e9
                found += [f"unprotected for {gap_s:.1f} s"] * (gap_s > PROTECT_S)
                open_ns = 0
    return found


def _of_orders(there: list[dict[str, Any]], said: list[Any]) -> list[str]:
    count = Counter(row["clientOrderId"] for row in there)
    found = [f"{name} stands {n} times at the venue" for name, n in count.items() if n > 1]
    submitted = Counter(m.client_order_id for m in said if isinstance(m, OrderSubmitted))
    found += [f"{name} was submitted {n} times" for name, n in submitted.items() if n > 1]
    found += [f"{name} is at the venue and was never said" for name in set(count) - set(submitted)]
    fills = Counter((m.symbol, m.venue_trade_id) for m in said if isinstance(m, Fill))
    found += [f"{name} was booked {n} times" for name, n in fills.items() if n > 1]
    for message in said:
        if isinstance(message, OrderSubmitted):
            found += _of_verdict(message)
    return found


def _of_verdict(said: OrderSubmitted) -> list[str]:
    verdict = said.verdict
    if not verdict.approved:
        return [f"{said.client_order_id} was denied and left"]
    if verdict.order_hash != order_hash(said.intent):
        return [f"{said.client_order_id} left as another order than was approved"]
    return []


def _of_requests(house: TradingHouse, lines: list[Line]) -> list[str]:
    said_ms = _said_ms(house)
    sent = [line for line in lines if line.call in PLACE]
    count = Counter(line.client_id for line in sent)
    found = [f"{name} was sent {n} times" for name, n in count.items() if n > 1]
    found += [f"{name} was sent and never said" for name in count if name not in said_ms]
    return found + [
        f"{line.client_id} came {said_ms[line.client_id] - line.at_ms} ms before it was said"
        for line in sent
        if line.at_ms < said_ms.get(line.client_id, 0)
    ]


def _said_ms(house: TradingHouse) -> dict[str, int]:
    """Return when each order was written down, by the clock of the wall."""
    stream = STREAMS["gateway.order"]
    return {
        message.client_order_id: frame.ts_ns // 1_000_000
        for frame in frames(house.journal_dir(), stream)
        if frame.kind == Kind.DATA
        for message in decode(stream.number, frame.body)
        if isinstance(message, OrderSubmitted)
    }


def _of_bans(lines: list[Line]) -> list[str]:
    """Return the signed requests that came although their sender had been told to wait."""
    found, told_ms = [], 0
    for line in lines:
        if line.fault in BANS and line.signed:
            told_ms = line.done_ms
        late_ms = line.at_ms - told_ms
        if line.fault.startswith("during") and line.signed and told_ms and late_ms > FLIGHT_MS:
            found.append(f"{line.call} came {late_ms} ms after {line.fault} began")
    return found


def unsettled(house: TradingHouse) -> str:
    """Return what is not at rest yet after a death; empty once all is."""
    try:
        if not house.ready():
            return "not all are READY"
        if house.counter("gateway", "unconfirmed"):
            return "an order is UNCONFIRMED"
        if house.counter("gateway", "level"):
            return "the gateway stands at another level than ACTIVE"
    except UnreachableError as error:
        return str(error)
    return ""
