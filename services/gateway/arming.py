"""Live trading by permission: a person arms it for some days, and it ends by itself.

What the permission is about is risk alone: reductions, stops and cancels never ask for it. No clock
makes it last longer: the later of our clock and the exchange's counts.
"""

from schema.units import MS_NS
from services.gateway import arming_conditions
from services.gateway.times import exchange_ms
from services.gateway.turn import Turn

UNARMED = "live trading is not armed"
EXPIRED = "its time is over"
COMMAND = "rrr live arm"


def is_armed(turn: Turn) -> bool:
    """Return whether a person's permission holds now."""
    arm = turn.books.arm
    return arm.account == turn.rules.account and latest_ns(turn) < arm.until_ns


def hindrance(turn: Turn) -> str:
    """Return why nothing that adds risk may leave for real money; empty when it may."""
    if not turn.rules.needs_arm:
        return ""
    if not is_armed(turn):
        return f"{UNARMED}: {COMMAND}"
    failing = [one for one in arming_conditions.lasting(turn) if one.fails]
    return f"{failing[0].name}: {failing[0].text}; {failing[0].todo}" if failing else ""


def latest_ns(turn: Turn) -> int:
    """Return the later of what our clock and the exchange's show."""
    theirs_ms = exchange_ms(turn.windows, turn.now_ns) or 0
    return max(turn.now_ns, theirs_ms * MS_NS)
