"""The strategy `pulse`: a small round trip on a timer, for proofs and drills."""

from typing import ClassVar

from schema.settings import PulseSettings
from schema.units import SECOND_NS
from services.engine.strategy import Strategy, Target, View

RESERVE = 1.25
"""Above the smallest order that passes, so that what was bought can be sold a little lower."""


class Pulse(Strategy):
    """Buys a little at each timer, and sells it a while later."""

    name: ClassVar[str] = "pulse"

    def __init__(self, settings: PulseSettings, symbol: str) -> None:
        super().__init__()
        self.settings = settings
        self.symbols = (symbol,)
        self.every_ns = settings.every_s * SECOND_NS

    def on_timer(self, at_ns: int, view: View) -> Target | None:
        """Buy, unless the last round trip is still under way."""
        if view.long:
            return Target.keep("the last round trip is not over")
        notional = max(float(self.settings.notional), RESERVE * view.least)
        self.note(notional=notional, price=view.price)
        until_ns = view.now_ns + self.settings.hold_s * SECOND_NS
        return Target.enter(notional, "timer", until_ns=until_ns)
