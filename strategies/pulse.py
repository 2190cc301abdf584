"""A small round trip on a timer, for proofs and drills: that the whole way to an order works."""

from services.engine.strategy import Denial, Fill, Params, State, Strategy, Target, View

SECOND_NS = 1_000_000_000
LOOK_S = 5
"""Between two looks at what is due, so that the first round trip comes soon after a start."""

RESERVE = 1.25
"""Above the smallest order that passes, so that what was bought can be sold a little lower."""


class Pulse(Strategy):
    """Buys a little as often as its timer says, and sells it a while later.

    Idea: none about the market; it shows that orders, fills and books work. It suits a drill with
    play money. It loses the fees and half the spread of every round trip, in every market.
    """

    class Params(Params):
        notional: float = 50.0  # 1..1000000, live
        every_s: int = 300  # 2..86400
        hold_s: int = 120  # 1..86400

        def __post_init__(self) -> None:
            if self.hold_s >= self.every_s:
                raise ValueError(
                    f"hold_s is {self.hold_s}: expected below every_s, {self.every_s}; "
                    "the next round trip would begin before this one ends"
                )

    class State(State):
        last_ns: int = 0  # when it entered last, or was denied

    @property
    def every_s(self) -> int:  # type: ignore[override]
        """Look more often than it buys."""
        return min(LOOK_S, int(self.params.every_s))

    def on_timer(self, now: int, view: View) -> Target | None:
        """Buy when it is time, unless the last round trip is still under way."""
        last_ns = self.state.last_ns
        if view.position or (last_ns and now < last_ns + self.params.every_s * SECOND_NS):
            return None
        notional = max(self.params.notional, RESERVE * view.least)
        self.note(notional=notional, price=view.price)
        expires = now + self.params.hold_s * SECOND_NS
        return Target.notional(notional, expires=expires, why="timer")

    def on_fill(self, fill: Fill, view: View) -> Target | None:
        """Count the time from what was bought, so that a target that was refused is tried again."""
        if fill.leg == "entry":
            self.state.last_ns = view.now
        return None

    def on_denied(self, denial: Denial, view: View) -> Target | None:
        """Wait until the next time after an order that was not taken."""
        if denial.leg == "entry":
            self.state.last_ns = view.now
        return None
