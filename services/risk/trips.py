"""Round trips: from where a strategy's position in a symbol leaves nothing to where it is back.

They are a fold of `gateway.order` alone, so they come out the same whenever they are folded. What
is left of a position under a twentieth is dust: no exchange takes it. It ends the trip, and what
it brings in later belongs to that trip.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schema.head import Message
from schema.identity import tag_of
from schema.ledger import Holding, Ledger, hand_over
from schema.orders import Fill, OrderCanceled, OrderExpired, OrderRejected, OrderSubmitted
from schema.trading import STOPPED, TRAILED, OrderIntent
from schema.units import floor_scale, rescale
from services.risk.money import MONEY_EXP

DUST = 20
"""A position of less than one in so many of what it was at most is over."""

KEPT = 1_000
"""So many of the newest trips are kept of a symbol, and of those that a stop ended."""

GATEWAY = "gateway"
"""Whose orders close everything: FLATTEN does."""


class Trip(msgspec.Struct, frozen=True, array_like=True):
    """A trip that is over; money is in MONEY_EXP, and `gain` is net of all fees and funding."""

    symbol: str
    tag: str  # of the strategy
    side: str  # long | short
    opened_ns: int
    closed_ns: int
    gain: int
    paid: int  # for what was entered
    ended: str  # stop | trailing | target | exit | flatten

    @property
    def stopped(self) -> bool:
        return self.ended in {"stop", "trailing"}

    def earned_less(self, bps: int) -> bool:
        """Return whether it earned less than some hundredths of a percent of what was paid."""
        return self.gain * 10_000 < bps * self.paid


class Lane(msgspec.Struct):
    """A strategy's position in a symbol as it was last seen, and the trip under way, if any."""

    qty: int = 0
    qty_exp: int = 0
    cost: int = 0
    quote_exp: int = 0
    earned: int = 0  # that trips which are over have told, MONEY_EXP
    sign: int = 0  # of the trip under way; 0: none
    opened_ns: int = 0
    most: int = 0
    paid: int = 0  # quote_exp


class Sent(msgspec.Struct):
    """What an order is for, while it may still fill."""

    ends: str
    reduces: bool
    left: int
    qty_exp: int


class Trips(msgspec.Struct):
    """All that was traded, as trips."""

    lanes: dict[str, dict[str, Lane]] = {}  # by symbol, then by the strategy's tag
    sent: dict[str, Sent] = {}
    recent: dict[str, list[Trip]] = {}  # by symbol, the newest last
    stopped: list[Trip] = []  # in any symbol, by a stop, the newest last
    ended: list[Trip] = []  # by the last fill


class Step(msgspec.Struct, frozen=True):
    """One fill, as it moves the position of one strategy."""

    fill: Fill
    tag: str
    ended: str

    def trip(self, lane: Lane, gain: int) -> Trip:
        """Return the trip that it ends."""
        side = "long" if lane.sign > 0 else "short"
        paid = floor_scale(lane.paid, lane.quote_exp, MONEY_EXP)
        symbol, closed_ns = self.fill.symbol, self.fill.ts_event
        return Trip(symbol, self.tag, side, lane.opened_ns, closed_ns, gain, paid, self.ended)


def fold_trips(trips: Trips, ledger: Ledger, message: Message, horizon_ns: int) -> None:
    """Book what became of an order, after the ledger has; trips from before a horizon are left."""
    _FOLDS[type(message)](trips, ledger, message, horizon_ns)


def _submitted(trips: Trips, _ledger: Ledger, message: OrderSubmitted, _horizon_ns: int) -> None:
    intent = message.intent
    sent = Sent(_end_of(intent), intent.reduce_only, intent.qty, intent.qty_exp)
    trips.sent.setdefault(message.client_order_id, sent)


def _end_of(intent: OrderIntent) -> str:
    """Return what an order ends a trip by: its leg, or the stop that the engine did for it."""
    if intent.leg in {"stop", "exit"} and intent.reason == TRAILED:
        return "trailing"
    if intent.leg in {"stop", "target"}:
        return intent.leg
    if intent.strategy == GATEWAY:
        return "flatten"
    return "stop" if (intent.leg, intent.reason) == ("exit", STOPPED) else "exit"


def _over(trips: Trips, _ledger: Ledger, message: Any, _horizon_ns: int) -> None:
    trips.sent.pop(message.client_order_id, None)


def _filled(trips: Trips, ledger: Ledger, fill: Fill, horizon_ns: int) -> None:
    trips.ended = []
    tag = tag_of(fill.client_order_id)
    lanes = trips.lanes.setdefault(fill.symbol, {})
    lane, holding = lanes.setdefault(tag, Lane()), ledger.holding(fill.symbol, tag)
    if holding is None or not _fit(lane, holding):
        return  # It was booked before.
    sent = _taken(trips, fill)
    if sent is not None and sent.reduces:
        _closes_others(trips, ledger, fill, sent.ends)
    ended = sent.ends if sent is not None else "exit"
    _follow(trips, lane, holding, Step(fill, tag, ended))
    _keep(trips, horizon_ns)


def _taken(trips: Trips, fill: Fill) -> Sent | None:
    sent = trips.sent.get(fill.client_order_id)
    if sent is not None:
        sent.left -= floor_scale(fill.qty, fill.qty_exp, sent.qty_exp)
        if sent.left <= 0:
            del trips.sent[fill.client_order_id]
    return sent


def _closes_others(trips: Trips, ledger: Ledger, fill: Fill, ended: str) -> None:
    # Whoever closes the account's position closes those of its strategies, at their cost.
    tag, lanes = tag_of(fill.client_order_id), trips.lanes[fill.symbol]
    for name, lane in lanes.items():
        holding = ledger.holding(fill.symbol, name)
        if name == tag or holding is None:
            continue
        hand_over(ledger, fill, name)
        if _fit(lane, holding):
            share = _fee_of(fill, abs(lane.qty) - abs(holding.qty), holding.qty_exp)
            lanes[tag].earned -= share
            lane.earned += share
            _follow(trips, lane, holding, Step(fill, name, ended))


def _fit(lane: Lane, holding: Holding) -> bool:
    """Give a lane the decimals of its position; return whether that has moved since."""
    if lane.qty_exp != holding.qty_exp:
        lane.qty = rescale(lane.qty, lane.qty_exp, holding.qty_exp)
        lane.most = rescale(lane.most, lane.qty_exp, holding.qty_exp)
        lane.qty_exp = holding.qty_exp
    if lane.quote_exp != holding.quote_exp:
        lane.cost = rescale(lane.cost, lane.quote_exp, holding.quote_exp)
        lane.paid = rescale(lane.paid, lane.quote_exp, holding.quote_exp)
        lane.quote_exp = holding.quote_exp
    return lane.qty != holding.qty


def _follow(trips: Trips, lane: Lane, holding: Holding, step: Step) -> None:
    was, cost = lane.qty, lane.cost
    lane.qty, lane.cost = holding.qty, holding.cost
    now = lane.qty
    if abs(now) > abs(was) and now * was >= 0:
        _grow(lane, step.fill.ts_event, abs(holding.cost) - abs(cost))
    elif not lane.sign:
        _amend(trips, lane, holding, step)
    elif now * lane.sign <= 0 or abs(now) * DUST < lane.most:
        _close(trips, lane, holding, step)
    if now * was < 0:
        _grow(lane, step.fill.ts_event, abs(holding.cost))


def _grow(lane: Lane, at_ns: int, paid: int) -> None:
    if not lane.sign:
        lane.sign, lane.opened_ns, lane.paid, lane.most = 1 if lane.qty > 0 else -1, at_ns, 0, 0
    lane.most = max(lane.most, abs(lane.qty))
    lane.paid += max(0, paid)


def _close(trips: Trips, lane: Lane, holding: Holding, step: Step) -> None:
    trip = step.trip(lane, _gain(lane, holding, step))
    lane.sign = lane.most = lane.paid = 0
    trips.recent.setdefault(trip.symbol, []).append(trip)
    if trip.stopped:
        trips.stopped.append(trip)
    trips.ended.append(trip)


def _amend(trips: Trips, lane: Lane, holding: Holding, step: Step) -> None:
    # What was left of a trip that is over, as dust, is traded now.
    symbol, tag = step.fill.symbol, step.tag
    recent = trips.recent.get(symbol, [])
    last = next((trip for trip in reversed(recent) if trip.tag == tag), None)
    if last is None:
        return  # It belongs to the next one.
    whole = msgspec.structs.replace(last, gain=last.gain + _gain(lane, holding, step))
    for found in (recent, trips.stopped):
        if last in found:
            found[found.index(last)] = whole


def _gain(lane: Lane, holding: Holding, step: Step) -> int:
    """Return what was earned since the last trip; of a fill's fee what opens the next is left."""
    net = floor_scale(holding.realized_net, holding.quote_exp, MONEY_EXP)
    earned = net + _fee_of_next(lane, holding, step.fill)
    gain, lane.earned = earned - lane.earned, earned
    return gain


def _fee_of_next(lane: Lane, holding: Holding, fill: Fill) -> int:
    through = holding.qty * lane.sign < 0
    return _fee_of(fill, abs(holding.qty), holding.qty_exp) if through else 0


def _fee_of(fill: Fill, qty: int, qty_exp: int) -> int:
    """Return the part of a fee in the quote asset that a part of a fill owes."""
    if fill.fee_asset != fill.symbol.partition("/")[2]:
        return 0
    fee = floor_scale(fill.fee, fill.fee_exp, MONEY_EXP)
    return fee * qty // rescale(fill.qty, fill.qty_exp, qty_exp)


def _keep(trips: Trips, horizon_ns: int) -> None:
    for trip in trips.ended:
        _leave(trips.recent[trip.symbol], trip.closed_ns - horizon_ns)
        _leave(trips.stopped, trip.closed_ns - horizon_ns)


def _leave(found: list[Trip], before_ns: int) -> None:
    over = 0
    while over < len(found) and found[over].closed_ns <= before_ns:
        over += 1
    del found[: max(over, len(found) - KEPT)]


def newest(trips: Iterable[Trip], after_ns: int) -> list[Trip]:
    """Return the trips that ended after a time."""
    return [trip for trip in trips if trip.closed_ns > after_ns]


_FOLDS: dict[type[Message], Callable[[Trips, Ledger, Any, int], None]] = {
    OrderSubmitted: _submitted,
    Fill: _filled,
    OrderRejected: _over,
    OrderCanceled: _over,
    OrderExpired: _over,
}
FOLDED = frozenset(_FOLDS)
"""What trips are made of."""
