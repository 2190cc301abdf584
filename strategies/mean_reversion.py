"""Buys a fall that is far out of the usual, and sells when the price is back at its mean."""

from services.engine.strategy import Bar, Params, State, Strategy, Target, View


class MeanReversion(Strategy):
    """Long when the close is far below its mean and the RSI agrees; out at the mean or in time.

    Idea: within a range, a fall of several deviations is more often an overreaction than news. It
    suits quiet markets that go sideways. It loses when a range breaks: then each fall is followed
    by a deeper one. So a signal is bought once, behind a stop, and given up after some bars.
    """

    timeframe, warmup = "5m", 200

    class Params(Params):
        bars: int = 40  # 10..200
        enter: float = 2.0  # 0.5..6, live
        leave: float = 0.0  # -3..3, live
        rsi: float = 30.0  # 1..60, live
        atrs: float = 3.0  # 0.5..20, live
        hold_bars: int = 48  # 1..2000, live
        weight: float = 0.2  # 0.01..1, live

        def __post_init__(self) -> None:
            if self.leave <= -self.enter:
                raise ValueError(
                    f"leave is {self.leave}: expected above {-self.enter}, where it enters"
                )

    class State(State):
        spent: bool = False  # this signal was bought; the next one begins above the mean

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Buy a signal once; sell at the mean."""
        score, rsi = view.zscore(self.params.bars), view.rsi(14)
        self.note(score=score, rsi=rsi)
        if score >= self.params.leave:
            self.state.spent = False
            return Target.flat("mean_reached")
        if view.position or self.state.spent:
            return None
        if score <= -self.params.enter and rsi <= self.params.rsi:
            return self._entry(bar, view)
        return None

    def _entry(self, bar: Bar, view: View) -> Target:
        stop = bar.close - self.params.atrs * view.atr(14)
        if not 0 < stop < view.price:  # A nan is neither.
            return Target.keep("no_room_for_a_stop")
        self.state.spent = True
        return Target.weight(
            self.params.weight,
            stop=stop,
            expires=view.in_bars(self.params.hold_bars),
            why="fell_too_far",
        )
