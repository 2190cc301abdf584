"""Orders that leave two by one request: a pair of which one is done, or one in another's place."""

from schema.exchange import OrderReport, VenueTrade
from schema.head import Effect, Local
from schema.trading import OrderIntent


class SendPair(Effect, tag=328, frozen=True, kw_only=True):
    """Sends two orders as one request, of which one alone will be done (OCO).

    `effect_id` is "pair <client order id of the stop>". Its answer is PairPlaced, PairRefused,
    PairNotSent or Unanswered: what holds of one of the two holds of the other.
    """

    stop: OrderIntent
    target: OrderIntent
    signed_ms: int  # wall time that the request is signed with, as journaled
    deadline_wall_ms: int


class PairPlaced(Local, tag=329, frozen=True, kw_only=True):
    """The exchange took both orders; each as it stands then."""

    effect_id: str
    reports: tuple[OrderReport, ...]
    trades: tuple[VenueTrade, ...] = ()


class PairRefused(Local, tag=330, frozen=True, kw_only=True):
    """The exchange proved that it took neither."""

    effect_id: str
    client_order_ids: tuple[str, ...]
    symbol: str
    code: int
    text: str


class PairNotSent(Local, tag=331, frozen=True, kw_only=True):
    """The edge refused in the line before the call: not a byte has left."""

    effect_id: str
    client_order_ids: tuple[str, ...]
    symbol: str
    reason: str


class SendReplace(Effect, tag=335, frozen=True, kw_only=True):
    """Cancels one order and sends another in its place, as one request.

    `effect_id` is "replace <client order id of the new one>". The exchange takes the new one only
    when the old one had not traded and was cancelled; else it does neither. Its answer is
    ReplaceDone, ReplaceRefused, OrderNotSent or Unanswered: then both fates are open.
    """

    intent: OrderIntent
    replaced: str  # client order id
    signed_ms: int  # wall time that the request is signed with, as journaled
    deadline_wall_ms: int


class ReplaceDone(Local, tag=336, frozen=True, kw_only=True):
    """The exchange cancelled the old order; and the new one, where it took it, stands so."""

    effect_id: str
    canceled: OrderReport
    reports: tuple[OrderReport, ...]  # of the new one; none: the old is gone, the new was refused
    trades: tuple[VenueTrade, ...] = ()
    code: int = 0  # why the new one was refused
    text: str = ""


class ReplaceRefused(Local, tag=337, frozen=True, kw_only=True):
    """The exchange proved that it did neither: the old order is what it was, or has ended."""

    effect_id: str
    client_order_id: str
    replaced: str
    symbol: str
    code: int
    text: str
