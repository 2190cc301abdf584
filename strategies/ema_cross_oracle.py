"""An exponential cross that is always in the market: a published oracle of orders and cash."""

from services.engine.strategy import Bar, Params, Strategy, Target, View


class EmaCrossOracle(Strategy):
    """Long while the fast mean is at least the slow one, else short; one fixed quantity.

    Idea: as plain as a strategy can be, so that whoever else counts the same orders and the same
    cash must agree to the last digit. It suits tests. It loses wherever there is no long trend:
    it reverses at every crossing and pays for two orders each time.
    """

    timeframe, warmup = "1m", 20

    class Params(Params):
        fast: int = 10  # 1..200
        slow: int = 20  # 2..500
        qty: float = 0.01  # 0.00000001..1000

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Take a side at every bar that moved; the means follow the others too."""
        fast, slow = view.ema(self.params.fast), view.ema(self.params.slow)
        self.note(fast=fast, slow=slow)
        if bar.open == bar.high == bar.low == bar.close:
            return None
        if fast >= slow:
            return Target.qty(self.params.qty, why="fast_above")
        return Target.qty(-self.params.qty, why="fast_below")
