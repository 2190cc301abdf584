"""Long while the forecast says that the price will rise, sized so that its stop costs little."""

from math import isnan, sqrt

from services.engine.strategy import Forecast, Params, Strategy, Target, View

STOP_SHARE_MIN, STOP_SHARE_MAX = 0.002, 0.10
"""A stop nearer than this is hit by noise, one further off protects from nothing."""

BPS = 10_000


class Threshold(Strategy):
    """Enters at one probability of a rise; leaves below another, at the stop, or in time.

    Idea: trade what the house forecasts, risking the same share of its worth each time. It is as
    good as the forecasts: `predictor` tells how good those were. It suits markets with moves well
    above the fees. It loses when the forecasts know nothing, a little each time, and the fees.
    """

    timeframe, warmup = "1m", 240

    class Params(Params):
        enter: float = 0.53  # 0..1, live
        exit: float = 0.48  # 0..1, live
        risk_bps: int = 200  # 1..10000, live
        stop_deviations: float = 4.0  # 0.1..100, live
        hold_bars: int = 60  # 1..10080, live

        def __post_init__(self) -> None:
            if self.exit >= self.enter:
                raise ValueError(
                    f"exit is {self.exit}: expected below enter, {self.enter}; "
                    "it would sell what it has just bought"
                )

    def on_forecast(self, forecast: Forecast, view: View) -> Target | None:
        """Trade on the probability of a rise."""
        self.note(probability=forecast.probability_up, source=forecast.source, price=view.price)
        if view.position > 0:
            return self._while_long(forecast)
        return self._while_flat(forecast, view)

    def _while_long(self, forecast: Forecast) -> Target:
        self.note(exit=self.params.exit)
        if forecast.probability_up < self.params.exit:
            return Target.flat("probability below exit")
        return Target.keep("probability not below exit")

    def _while_flat(self, forecast: Forecast, view: View) -> Target:
        deviation = view.deviation(self.warmup - 1) * sqrt(forecast.horizon_ns / view.bar_ns)
        self.note(enter=self.params.enter, deviation=deviation)
        if forecast.probability_up < self.params.enter:
            return Target.keep("probability below enter")
        if isnan(deviation):
            return Target.keep("the deviation is not known yet")
        if view.equity <= 0:  # A target below zero would be a short.
            return Target.keep("nothing is left to trade with")
        return self._entry(forecast, view, deviation)

    def _entry(self, forecast: Forecast, view: View, deviation: float) -> Target:
        wide = self.params.stop_deviations * deviation
        share = min(STOP_SHARE_MAX, max(STOP_SHARE_MIN, wide))
        risked = view.equity * self.params.risk_bps / BPS
        self.note(stop_share=share, risked=risked)
        return Target.notional(
            min(view.equity, risked / share),
            stop=view.price * (1 - share),
            expires=forecast.ts_event + self.params.hold_bars * view.bar_ns,
            why="probability at least enter",
        )
