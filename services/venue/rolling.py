"""The rolling day of a symbol, as REST lists it and as the ticker streams say it."""

from services.venue.columns import DAY_MS, Facts
from services.venue.klines import Candles, Kline
from services.venue.market import Market
from services.venue.payload import Json, text, top_row

MINI = {
    "c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume",
    "q": "quoteVolume",
}  # fmt: skip
FULL = MINI | {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice",
    "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty",
    "O": "openTime", "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip
"""A letter of an event, and the word for it in the row."""


class RollingDay:
    """The 24 hours that end at a time; zeros when nothing was traded."""

    def __init__(self, market: Market, candles: Candles) -> None:
        self._market = market
        self._candles = candles

    def row(self, facts: Facts, now_ms: int, book_ms: int) -> Json:
        """Return the day as `ticker/24hr` lists it, with the top of a book."""
        found = self._candles.rolling(facts.id, now_ms)
        day = found or Kline(now_ms - DAY_MS, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1)
        return {
            "symbol": facts.id,
            **_prices(facts, day),
            "lastQty": self._last_qty(facts, now_ms),
            **_top(facts, self._market, book_ms),
            "openTime": day.open_ms,
            "closeTime": now_ms,
            "firstId": day.first_id,
            "lastId": day.last_id if day.count else -1,
            "count": day.count,
        }

    def event(self, facts: Facts, at_ms: int, *, mini: bool) -> Json:
        """Return the day as `@ticker` and `@miniTicker` say it."""
        row = self.row(facts, at_ms, at_ms)
        name = "24hrMiniTicker" if mini else "24hrTicker"
        said = {letter: row[key] for letter, key in (MINI if mini else FULL).items()}
        return {"e": name, "E": at_ms, "s": facts.id, **said}

    def _last_qty(self, facts: Facts, now_ms: int) -> str:
        last = self._market.tape_until(facts.id, 1, now_ms + 1)
        return text(int(last.qty[-1]) if len(last) else 0, facts.qty_exp)


def _prices(facts: Facts, day: Kline) -> Json:
    px, lots = facts.px_exp, facts.qty_exp
    change = (day.close - day.open) * 10**5 // day.open if day.open else 0
    return {
        "priceChange": text(day.close - day.open, px),
        "priceChangePercent": f"{change / 1000:.3f}",
        "weightedAvgPrice": text(day.quote // day.volume if day.volume else 0, px),
        "prevClosePrice": text(day.open, px),
        "lastPrice": text(day.close, px),
        "openPrice": text(day.open, px),
        "highPrice": text(day.high, px),
        "lowPrice": text(day.low, px),
        "volume": text(day.volume, lots),
        "quoteVolume": text(day.quote, px + lots),
    }


def _top(facts: Facts, market: Market, book_ms: int) -> Json:
    row = top_row(facts, market.top(facts.id, book_ms))
    return {key: value for key, value in row.items() if key != "symbol"}
