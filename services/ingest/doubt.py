"""A price that is far off: it is believed once something else says the same, and not before.

A crash is no fault. Its prints follow each other at the new price, and the book goes with them; a
print of a hundred times the price stands alone.
"""

from decimal import Decimal

from services.ingest.effects import LiveQuote, RawTrade
from services.ingest.line import Pass
from services.ingest.numbers import read

AGREE = 3
"""So many that follow each other and agree are believed."""

BPS = 10_000
LATELY = ("5m", "15m")


def doubt(turn: Pass, trade: RawTrade) -> str:
    """Return why a trade's price is not believed yet; empty when it is."""
    feed, bps = turn.feed, turn.pace.jump_bps
    making = next(reversed(feed.minutes.values())) if feed.minutes else None
    (px,), exp = read([trade[1]], feed.px_exp)
    # Nearly every trade is near the one before it, and this is done for each.
    known_px = making.close if making is not None and exp == feed.px_exp else 0
    if abs(px - known_px) * BPS <= bps * known_px:
        return ""
    price = Decimal(trade[1])
    if _is_usual(turn, price) or _is_near(turn, price, _mid(turn)):
        return ""
    if _follow(turn, trade[0], price):
        return ""
    odd = turn.line.suspects.odd[1 - AGREE :]
    if len(odd) == AGREE - 1 and all(_is_near(turn, price, Decimal(one)) for one in odd):
        return ""
    return f"its price {trade[1]:.24} is far from the last ones, and nothing else says so"


def doubt_quote(turn: Pass, quote: LiveQuote) -> str:
    """Return why a top of the book is not believed yet; empty when it is."""
    mids = turn.line.suspects.mids
    mid = (Decimal(quote.bid_px) + Decimal(quote.ask_px)) / 2
    if _is_usual(turn, mid) or _is_near(turn, mid, _mid(turn)):
        mids.clear()
        return ""
    mids.append(str(mid))
    del mids[:-AGREE]
    if len(mids) == AGREE and all(_is_near(turn, mid, Decimal(one)) for one in mids):
        mids.clear()
        return ""
    return f"its middle {mid:.24} is far from the last trades, and nothing else says so"


def _is_usual(turn: Pass, price: Decimal) -> bool:
    """Say whether a price is near those of the last minutes, or none are known."""
    feed = turn.feed
    known = [*feed.minutes.values(), *map(feed.frames.get, LATELY)]
    bars = [bar for bar in known if bar is not None]
    if not bars:
        bars = list(feed.frames.values())[:1]
    if not bars:
        return True
    low = Decimal(min(bar.low for bar in bars)).scaleb(-feed.px_exp)
    high = Decimal(max(bar.high for bar in bars)).scaleb(-feed.px_exp)
    return low <= price <= high or any(_is_near(turn, price, one) for one in (low, high))


def _mid(turn: Pass) -> Decimal:
    quote, top = turn.line.quote, turn.feed.top
    if quote is not None:
        return (Decimal(quote.bid_px) + Decimal(quote.ask_px)) / 2
    return Decimal(top[0] + top[2]).scaleb(-turn.feed.px_exp) / 2


def _follow(turn: Pass, trade_id: int, price: Decimal) -> bool:
    held = turn.line.held
    after = [held.get(trade_id + n) for n in range(1, AGREE)]
    return all(one is not None and _is_near(turn, price, Decimal(one[1])) for one in after)


def _is_near(turn: Pass, price: Decimal, other: Decimal) -> bool:
    return other > 0 and abs(price - other) * BPS <= turn.pace.jump_bps * other
