"""Long while two means of closes agree with the hour, behind a stop that only rises."""

from services.engine.strategy import Bar, Fill, Params, State, Strategy, Target, View


class Trend(Strategy):
    """Long while the fast mean is above the slow one; out two ATR below the best close.

    Idea: a market that rises on two scales often goes on for a while. It suits long, one-sided
    moves. It loses in a market without direction, a little at every false start and the fees with
    it; after a jump downwards the stop sells lower than where it stood.
    """

    timeframe, warmup, also = "5m", 200, {"1h": 100}

    class Params(Params):
        fast: int = 10  # 5..50
        slow: int = 30  # 20..200
        atrs: float = 2.0  # 0.5..10, live
        weight: float = 0.2  # 0.01..1, live

        def __post_init__(self) -> None:
            if self.fast >= self.slow:
                raise ValueError(f"fast is {self.fast}: expected below slow, {self.slow}")

    class State(State):
        stop: float = 0.0  # of the position that is open; it never falls
        out: bool = False  # the stop ended this trend: it is not bought again

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Follow the trend, unless its stop has already ended it."""
        fast, slow = view.close[-self.params.fast :].mean(), view.close[-self.params.slow :].mean()
        self.note(fast=fast, slow=slow)
        if fast < slow:
            self.state.stop, self.state.out = 0.0, False
            return Target.flat("cross_down")
        if self.state.out:
            return Target.keep("stopped_out")
        if not view.position:
            self.state.stop = 0.0
            if bar.close < view["1h"].close.mean():
                return Target.keep("against_the_hour")
        return self._trail(bar, view)

    def _trail(self, bar: Bar, view: View) -> Target:
        distance = self.params.atrs * view.atr(14)
        if not 0 < distance < bar.close:  # A nan is neither.
            return Target.keep("no_range")
        self.state.stop = max(self.state.stop, bar.close - distance)
        self.note(stop=self.state.stop)
        if view.price <= self.state.stop:
            return Target.flat("below_stop")
        return Target.weight(self.params.weight, stop=self.state.stop, why="cross_up")

    def on_fill(self, fill: Fill, view: View) -> Target | None:
        """Remember that the stop ended this trend."""
        if fill.leg == "stop":
            self.state.out = True
        return None
