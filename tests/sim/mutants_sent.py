"""Planted bugs of sending: orders that leave twice, unapproved, late, or after the kill switch.

Each docstring names where such a bug was met: NT is NautilusTrader, HB Hummingbot, FT freqtrade.
"""

from typing import Any

from msgspec.structs import replace

from schema.approval import order_hash
from schema.exchange import SendOrder
from services.gateway.steps import reject
from tests.sim.planting import plant


@plant("services.gateway.hearing:hear_nothing")
def sent_again_when_unanswered(original: Any, turn: Any, silence: Any) -> None:
    """Repeat a create that was not answered; ccxt #7411, Catalyst #317: orders again."""
    kind, _, order_id = silence.effect_id.partition(" ")
    order = turn.books.open.get(order_id)
    original(turn, silence)
    if kind == "send" and order is not None:
        late = order.signed_ms + 60_000
        again = {"intent": order.intent, "signed_ms": late, "deadline_wall_ms": late}
        turn.do(SendOrder(effect_id=silence.effect_id, **again))


@plant("services.gateway.hearing:hear_nothing")
def a_timeout_is_a_failure(original: Any, turn: Any, silence: Any) -> None:
    """Take an order without an answer for rejected; HB #493, #3374: six dead buys filled later."""
    kind, _, order_id = silence.effect_id.partition(" ")
    order = turn.books.open.get(order_id)
    if kind == "send" and order is not None and not order.filled:
        reject(turn, order, "TIMEOUT", silence.reason)
    else:
        original(turn, silence)


@plant("services.gateway.hearing:start")
def sent_orders_die_with_their_process(original: Any, turn: Any, *args: Any, **named: Any) -> None:
    """Reject at a start what had no answer; NT #5000 drops working orders after SIGKILL."""
    waiting = [o for o in turn.books.open.values() if o.place.under == "SUBMITTED"]
    original(turn, *args, **named)
    for order in waiting:
        reject(turn, order, "LOST", "the process ended")


@plant("bus.outlet:Outlet._frames")
def sent_before_the_disk_has_it(original: Any, self: Any, number: int, messages: Any) -> Any:
    """Append without a sync; NT #4634: what a crash finds was saved once, at a graceful stop."""
    own = self._own.get(number)
    return original(self, number, messages) if own is None else own.writer.append(messages)


@plant("bus.memory:MemoryWriter._write")
def published_before_it_is_written(original: Any, self: Any, frames: Any, wall_ns: int) -> None:
    """Write after publishing; FT #4653: it went through at the exchange but not at the database."""
    before, self.behind = getattr(self, "behind", ()), frames
    original(self, before, wall_ns)


@plant("services.gateway.join:_decide")
def a_denial_is_no_hindrance(original: Any, turn: Any, intent: Any, verdict: Any) -> None:
    """Send what risk denied; NT lets a strategy bypass its risk engine by a flag."""
    original(turn, intent, verdict and replace(verdict, approved=True))


@plant("services.gateway.obstacles:approval")
def an_approval_never_expires(
    original: Any, turn: Any, intent: Any, verdict: Any, until_ns: int
) -> Any:
    """Take old verdicts; tqsdk #71: orders from before a disconnect were sent after it."""
    return original(turn, intent, replace(verdict, expires_ns=1 << 62), until_ns)


@plant("services.gateway.join:_decide")
def an_approval_names_no_price(original: Any, turn: Any, intent: Any, verdict: Any) -> None:
    """Send at another price and size than was approved: the approval is of the id alone."""
    px, qty = intent.limit_px and intent.limit_px + 1, intent.qty + 1
    other = replace(intent, limit_px=px, qty=qty)
    original(turn, other, verdict and replace(verdict, order_hash=order_hash(other)))


@plant("services.gateway.obstacles:approval")
def risk_may_be_silent(original: Any, turn: Any, intent: Any, verdict: Any, until_ns: int) -> Any:
    """Send what was approved before risk stood still, however long ago."""
    del until_ns
    turn.windows.risk = ""
    return original(turn, intent, replace(verdict, expires_ns=1 << 62), 1 << 62)


@plant("services.gateway.position:reduces")
def everything_counts_as_a_reduction(_original: Any, _books: Any, _intent: Any) -> bool:
    """Let the gateway approve all by itself; FT #4837: the stop stopped other things."""
    return True


@plant("services.gateway.gate:_limits")
def the_last_gate_has_no_limits(_original: Any, _turn: Any, _intent: Any) -> None:
    """Rely on risk alone; Knight: four million executions of 212 orders."""


@plant("services.gateway.obstacles:_standing")
def new_orders_after_a_kill(_original: Any, _turn: Any, _intent: Any, **_named: Any) -> None:
    """Check no level before sending; HB #1508, #8075: new orders after the stop."""


@plant("services.gateway.hearing:start")
def a_restart_resumes_trading(original: Any, turn: Any, *args: Any, **named: Any) -> None:
    """Keep the kill level in memory alone; HB #2534, anusambath/trading-bot #27."""
    turn.books.level = "ACTIVE"
    original(turn, *args, **named)


@plant("services.gateway.kill:set_level")
def a_kill_stands_in_no_journal(_original: Any, turn: Any, level: str, *_args: Any) -> None:
    """Set the level and say nothing; FT #4837."""
    turn.books.level = level
    turn.tell_level()


@plant("services.gateway.edge_gate:Gate.why_not")
def late_orders_leave(original: Any, self: Any, effect: Any, _deadline_ns: int) -> Any:
    """Send after the deadline, by the process that slept; tqsdk #71."""
    return original(self, replace(effect, deadline_wall_ms=1 << 50), 1 << 62)


@plant("services.gateway.edge_gate:Gate._why_no_risk")
def the_line_before_the_call_is_blind(_original: Any, _self: Any, _symbol: str) -> None:
    """Send what was approved before the kill; HB #720."""


@plant("services.gateway.edge_gate:KillFile.lies_there")
def the_kill_file_is_read_too_late(_original: Any, _self: Any) -> bool:
    """Look for the file between turns alone; HB #1866."""
    return False


@plant("services.gateway.flatten:_is_open")
def flatten_closes_nothing(_original: Any, _turn: Any, _symbol: str) -> bool:
    """Say that all is closed; HB #1145: the switch fires, and the position stays."""
    return False


@plant("services.gateway.hearing:start")
def retry_after_is_forgotten(original: Any, turn: Any, *args: Any, **named: Any) -> None:
    """Ask at once after a restart within a ban; FT #12441: 429 becomes 418."""
    turn.books.retry_after_ns = 0
    original(turn, *args, **named)


@plant("services.gateway.turn:Turn.banned")
def a_ban_is_no_hindrance(_original: Any, _self: Any) -> bool:
    """Ask on within a ban; FT #7187, OctoBot #2108."""
    return False
