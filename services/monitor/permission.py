"""Until when a person lets orders leave for real money, as `gateway.order` tells it.

Times are the wall's, which is the market's where money is real.
"""

from schema.head import Message
from schema.orders import AccountSnapshot, LiveArmed, LiveDisarmed
from schema.units import MINUTE_NS, iso
from services.monitor.conditions import Condition

AHEAD_NS = 120 * MINUTE_NS
"""How long before its end somebody is told, so that it can be armed anew in time."""

HOUSE = "house"


class Permission:
    """What was last said of it; `needed`: whether this house trades real money at all."""

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._until_ns = 0
        self._why = "nobody has armed it yet"

    def take(self, message: Message) -> None:
        """Take in one message of the gateway's."""
        match message:
            case LiveArmed(until_ns=until_ns):
                self._until_ns, self._why = until_ns, "its time is over"
            case LiveDisarmed(by=by, reason=reason):
                self._until_ns, self._why = 0, f"by {by}: {reason}"
            case AccountSnapshot(armed_until_ns=until_ns):
                self._until_ns = until_ns
                if until_ns:  # Whoever said so may not be retained any more.
                    self._why = "its time is over"

    def conditions(self, now_ns: int) -> list[Condition]:
        """Return whether it is missing, or ends soon."""
        if not self._needed:
            return []
        if self._until_ns <= now_ns:
            why = f"only what reduces risk leaves, {self._why}: rrr live arm"
            return [Condition("LiveNotArmed", HOUSE, "warning", why)]
        if self._until_ns - now_ns > AHEAD_NS:
            return []
        why = f"live trading is armed until {iso(self._until_ns)}, then only reductions leave"
        return [Condition("LiveArmEnds", HOUSE, "warning", f"{why}: rrr live arm")]
