"""The way of one order, from the tick that it began with to the cash that it moved.

Each step names by `cause` the position of the one before it, so the way up is a few reads by
position; only what became of the order is looked for, by its id, in the journal of the gateway.
"""

from collections.abc import Iterator

import msgspec

from bus.house import House
from schema import lifecycle, market, orders, trading
from schema.head import Cause, Message
from schema.identity import MANUAL, client_order_id
from schema.market import Bar, Trade
from schema.orders import OrderDenied, OrderSubmitted
from schema.streams import BY_NUMBER, STREAMS
from schema.trading import Decision, OrderIntent, Verdict
from services.rrr.books import Row, known_rows
from services.rrr.ears import Seen
from services.rrr.said import said_at, said_before, said_from, said_with

ORDER, INTENT, VERDICT, TRADE = "gateway.order", "engine.intent", "risk.verdict", "ingest.trade"
UP_MAX = 8
NEAR = 32
BACK_MAX = 5000
"""How many positions before an order its decision may stand: it may have waited for a cancel."""

LEGS_MAX = 16
MINUTE_WALL_NS = 75_000_000_000
"""The last trade of a bar was said at most a minute, and what it waits, before it."""

LEGS = """
SELECT client_order_id, leg, side, order_type, status, qty, filled_qty, limit_price, stop_price,
    reason, parent, created, updated FROM orders
WHERE client_order_id IN (SELECT client_order_id FROM trading.orders WHERE parent = ?)
    OR client_order_id IN ({ids}) ORDER BY created, client_order_id
"""
CASH = """
SELECT entry, kind, asset, amount FROM ledger
WHERE account = 'trading' AND entry IN ({entries}) ORDER BY time, entry, kind DESC
"""


class Chain(msgspec.Struct):
    """All that is known of one order, in the order that it happened."""

    order_id: str
    state: str = lifecycle.State.INITIALIZED.value
    intent: OrderIntent | None = None
    steps: list[Seen] = []
    legs: list[Row] = []
    cash: list[Row] = []
    missing: list[str] = []


def chain_of(house: House, order_id: str) -> Chain:
    """Return the way of an order; its steps are empty when no journal knows it."""
    chain = Chain(order_id)
    events = list(reversed(list(events_of(house, order_id))))
    verdict = _verdict(house, order_id, events)
    wish = _intent(house, order_id, events, verdict)
    decided = _decision(house, order_id, wish) if wish is not None else None
    led = above(house, decided or wish, chain.missing) if wish is not None else []
    middle = [decided, *_waited_for(house, decided, wish), wish, verdict]
    chain.steps = [*led, *(seen for seen in middle if seen is not None), *events]
    if wish is not None and isinstance(wish.message, OrderIntent):
        chain.intent = wish.message
    _note_gaps(chain, decided, wish, verdict)
    chain.state = _state(chain.intent, events)
    chain.legs = _legs(house, chain, decided)
    chain.cash = _cash(house, chain, events)
    return chain


def events_of(house: House, order_id: str) -> Iterator[Seen]:
    """Yield what the gateway said of the order, newest first, back to its first word."""
    for seen in said_with(house.journal_dir, ORDER, order_id):
        if getattr(seen.message, "client_order_id", "") != order_id:
            continue
        if type(seen.message) in lifecycle.EVENTS:
            yield seen
        if isinstance(seen.message, OrderSubmitted | OrderDenied):
            return


def _verdict(house: House, order_id: str, events: list[Seen]) -> Seen | None:
    first = events[0] if events else None
    cause = first.message.cause if first is not None else (0, 0)
    found = _named(house, VERDICT, cause, Verdict, order_id)
    if found is None and first is not None and isinstance(first.message, OrderSubmitted):
        # The gateway's own verdict stands nowhere else.
        return Seen(ORDER, first.pos, first.ts_ns, first.message.verdict)
    return found


def _intent(house: House, order_id: str, events: list[Seen], verdict: Seen | None) -> Seen | None:
    causes = [seen.message.cause for seen in (verdict, *events[:1]) if seen is not None]
    ours = STREAMS[INTENT].number
    cause = next((cause for cause in causes if cause[0] == ours), (0, 0))
    found = _named(house, INTENT, cause, OrderIntent, order_id)
    first = events[0] if events else None
    if found is None and first is not None and isinstance(first.message, OrderSubmitted):
        return Seen(ORDER, first.pos, first.ts_ns, first.message.intent)
    return found


def _named(
    house: House, name: str, cause: Cause, kind: type[Message], order_id: str
) -> Seen | None:
    """Return the message of a kind about the order: where the cause says, else by its id."""
    if cause[0] == STREAMS[name].number:
        seen = said_at(house.journal_dir, *cause)
        if seen is not None and _is_about(seen.message, kind, order_id):
            return seen
    found = said_with(house.journal_dir, name, order_id)
    return next((seen for seen in found if _is_about(seen.message, kind, order_id)), None)


def _is_about(message: Message, kind: type[Message], order_id: str) -> bool:
    return isinstance(message, kind) and getattr(message, "client_order_id", "") == order_id


def _decision(house: House, order_id: str, wish: Seen) -> Seen | None:
    """Return the decision behind an order: said in its turn, or before what it had to wait for."""
    if wish.stream != INTENT:
        return None
    around = said_from(house.journal_dir, INTENT, wish.pos - BACK_MAX, wish.pos + NEAR)
    acting = [seen for seen in around if _acts(seen.message, wish.message)]
    proven = [seen for seen in acting if _led_to(house, seen.message, order_id)]
    same = [seen for seen in acting if _same_moment(seen.message, wish.message)]
    word = (
        "exit" if isinstance(wish.message, OrderIntent) and wish.message.leg == "exit" else "enter"
    )
    fitting = [seen for seen in proven if getattr(seen.message, "action", "") == word]
    found = fitting or proven or same
    before = [seen for seen in found if seen.pos <= wish.pos] or found
    return before[-1] if before else None


def _acts(decided: Message, wish: Message) -> bool:
    return (
        isinstance(decided, Decision)
        and isinstance(wish, OrderIntent)
        and decided.action in {"enter", "exit"}
        and (decided.strategy, decided.symbol) == (wish.strategy, wish.symbol)
    )


def _led_to(house: House, decided: Message, order_id: str) -> bool:
    # The id of an order is made of the moment of its decision, so it proves where it came from.
    assert isinstance(decided, Decision)
    return order_id == decided.client_order_id or order_id in _made(house, decided)


def _made(house: House, decided: Decision) -> list[str]:
    """Return the ids of the orders that a decision may lead to."""
    if not decided.moment:
        return []
    about = (house.world, decided.strategy, decided.symbol, decided.moment)
    return [client_order_id(*about, leg) for leg in range(LEGS_MAX)]


def _same_moment(decided: Message, wish: Message) -> bool:
    return (decided.cause, decided.ts_event) == (wish.cause, wish.ts_event)


def _waited_for(house: House, decided: Seen | None, wish: Seen | None) -> list[Seen]:
    """Return what came between a decision and its order: a fill, or the end of another order."""
    if decided is None or wish is None or wish.message.cause in {(0, 0), decided.message.cause}:
        return []
    seen = said_at(house.journal_dir, *wish.message.cause)
    return [seen] if seen is not None else []


def above(house: House, seen: Seen, missing: list[str]) -> list[Seen]:
    """Return what led to a step, oldest first, back to the fill of another order or a tick."""
    found: list[Seen] = []
    while seen.message.cause != (0, 0) and len(found) < UP_MAX:
        number, pos = seen.message.cause
        before = said_at(house.journal_dir, number, pos)
        if before is None:
            known = BY_NUMBER.get(number)
            missing.append(f"{known.name if known else number} {pos} is no longer kept")
            break
        found.insert(0, before)
        seen = before
        if isinstance(seen.message, orders.Fill):
            break  # Another order begins here; it has a way of its own.
    if isinstance(seen.message, Bar):
        found[:0] = _last_trade(house, seen, missing)
    return found


def _last_trade(house: House, bar: Seen, missing: list[str]) -> list[Seen]:
    trace = bar.message.trace
    needle, oldest_ns = msgspec.msgpack.encode(trace), bar.ts_ns - MINUTE_WALL_NS
    found = said_before(house.journal_dir, TRADE, needle, bar.ts_ns, oldest_ns)
    for seen in found:
        if isinstance(seen.message, Trade) and seen.message.trace == trace:
            return [seen]
    assert isinstance(bar.message, market.Bar)
    fetched = bar.message.source != "trades"
    missing.append(
        "no trade: the bar was fetched whole, afterwards"
        if fetched
        else "the last trade of the bar is no longer kept"
    )
    return []


def _note_gaps(chain: Chain, decided: Seen | None, wish: Seen | None, verdict: Seen | None) -> None:
    if wish is None or not chain.steps:
        chain.missing.append("no strategy of this house asked for it, or that is no longer kept")
        return
    by_hand = chain.intent is not None and chain.intent.strategy == MANUAL
    if by_hand:
        chain.missing.append("a person asked for it, by hand")
    elif decided is None:
        chain.missing.append("no decision names it: it protects or closes what another one began")
    if not by_hand and (decided or wish).message.cause == (0, 0):
        chain.missing.append("a timer began it, and no market data")
    if verdict is None:
        chain.missing.append("risk has not said anything of it yet")


def _state(wish: OrderIntent | None, events: list[Seen]) -> str:
    place = lifecycle.Place()
    for seen in events:
        m = seen.message
        complete = isinstance(m, orders.Fill) and wish is not None and m.cum_qty >= wish.qty
        place = lifecycle.step(place, type(m), complete=complete).place
    return place.state.value


def _legs(house: House, chain: Chain, decided: Seen | None) -> list[Row]:
    """Return the other orders of the same decision, and those that protect this one."""
    ids: list[str] = (
        [chain.intent.parent] if chain.intent is not None and chain.intent.parent else []
    )
    if decided is not None and isinstance(decided.message, trading.Decision):
        ids += _made(house, decided.message)
    marks = ", ".join("?" for _ in ids)
    rows = known_rows(house, LEGS.format(ids=marks), (chain.order_id, *ids))
    return [row for row in rows if row["client_order_id"] != chain.order_id]


def _cash(house: House, chain: Chain, events: list[Seen]) -> list[Row]:
    fills = [seen.message for seen in events if isinstance(seen.message, orders.Fill)]
    if not fills:
        return []
    entries = tuple(f"fill:{fill.symbol}:{fill.venue_trade_id}" for fill in fills)
    rows = known_rows(house, CASH.format(entries=", ".join("?" for _ in entries)), entries)
    booked = {row["entry"] for row in rows}
    late = [entry for entry in entries if entry not in booked]
    if late:
        chain.missing.append(f"the ledger does not hold {' '.join(late)} yet")
    return rows
