"""Which strategies there are, by the names that settings give them."""

from collections.abc import Callable

from schema.settings import Settings
from services.engine.pulse import Pulse
from services.engine.strategy import Strategy
from services.engine.threshold import Threshold

MAKERS: dict[str, Callable[[Settings, tuple[str, ...]], Strategy]] = {
    Threshold.name: lambda settings, symbols: Threshold(settings.threshold, symbols),
    Pulse.name: lambda settings, symbols: Pulse(settings.pulse, symbols[0]),
}


def strategies(settings: Settings) -> tuple[Strategy, ...]:
    """Return the strategies that the settings name, each once, in their order."""
    symbols = settings.ingest.symbols or settings.venue.symbol
    return tuple(
        MAKERS[name](settings, symbols) for name in dict.fromkeys(settings.engine.strategies)
    )
