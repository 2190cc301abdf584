"""Intent and verdict, in whichever order they come: joined, held against the gate, answered once.

An order leaves only with risk's approval of its exact hash. While risk is silent an order that
shrinks the worst case leaves with an approval of the gateway's own, and nothing else does.
"""

from schema.approval import order_hash
from schema.exchange import SendOrder
from schema.identity import is_of_house
from schema.instruments import Denial
from schema.orders import OrderDenied, OrderSubmitted
from schema.trading import OrderIntent, Verdict
from services.gateway.gate import last_gate
from services.gateway.position import reduces
from services.gateway.times import exchange_ms, skewed, span_ms, wall_ms
from services.gateway.turn import Rules, Turn

OWN = "gateway"


def hear_intent(turn: Turn, intent: OrderIntent) -> None:
    """Take an order that the engine wants."""
    order_id = intent.client_order_id
    if order_id in turn.books.ids:
        _deny(turn, order_id, intent, Denial("DUPLICATE_ORDER", "its id was answered before"))
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
        _deny(turn, order_id, intent, Denial("COMMAND_EXPIRED", "cancelled before it was sent"))
    return intent is not None


def settle(turn: Turn) -> None:
    """Answer every intent and every verdict whose answer is known by now."""
    windows = turn.windows
    for order_id in [*windows.intents, *windows.verdicts]:
        intent, verdict = windows.intents.get(order_id), windows.verdicts.get(order_id)
        if intent is not None and verdict is not None:
            _decide(turn, intent, verdict)
        elif intent is not None:
            _await_verdict(turn, intent)
        elif verdict is not None:
            _await_intent(turn, verdict)


def _await_verdict(turn: Turn, intent: OrderIntent) -> None:
    order_id, until_ns = intent.client_order_id, valid_until_ns(turn.rules, intent)
    if turn.due(until_ns + 1):
        denial = Denial("COMMAND_EXPIRED", "no verdict came while it was wanted")
        _deny(turn, order_id, intent, denial)
    elif turn.windows.risk:
        _decide(turn, intent, None)


def _await_intent(turn: Turn, verdict: Verdict) -> None:
    if turn.due(verdict.expires_ns + 1):
        code = "COMMAND_EXPIRED" if verdict.approved else verdict.code
        denial = Denial(code, "the order that it is about never came")
        _deny(turn, verdict.client_order_id, None, denial, symbol=verdict.symbol)


def _decide(turn: Turn, intent: OrderIntent, verdict: Verdict | None) -> None:
    order_id = intent.client_order_id
    if verdict is not None and not verdict.approved:
        _deny(turn, order_id, intent, Denial(verdict.code, verdict.detail), by="risk")
        return
    denial = (verdict and _approval(turn, intent, verdict)) or _obstacle(turn, intent)
    if denial is not None:
        _deny(turn, order_id, intent, denial)
    else:
        submit(turn, intent, verdict or own_verdict(turn, intent, "it reduces; risk is silent"))


def _approval(turn: Turn, intent: OrderIntent, verdict: Verdict) -> Denial | None:
    if verdict.order_hash != order_hash(intent):
        return Denial("APPROVAL_INVALID", "the verdict is about another order of this id")
    if turn.now_ns > verdict.expires_ns:
        return Denial("COMMAND_EXPIRED", f"verdict expires_ns={verdict.expires_ns}")
    if turn.now_ns > valid_until_ns(turn.rules, intent):
        return Denial("COMMAND_EXPIRED", f"valid_until_ns={intent.valid_until_ns}")
    return None


def _obstacle(turn: Turn, intent: OrderIntent) -> Denial | None:
    reducing = reduces(turn.books, intent)
    return (
        _identity(turn, intent)
        or _standing(turn, intent, reducing=reducing)
        or _connection(turn, intent, reducing=reducing)
        or last_gate(turn, intent, reducing=reducing)
    )


def _identity(turn: Turn, intent: OrderIntent) -> Denial | None:
    order_id = intent.client_order_id
    if order_id in turn.books.ids:
        return Denial("DUPLICATE_ORDER", "its id was answered before")
    if not is_of_house(order_id, turn.rules.world):
        return Denial("INVALID_CLIENT_ORDER_ID", f"it is no id of {turn.rules.world}")
    return None


def _standing(turn: Turn, intent: OrderIntent, *, reducing: bool) -> Denial | None:
    level = turn.books.level
    if not reducing and level != "ACTIVE":
        code = "TRADING_STATE_REDUCING" if level == "REDUCING" else "TRADING_HALTED"
        return Denial(code, f"level={level}: {turn.books.killed.why}")
    if not reducing and intent.symbol in turn.books.halted:
        return Denial("TRADING_HALTED", turn.books.halted[intent.symbol].why)
    if not reducing and turn.windows.risk:
        return Denial("RISK_SILENT", turn.windows.risk)
    return None


def _connection(turn: Turn, intent: OrderIntent, *, reducing: bool) -> Denial | None:
    windows = turn.windows
    if not windows.armed:
        return Denial("NO_EXECUTION_CLIENT", "no exchange is connected in this mode")
    if windows.reconciled is None or intent.symbol not in windows.reconciled:
        return Denial("STREAM_RECONCILING", "orders and trades are being compared")
    skew = skewed(windows)
    if skew is not None and (not reducing or windows.clock is None):
        return Denial("CLOCK_SKEW", skew)
    if turn.banned():
        return Denial("RATE_LIMIT_EXCEEDED", "the exchange forbade requests for a while")
    return None


def valid_until_ns(rules: Rules, intent: OrderIntent) -> int:
    """Return the market time after which an order is no longer wanted."""
    return intent.valid_until_ns or intent.ts_event + rules.intent_ttl_ns


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
    signed_ms = exchange_ms(turn.windows, turn.now_ns)
    ours_ms = wall_ms(turn.windows, turn.now_ns)  # The edge holds a deadline against our clock.
    assert signed_ms is not None, "an order was let through without a clock to sign it by"
    assert ours_ms is not None, "the exchange's clock is told by ours"
    left_ms = span_ms(turn.windows, valid_until_ns(turn.rules, intent) - turn.now_ns)
    order_id, own = intent.client_order_id, turn.rules.own
    _forget(turn, order_id)
    turn.say(
        OrderSubmitted(
            ts_event=turn.now_ns,
            trace=intent.trace,
            client_order_id=order_id,
            intent=intent,
            verdict=verdict,
            signed_ms=signed_ms,
            symbol=intent.symbol,
        )
    )
    turn.do(
        SendOrder(
            effect_id=f"send {order_id}",
            timeout_ms=own.answer_ms,
            intent=intent,
            signed_ms=signed_ms,
            deadline_wall_ms=ours_ms + max(0, min(own.recv_window_ms, left_ms)),
        )
    )


def _deny(
    turn: Turn,
    order_id: str,
    intent: OrderIntent | None,
    denial: Denial,
    by: str = OWN,
    symbol: str = "",
) -> None:
    _forget(turn, order_id)
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


def _forget(turn: Turn, order_id: str) -> None:
    turn.windows.intents.pop(order_id, None)
    turn.windows.verdicts.pop(order_id, None)
