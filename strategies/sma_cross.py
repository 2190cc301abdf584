"""The cross of two plain means on daily bars: a published oracle of a backtest's figures."""

from services.engine.strategy import Bar, Params, Strategy, Target, View


class SmaCross(Strategy):
    """All in when the fast mean crosses above the slow one, all short when it crosses below.

    Idea: the example that most tools begin with, kept because its figures are published. It suits
    markets that trend for months. It loses in every other one, with the whole budget each time
    and without a stop: nothing to trade with.
    """

    timeframe, warmup = "1d", 31

    class Params(Params):
        fast: int = 10  # 2..30
        slow: int = 30  # 3..30

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Turn at a crossing; say nothing between two of them."""
        fast, fast_before = _means(view, self.params.fast)
        slow, slow_before = _means(view, self.params.slow)
        self.note(fast=fast, slow=slow)
        if fast_before < slow_before and fast > slow:
            return Target.weight(1.0, why="cross_up")
        if fast_before > slow_before and fast < slow:
            return Target.weight(-1.0, why="cross_down")
        return None


def _means(view: View, bars: int) -> tuple[float, float]:
    close = view.close
    return float(close[-bars:].mean()), float(close[-bars - 1 : -1].mean())
