"""What the market and the other services say, kept as windows: prices, filters, states."""

from schema.house import PeerSeen
from schema.market import Bar, FeedStatus, Instrument, Quote
from schema.settings import TIMEFRAMES_NS
from services.engine.state import Closes, Health, Top, Windows

CLOSES_MAX = 240
HOLE_BARS_MAX = 10
"""A longer hole between two bars is no quiet minute: the closes begin again behind it."""


def hear_quote(windows: Windows, quote: Quote) -> None:
    """Keep the top of the book."""
    windows.tops[quote.symbol] = Top(quote.bid_px, quote.ask_px, quote.px_exp, quote.ts_event)


def hear_bar(windows: Windows, bar: Bar) -> bool:
    """Keep a bar's close; False for a bar that is no news."""
    closes = windows.closes.setdefault(bar.symbol, Closes())
    if bar.open_ns <= closes.open_ns or bar.close <= 0:
        return False
    if bar.open_ns - closes.open_ns > (HOLE_BARS_MAX + 1) * TIMEFRAMES_NS[bar.timeframe]:
        closes.values.clear()
    closes.values.append(bar.close / 10.0**bar.px_exp)
    if len(closes.values) >= 2 * CLOSES_MAX:
        del closes.values[:-CLOSES_MAX]
    closes.open_ns, closes.at_ns = bar.open_ns, bar.ts_event
    closes.px, closes.px_exp = bar.close, bar.px_exp
    return True


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


def mark_of(windows: Windows, symbol: str) -> tuple[int, int] | None:
    """Return price and decimals that a position is valued at: the mid, else the last close."""
    top, closes = windows.tops.get(symbol), windows.closes.get(symbol)
    if top is not None and min(top.bid, top.ask) > 0:
        return (top.bid + top.ask) // 2, top.px_exp
    return (closes.px, closes.px_exp) if closes is not None and closes.px > 0 else None


def price_of(windows: Windows, symbol: str) -> float | None:
    """Return the price that strategies see."""
    mark = mark_of(windows, symbol)
    return None if mark is None else mark[0] / 10.0 ** mark[1]


def newest_closes(windows: Windows, symbol: str) -> tuple[float, ...]:
    """Return the newest closes, oldest first."""
    closes = windows.closes.get(symbol)
    return tuple(closes.values[-CLOSES_MAX:]) if closes is not None else ()
