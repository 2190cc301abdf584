"""An order that waits in a rehearsal, and the bar that fills it."""

import msgspec

from schema.market import Bar
from schema.trading import OrderIntent


class Resting(msgspec.Struct, frozen=True):
    """A limit or a stop that waits."""

    intent: OrderIntent
    at_ns: int

    def fill_px(self, bar: Bar) -> int:
        """Return the price at which a bar fills it; 0: it does not."""
        intent, buys = self.intent, self.intent.side == "buy"
        if bar.open_ns < self.at_ns or bar.symbol != intent.symbol:
            return 0
        if intent.stop_px:
            px = intent.stop_px
            hit = bar.high >= px if buys else bar.low <= px
            return (max if buys else min)(px, bar.open) if hit else 0
        px = intent.limit_px
        hit = bar.low <= px if buys else bar.high >= px
        return (min if buys else max)(px, bar.open) if hit else 0
