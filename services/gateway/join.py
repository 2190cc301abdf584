"""Intent and verdict, in whichever order they come: joined, held against the gate, answered once.

An order leaves only with risk's approval of its exact hash. While risk is silent an order that
shrinks the worst case leaves with an approval of the gateway's own, and nothing else does. Two
orders that name each other leave as one request in one turn, or neither of them does; so do the
cancel of an order and the one that takes its place.
"""

from collections.abc import Sequence

from schema.approval import order_hash
from schema.exchange import SendOrder
from schema.instruments import Denial
from schema.joined import SendPair, SendReplace
from schema.orders import OrderPendingCancel, OrderSubmitted
from schema.trading import OrderIntent, Verdict
from services.gateway.denials import deny, forget
from services.gateway.gate import pair_gate
from services.gateway.obstacles import approval, obstacle
from services.gateway.steps import tell
from services.gateway.times import exchange_ms, span_ms, wall_ms
from services.gateway.turn import Rules, Turn

OWN = "gateway"


def hear_intent(turn: Turn, intent: OrderIntent) -> None:
    """Take an order that the engine wants."""
    order_id = intent.client_order_id
    if order_id in turn.books.ids:
        deny(turn, order_id, intent, Denial("DUPLICATE_ORDER", "its id was answered before"))
    elif order_id in turn.windows.intents:
        turn.windows.strays += 1  # What is said twice is one order, and gets its one answer.
    else:
        turn.windows.intents[order_id] = intent


def hear_verdict(turn: Turn, verdict: Verdict) -> None:
    """Take what risk says of an order."""
    order_id = verdict.client_order_id
    if order_id in turn.books.ids or order_id in turn.windows.verdicts:
        turn.windows.strays += 1  # An id is answered once; its order has had that answer.
    else:
        turn.windows.verdicts[order_id] = verdict


def withdraw(turn: Turn, order_id: str) -> bool:
    """Deny an order that is cancelled before it was sent; False when none is waiting."""
    intent = turn.windows.intents.get(order_id)
    if intent is not None:
        deny(turn, order_id, intent, Denial("COMMAND_EXPIRED", "cancelled before it was sent"))
    return intent is not None


def settle(turn: Turn) -> None:
    """Answer every intent and every verdict whose answer is known by now."""
    windows = turn.windows
    for order_id in [*windows.intents, *windows.verdicts]:
        intent, verdict = windows.intents.get(order_id), windows.verdicts.get(order_id)
        if intent is not None and intent.oco:
            _settle_leg(turn, intent, verdict)
        elif intent is not None and verdict is not None:
            _decide(turn, intent, verdict)
        elif intent is not None:
            _await_verdict(turn, intent)
        elif verdict is not None:
            _await_intent(turn, verdict)


def _await_verdict(turn: Turn, intent: OrderIntent) -> None:
    if not _is_unanswered(turn, intent) and turn.windows.risk:
        _decide(turn, intent, None)


def _is_unanswered(turn: Turn, intent: OrderIntent) -> bool:
    """Deny an order whose verdict did not come in its time; False while it still may."""
    if not turn.due(valid_until_ns(turn.rules, intent) + 1):
        return False
    denial = Denial("COMMAND_EXPIRED", "no verdict came while it was wanted")
    deny(turn, intent.client_order_id, intent, denial)
    return True


def _await_intent(turn: Turn, verdict: Verdict) -> None:
    if turn.due(verdict.expires_ns + 1):
        code = "COMMAND_EXPIRED" if verdict.approved else verdict.code
        denial = Denial(code, "the order that it is about never came")
        deny(turn, verdict.client_order_id, None, denial, symbol=verdict.symbol)


def _decide(turn: Turn, intent: OrderIntent, verdict: Verdict | None) -> None:
    if _is_refused(turn, intent, verdict):
        return
    denial = obstacle(turn, intent)
    if denial is not None:
        deny(turn, intent.client_order_id, intent, denial)
    else:
        send = submit_replace if intent.replaces else submit
        send(turn, intent, verdict or _for_silence(turn, intent))


def _is_refused(turn: Turn, intent: OrderIntent, verdict: Verdict | None) -> bool:
    """Deny an order that its verdict does not let go; without one it is not refused."""
    order_id = intent.client_order_id
    if verdict is None:
        return False
    if not verdict.approved:
        deny(turn, order_id, intent, Denial(verdict.code, verdict.detail), by="risk")
        return True
    denial = approval(turn, intent, verdict, valid_until_ns(turn.rules, intent))
    if denial is not None:
        deny(turn, order_id, intent, denial)
    return denial is not None


def _settle_leg(turn: Turn, intent: OrderIntent, verdict: Verdict | None) -> None:
    order_id, other = intent.client_order_id, turn.windows.intents.get(intent.oco)
    if other is not None and other.oco != order_id:
        detail = f"{intent.oco} does not name it as the other of its pair"
        deny(turn, order_id, intent, Denial("VALIDATION_FAILED", detail))
    elif other is not None:
        _settle_pair(turn, *_in_order(intent, other))
    elif intent.oco in turn.books.ids or turn.due(valid_until_ns(turn.rules, intent) + 1):
        denial = Denial("CONTINGENT_DENIED", f"{intent.oco}, the other of its pair, does not wait")
        deny(turn, order_id, intent, denial)
    else:
        _is_refused(turn, intent, verdict)
        _wake_at_expiry(turn, verdict)


def _in_order(one: OrderIntent, other: OrderIntent) -> tuple[OrderIntent, OrderIntent]:
    return (other, one) if one.leg == "target" else (one, other)


def _settle_pair(turn: Turn, stop: OrderIntent, target: OrderIntent) -> None:
    """Send two orders as one when nothing is in the way of either; deny both when something is."""
    legs = (stop, target)
    verdicts = [turn.windows.verdicts.get(leg.client_order_id) for leg in legs]
    for leg, verdict in zip(legs, verdicts, strict=True):
        if verdict is None and _is_unanswered(turn, leg):
            return
        if _is_refused(turn, leg, verdict):
            return
        _wake_at_expiry(turn, verdict)
    if all(verdicts) or turn.windows.risk:
        _decide_pair(turn, stop, target, verdicts)


def _wake_at_expiry(turn: Turn, verdict: Verdict | None) -> None:
    if verdict is not None:
        turn.due(verdict.expires_ns + 1)  # An approval that waits for another one ends meanwhile.


def _decide_pair(
    turn: Turn, stop: OrderIntent, target: OrderIntent, verdicts: Sequence[Verdict | None]
) -> None:
    flaw = pair_gate(turn, stop, target)
    for leg in (stop, target):
        denial = flaw or obstacle(turn, leg)
        if denial is not None:
            deny(turn, leg.client_order_id, leg, denial)
            return
    approvals = [
        verdict or _for_silence(turn, leg)
        for leg, verdict in zip((stop, target), verdicts, strict=True)
    ]
    submit_pair(turn, (stop, target), approvals)


def valid_until_ns(rules: Rules, intent: OrderIntent) -> int:
    """Return the market time after which an order is no longer wanted."""
    return intent.valid_until_ns or intent.ts_event + rules.intent_ttl_ns


def _for_silence(turn: Turn, intent: OrderIntent) -> Verdict:
    return own_verdict(turn, intent, "it reduces; risk is silent")


def own_verdict(turn: Turn, intent: OrderIntent, why: str) -> Verdict:
    """Return the gateway's own approval of an order that only reduces."""
    return Verdict(
        ts_event=turn.now_ns,
        trace=intent.trace,
        client_order_id=intent.client_order_id,
        order_hash=order_hash(intent),
        approved=True,
        code="OK",
        detail=why,
        epoch=turn.windows.epoch,
        expires_ns=valid_until_ns(turn.rules, intent),
        symbol=intent.symbol,
        by=OWN,
    )


def submit(turn: Turn, intent: OrderIntent, verdict: Verdict) -> None:
    """Say that an order is on its way, and send it: the record is synced before the first byte."""
    signed_ms, deadline_ms = _stamps(turn, intent)
    _record(turn, intent, verdict, signed_ms)
    turn.do(
        SendOrder(
            effect_id=f"send {intent.client_order_id}",
            timeout_ms=turn.rules.own.answer_ms,
            intent=intent,
            signed_ms=signed_ms,
            deadline_wall_ms=deadline_ms,
        )
    )


def submit_replace(turn: Turn, intent: OrderIntent, verdict: Verdict) -> None:
    """Say that an order gives way and that another one comes, and send both as one request."""
    signed_ms, deadline_ms = _stamps(turn, intent)
    old = turn.books.open[intent.replaces]
    tell(turn, old, OrderPendingCancel, reason=f"replaced by {intent.client_order_id}")
    _record(turn, intent, verdict, signed_ms)
    turn.do(
        SendReplace(
            effect_id=f"replace {intent.client_order_id}",
            timeout_ms=turn.rules.own.answer_ms,
            intent=intent,
            replaced=old.id,
            signed_ms=signed_ms,
            deadline_wall_ms=deadline_ms,
        )
    )


def submit_pair(
    turn: Turn, legs: tuple[OrderIntent, OrderIntent], verdicts: Sequence[Verdict]
) -> None:
    """Say that a stop and its target are on their way, and send both as one request."""
    stop, target = legs
    signed_ms, deadline_ms = _stamps(turn, *legs)
    for leg, verdict in zip(legs, verdicts, strict=True):
        _record(turn, leg, verdict, signed_ms)
    turn.do(
        SendPair(
            effect_id=f"pair {stop.client_order_id}",
            timeout_ms=turn.rules.own.answer_ms,
            stop=stop,
            target=target,
            signed_ms=signed_ms,
            deadline_wall_ms=deadline_ms,
        )
    )


def _stamps(turn: Turn, *intents: OrderIntent) -> tuple[int, int]:
    """Return the time that a request is signed with, and by our clock the last to send it at."""
    signed_ms = exchange_ms(turn.windows, turn.now_ns)
    ours_ms = wall_ms(turn.windows, turn.now_ns)  # The edge holds a deadline against our clock.
    assert signed_ms is not None, "an order was let through without a clock to sign it by"
    assert ours_ms is not None, "the exchange's clock is told by ours"
    until_ns = min(valid_until_ns(turn.rules, intent) for intent in intents)
    left_ms = span_ms(turn.windows, until_ns - turn.now_ns)
    return signed_ms, ours_ms + max(0, min(turn.rules.own.recv_window_ms, left_ms))


def _record(turn: Turn, intent: OrderIntent, verdict: Verdict, signed_ms: int) -> None:
    forget(turn, intent.client_order_id)
    turn.say(
        OrderSubmitted(
            ts_event=turn.now_ns,
            trace=intent.trace,
            client_order_id=intent.client_order_id,
            intent=intent,
            verdict=verdict,
            signed_ms=signed_ms,
            symbol=intent.symbol,
        )
    )
