"""Planted bugs of places and times: orders that replace others, and orders that are to run out.

Each docstring names where such a bug was met, or what it comes from: HB is Hummingbot.
"""

from typing import Any

from schema.joined import SendReplace
from schema.orders import OrderCancelRejected
from services.gateway.books import find
from services.gateway.join import submit
from services.gateway.steps import reject, tell
from tests.sim.planting import plant


@plant("services.risk.orders:_respare")
def a_replacement_counts_nothing(_original: Any, _books: Any, _client_order_id: str) -> None:
    """Let what it replaces count for an order, even when that has ended."""


@plant("services.gateway.replaces:settle")
def a_replaced_order_is_forgotten(_original: Any, _turn: Any) -> None:
    """Ask only for the new one of two; HB #7662: the old one is being cancelled for ever."""


@plant("services.gateway.hearing:hear_nothing")
def a_lost_replacement_is_sent_again(original: Any, turn: Any, silence: Any) -> None:
    """Repeat a replacement that was not answered; ccxt #7411: orders again."""
    kind, _, order_id = silence.effect_id.partition(" ")
    order = turn.books.open.get(order_id)
    original(turn, silence)
    if kind == "replace" and order is not None:
        late = order.signed_ms + 60_000
        again = {"intent": order.intent, "signed_ms": late, "deadline_wall_ms": late}
        old = order.intent.replaces
        turn.do(SendReplace(effect_id=silence.effect_id, replaced=old, **again))


@plant("services.gateway.hearing:hear_nothing")
def a_lost_replacement_has_failed(original: Any, turn: Any, silence: Any) -> None:
    """Take one without an answer for one that was not done; HB #493, of single orders."""
    kind, _, order_id = silence.effect_id.partition(" ")
    order = find(turn.books, order_id)
    if kind == "replace" and order is not None and order.place.state == "SUBMITTED":
        reject(turn, order, "TIMEOUT", silence.reason)
    else:
        original(turn, silence)


@plant("services.gateway.replaces:_is_late")
def an_old_order_stays_while_it_may_still_go(_original: Any, *_args: Any) -> bool:
    """Believe that nothing comes any more as soon as the old order is seen open."""
    return True


@plant("services.gateway.replaces:take_canceled")
def a_replaced_order_is_open_again(_original: Any, turn: Any, done: Any) -> None:
    """Take the new order from an answer, and the old one for what it was before."""
    order = turn.books.open.get(done.canceled.client_order_id)
    if order is not None:
        tell(turn, order, OrderCancelRejected, code="0", detail="it is not looked at")


@plant("services.gateway.join:submit_replace")
def a_replacement_is_no_cancel(_original: Any, turn: Any, intent: Any, verdict: Any) -> None:
    """Send the new order alone, beside the one whose place it takes: two stops rest."""
    submit(turn, intent, verdict)


@plant("services.gateway.cancels:is_expired")
def an_order_outlives_its_time(_original: Any, _turn: Any, _order: Any) -> bool:
    """Leave it to the exchange to end an order: it knows no such time."""
    return False
