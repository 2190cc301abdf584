"""What the market and the other services say, kept as windows: bars, prices, filters, states."""

from schema.forecast import Forecast
from schema.house import PeerSeen
from schema.market import Bar, FeedStatus, Instrument, Quote
from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS
from services.engine.series import Series, Sides
from services.engine.state import Health, Last, Top, Windows

HOLE_BARS_MAX = 10
HOLE_NS_MAX = 4 * DAY_NS
"""A hole between two bars that is longer than both is no quiet market: what lies before it says
nothing of what comes after."""


def hear_quote(windows: Windows, quote: Quote) -> None:
    """Keep the top of the book."""
    windows.moved[quote.symbol] = None
    windows.tops[quote.symbol] = Top(quote.bid_px, quote.ask_px, quote.px_exp, quote.ts_event)


def hear_bar(windows: Windows, bar: Bar, key: str, room: int = 0) -> Sides | None:
    """Keep a bar by the key of its series, and return its numbers; None for one that is no news.

    `room` is how many of them somebody wants to see; as many are kept of those that come. A bar
    that is said again, corrected, takes its place and is no news: what was decided stands.
    """
    series = windows.series.get(key)
    if series is None:
        series = windows.series[key] = Series()
        windows.moved[bar.symbol] = None  # A price may be good for less time than before.
    if room > series.size:
        series.grow(room)
    if bar.close <= 0:
        return None
    if bar.open_ns <= series.open_ns:
        if bar.revision:
            _correct(windows, series, bar)
        return None
    hole_ns = bar.open_ns - series.close_ns
    if hole_ns > HOLE_NS_MAX and hole_ns > HOLE_BARS_MAX * TIMEFRAMES_NS[bar.timeframe]:
        series.clear()
    sides = _sides(bar)
    series.append(sides, bar.open_ns)
    series.open_ns, series.close_ns = bar.open_ns, bar.ts_event
    last = windows.lasts.get(bar.symbol)
    if last is None or bar.ts_event > last.at_ns:
        windows.moved[bar.symbol] = None
        windows.lasts[bar.symbol] = Last(bar.close, bar.px_exp, bar.ts_event)
    return sides


def _sides(bar: Bar) -> Sides:
    unit, lots = 10.0**bar.px_exp, 10.0**bar.qty_exp
    return bar.open / unit, bar.high / unit, bar.low / unit, bar.close / unit, bar.volume / lots


def _correct(windows: Windows, series: Series, bar: Bar) -> None:
    last = windows.lasts.get(bar.symbol)
    is_kept = series.replace(_sides(bar), bar.open_ns)
    if is_kept and last is not None and last.at_ns == bar.ts_event:
        windows.moved[bar.symbol] = None
        windows.lasts[bar.symbol] = Last(bar.close, bar.px_exp, bar.ts_event)


def hear_forecast(windows: Windows, forecast: Forecast) -> None:
    """Keep the newest forecast."""
    windows.forecasts[forecast.symbol] = forecast


def hear_feed(windows: Windows, message: FeedStatus | Instrument) -> None:
    """Keep what can be traded, and how far its feed can be trusted."""
    if isinstance(message, Instrument):
        windows.instruments[message.symbol] = message
    else:
        seen = Health(message.state, message.reason, message.ts_event)
        windows.feeds[message.symbol] = seen


def hear_peer(windows: Windows, peer: PeerSeen, now_ns: int) -> None:
    """Keep the state of another service."""
    before = windows.peers.get(peer.service)
    since_ns = before.since_ns if before and before.state == peer.state else now_ns
    windows.peers[peer.service] = Health(peer.state, peer.reason, since_ns)


def series_key(symbol: str, timeframe: str) -> str:
    """Return the key of a series."""
    return f"{symbol} {timeframe}"


def mark_of(windows: Windows, symbol: str) -> tuple[int, int] | None:
    """Return price and decimals that a position is valued at: the mid, else the last close."""
    top = windows.tops.get(symbol)
    if top is not None and top.bid > 0 and top.ask > 0:
        return (top.bid + top.ask) // 2, top.px_exp
    last = windows.lasts.get(symbol)
    return (last.px, last.px_exp) if last is not None and last.px > 0 else None
