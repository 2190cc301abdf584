"""One symbol's market for the simulator: a random walk that is known from its seed alone."""

import numpy as np

from schema.market import Bar, Instrument, Quote
from schema.units import MS_NS
from services.venue.book import Book
from services.venue.columns import DAY_MS, MINUTE_MS, Bars, Facts, Tape
from services.venue.market import Market

SYMBOL = "BTC/USDT"
FACTS = Facts(SYMBOL, px_exp=2, qty_exp=5, grid=100, depth_lots=3_000, key=1)
START_PX = 6_000_000
THIN_MS, THIN_LEVELS = 20_000, 2
"""Now and then the book shows so little that a market order ends before it is filled."""

TRADE_EVERY_MS = 500
BEFORE_MS = 320 * MINUTE_MS
AFTER_MS = 40 * 60 * MINUTE_MS


class Walk(Market):
    """Trades twice in a second, for some hours around its start."""

    def __init__(self, seed: int, start_ms: int) -> None:
        super().__init__()
        self.facts = {FACTS.id: FACTS}
        self.first_ms = start_ms - BEFORE_MS
        at_ms = np.arange(self.first_ms, start_ms + AFTER_MS, TRADE_EVERY_MS, dtype=np.int64)
        chance = np.random.default_rng(seed)
        steps = chance.normal(0, 0.00025, len(at_ms))
        px = (START_PX * np.exp(np.cumsum(steps))).astype(np.int64)
        qty = chance.integers(1, 20_000, len(at_ms))
        self._tape = Tape(1, at_ms, px, qty, chance.random(len(at_ms)) < 0.5)

    def make_bars(self, symbol: str, day: int) -> Bars:
        raise NotImplementedError

    def make_tape(self, symbol: str, day: int) -> Tape:
        return self._tape.between(day * DAY_MS, (day + 1) * DAY_MS)

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        raise NotImplementedError

    def book(self, symbol: str, at_ms: int) -> Book:
        whole = super().book(symbol, at_ms)
        if at_ms // THIN_MS % 4:
            return whole
        return Book(whole.update_id, whole.bids[:THIN_LEVELS], whole.asks[:THIN_LEVELS])

    def quote(self, now_ns: int) -> Quote:
        """Return the top of the book as `ingest` tells it."""
        top = self.top(FACTS.id, now_ns // MS_NS)
        return Quote(
            ts_event=now_ns, symbol=SYMBOL, bid_px=top.bid[0], bid_qty=top.bid[1],
            ask_px=top.ask[0], ask_qty=top.ask[1], px_exp=2, qty_exp=5,
        )  # fmt: skip

    def bar(self, open_ms: int) -> Bar:
        """Return one minute as `ingest` tells it."""
        tape = self.tape(FACTS.id, open_ms, open_ms + MINUTE_MS)
        px = tape.px
        return Bar(
            ts_event=(open_ms + MINUTE_MS) * MS_NS, symbol=SYMBOL, timeframe="1m",
            open_ns=open_ms * MS_NS, open=int(px[0]), high=int(px.max()), low=int(px.min()),
            close=int(px[-1]), volume=int(tape.qty.sum()), quote_volume=1, trades=len(tape),
            px_exp=2, qty_exp=5, quote_exp=7,
        )  # fmt: skip


def listed(now_ns: int) -> Instrument:
    """Return the symbol as `ingest` tells it."""
    return Instrument(
        ts_event=now_ns, symbol=SYMBOL, venue_symbol=FACTS.id, base="BTC", quote="USDT",
        px_exp=2, qty_exp=5, quote_exp=7, tick=1, lot=1, min_px=1, max_px=900_000_000,
        min_qty=1, max_qty=900_000_000, min_notional=5 * 10**7,
    )  # fmt: skip
