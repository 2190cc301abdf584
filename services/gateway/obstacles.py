"""What may be in the way of an order: its approval, its id, the house and the exchange."""

from schema.approval import order_hash
from schema.identity import is_of_house
from schema.instruments import Denial
from schema.trading import OrderIntent, Verdict
from services.gateway.arming import hindrance
from services.gateway.gate import last_gate, replace_gate
from services.gateway.position import reduces
from services.gateway.times import skewed
from services.gateway.turn import Turn


def approval(turn: Turn, intent: OrderIntent, verdict: Verdict, until_ns: int) -> Denial | None:
    """Return why an approval does not let an order go that is wanted until a market time."""
    if verdict.order_hash != order_hash(intent):
        return Denial("APPROVAL_INVALID", "the verdict is about another order of this id")
    if turn.now_ns > verdict.expires_ns:
        return Denial("COMMAND_EXPIRED", f"verdict expires_ns={verdict.expires_ns}")
    if turn.now_ns > until_ns:
        return Denial("COMMAND_EXPIRED", f"valid_until_ns={intent.valid_until_ns}")
    return None


def obstacle(turn: Turn, intent: OrderIntent) -> Denial | None:
    """Return what is in the way of an order, whatever its verdict says."""
    reducing = reduces(turn.books, intent)
    return (
        _identity(turn, intent)
        or _standing(turn, intent, reducing=reducing)
        or _connection(turn, intent, reducing=reducing)
        or replace_gate(turn, intent)
        or last_gate(turn, intent, reducing=reducing)
    )


def _identity(turn: Turn, intent: OrderIntent) -> Denial | None:
    order_id = intent.client_order_id
    if order_id in turn.books.ids:
        return Denial("DUPLICATE_ORDER", "its id was answered before")
    if not is_of_house(order_id, turn.rules.world):
        return Denial("INVALID_CLIENT_ORDER_ID", f"it is no id of {turn.rules.world}")
    if intent.expire_ns and intent.expire_ns <= turn.now_ns:
        return Denial("EXPIRE_TIME_IN_PAST", f"expire_ns={intent.expire_ns}")
    return None


def _standing(turn: Turn, intent: OrderIntent, *, reducing: bool) -> Denial | None:
    level = turn.books.level
    if not reducing and level != "ACTIVE":
        code = "TRADING_STATE_REDUCING" if level == "REDUCING" else "TRADING_HALTED"
        return Denial(code, f"level={level}: {turn.books.killed.why}")
    if not reducing and intent.symbol in turn.books.halted:
        return Denial("TRADING_HALTED", turn.books.halted[intent.symbol].why)
    if not reducing and (why := hindrance(turn)):
        return Denial("NOT_ARMED", why)
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
