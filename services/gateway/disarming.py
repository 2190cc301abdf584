"""How the permission to trade real money ends: in time, by a person, or with the clock.

A clock that shows less than it did was set, and how long the permission has lasted is then not
known: it is over. What rests to open a position is cancelled with it.
"""

from schema.lifecycle import State
from schema.orders import LiveDisarmed
from schema.units import SECOND_NS
from services.gateway import cancels
from services.gateway.arming import EXPIRED, UNARMED, is_armed, latest_ns
from services.gateway.turn import Turn

OWN = "gateway"
BACK_MAX_NS = 2 * SECOND_NS
"""What a clock may go back by that is only kept in time."""


def settle(turn: Turn) -> None:
    """End a permission whose time is over, and let nothing wait in the book that needs one."""
    if not turn.rules.needs_arm:
        return
    until_ns, seen_ns = turn.books.arm.until_ns, _seen_ns(turn)
    if until_ns and seen_ns - turn.now_ns > BACK_MAX_NS:
        back_s = (seen_ns - turn.now_ns) // SECOND_NS
        disarm(turn, OWN, f"the clock was set back by {back_s} s, its time is not known any more")
    elif until_ns and (turn.due(until_ns) or latest_ns(turn) >= until_ns):
        disarm(turn, OWN, EXPIRED)
    turn.windows.seen_ns = max(turn.now_ns, _seen_ns(turn)) if is_armed(turn) else 0
    if not turn.books.arm.until_ns:
        _leave_no_entry(turn)


def disarm(turn: Turn, by: str, why: str) -> None:
    """Say that the permission is over, and have the edge know it before all else."""
    turn.say(LiveDisarmed(ts_event=turn.now_ns, by=by, reason=why))
    turn.tell_level()


def _leave_no_entry(turn: Turn) -> None:
    for order in turn.books.open.values():
        if order.intent.leg in cancels.ENTRIES and order.place.state is not State.PENDING_CANCEL:
            cancels.wish(turn, order, UNARMED)


def _seen_ns(turn: Turn) -> int:
    return max(turn.windows.seen_ns, turn.books.arm.seen_ns)
