"""The strategy `threshold`: long while the forecast says up, sized so that a stop costs little."""

from typing import ClassVar

from schema.forecast import Forecast
from schema.settings import TIMEFRAMES_NS, ThresholdSettings
from services.engine.strategy import DEVIATION_BARS_MIN, Strategy, Target, View

STOP_SHARE_MIN, STOP_SHARE_MAX = 0.002, 0.10
"""A stop nearer than this is hit by noise, one further off protects from nothing."""

BPS = 10_000


class Threshold(Strategy):
    """Enters at one probability of a rise, and leaves below another, at the stop, or in time."""

    name: ClassVar[str] = "threshold"

    def __init__(self, settings: ThresholdSettings, symbols: tuple[str, ...]) -> None:
        super().__init__()
        self.settings = settings
        self.symbols = symbols

    def on_forecast(self, forecast: Forecast, view: View) -> Target | None:
        """Trade on the probability of a rise."""
        self.note(probability=forecast.probability_up, source=forecast.source, price=view.price)
        if view.long:
            return self._while_long(forecast)
        return self._while_flat(forecast, view)

    def _while_long(self, forecast: Forecast) -> Target:
        probability, least = forecast.probability_up, self.settings.exit
        self.note(exit=least)
        if probability < least:
            return Target.flat(f"probability {probability:.3f} below {least}")
        return Target.keep(f"holds: probability {probability:.3f} not below {least}")

    def _while_flat(self, forecast: Forecast, view: View) -> Target:
        probability, least = forecast.probability_up, self.settings.enter
        deviation = view.deviation(forecast.horizon_ns)
        self.note(enter=least, volatility="" if deviation is None else deviation)
        if probability < least:
            return Target.keep(f"probability {probability:.3f} below {least}")
        if deviation is None:
            found = f"{len(view.closes)} of {DEVIATION_BARS_MIN + 1} bars"
            return Target.keep(f"the volatility is not known yet: {found}")
        return self._entry(forecast, view, deviation)

    def _entry(self, forecast: Forecast, view: View, deviation: float) -> Target:
        wide = self.settings.stop_deviations * deviation
        share = min(STOP_SHARE_MAX, max(STOP_SHARE_MIN, wide))
        risked = view.equity * self.settings.risk_bps / BPS
        self.note(stop_share=share, risked=risked)
        return Target.enter(
            min(float(self.settings.budget), risked / share),
            f"probability {forecast.probability_up:.3f} at least {self.settings.enter}",
            stop=view.price * (1 - share),
            until_ns=forecast.ts_event
            + self.settings.hold_bars * TIMEFRAMES_NS[forecast.timeframe],
        )
