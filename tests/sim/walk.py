"""The market of the simulator: a random walk for each symbol, known from its seed alone."""

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from schema.market import Bar, Instrument, Quote
from schema.units import MS_NS
from services.venue.book import Book
from services.venue.columns import DAY_MS, MINUTE_MS, Bars, Facts, Tape
from services.venue.market import Market
from services.venue.orders import Type

SYMBOL = "BTC/USDT"
OTHER = "ETH/USDT"
FACTS = Facts(SYMBOL, px_exp=2, qty_exp=5, grid=100, depth_lots=3_000, key=1)
FACTS_OF = {
    SYMBOL: FACTS,
    OTHER: Facts(OTHER, px_exp=2, qty_exp=4, grid=10, depth_lots=9_000, key=2),
}
START_PX = {SYMBOL: 6_000_000, OTHER: 300_000}
THIN_MS, THIN_LEVELS = 20_000, 2
"""Now and then the book shows so little that a market order ends before it is filled."""

LEAP, LEAPS = 0.003, 0.005
"""So far the price leaps in so many trades: over stops that have a limit, which then rest."""

TRADE_EVERY_MS = 500
BEFORE_MS = 320 * MINUTE_MS
AFTER_MS = 40 * 60 * MINUTE_MS


class Walk(Market):
    """Trades twice in a second in each symbol, for some hours around its start."""

    def __init__(self, seed: int, start_ms: int, symbols: tuple[str, ...] = (SYMBOL,)) -> None:
        super().__init__()
        self.facts = {FACTS_OF[name].id: FACTS_OF[name] for name in symbols}
        self.first_ms = start_ms - BEFORE_MS
        at_ms = np.arange(self.first_ms, start_ms + AFTER_MS, TRADE_EVERY_MS, dtype=np.int64)
        self._walks = {FACTS_OF[name].id: _tape(seed, name, at_ms) for name in symbols}

    def make_bars(self, symbol: str, day: int) -> Bars:
        raise NotImplementedError

    def make_tape(self, symbol: str, day: int) -> Tape:
        return self._walks[symbol].between(day * DAY_MS, (day + 1) * DAY_MS)

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        raise NotImplementedError

    def book(self, symbol: str, at_ms: int) -> Book:
        whole = super().book(symbol, at_ms)
        if at_ms // THIN_MS % 4:
            return whole
        return Book(whole.update_id, whole.bids[:THIN_LEVELS], whole.asks[:THIN_LEVELS])

    def quote(self, symbol: str, now_ns: int) -> Quote:
        """Return the top of the book as `ingest` tells it."""
        facts = FACTS_OF[symbol]
        top = self.top(facts.id, now_ns // MS_NS)
        return Quote(
            ts_event=now_ns, symbol=symbol, bid_px=top.bid[0], bid_qty=top.bid[1],
            ask_px=top.ask[0], ask_qty=top.ask[1], px_exp=2, qty_exp=facts.qty_exp,
        )  # fmt: skip

    def bar(self, symbol: str, open_ms: int) -> Bar:
        """Return one minute as `ingest` tells it."""
        facts = FACTS_OF[symbol]
        tape = self.tape(facts.id, open_ms, open_ms + MINUTE_MS)
        px = tape.px
        return Bar(
            ts_event=(open_ms + MINUTE_MS) * MS_NS, symbol=symbol, timeframe="1m",
            open_ns=open_ms * MS_NS, open=int(px[0]), high=int(px.max()), low=int(px.min()),
            close=int(px[-1]), volume=int(tape.qty.sum()), quote_volume=1, trades=len(tape),
            px_exp=2, qty_exp=facts.qty_exp, quote_exp=2 + facts.qty_exp,
        )  # fmt: skip


def _tape(seed: int, symbol: str, at_ms: NDArray[np.int64]) -> Tape:
    chance = np.random.default_rng((seed, FACTS_OF[symbol].key))
    steps = chance.normal(0, 0.00025, len(at_ms))
    steps += chance.choice((-LEAP, LEAP), len(at_ms)) * (chance.random(len(at_ms)) < LEAPS)
    px = (START_PX[symbol] * np.exp(np.cumsum(steps))).astype(np.int64)
    qty = chance.integers(1, 20_000, len(at_ms))
    return Tape(1, at_ms, px, qty, chance.random(len(at_ms)) < 0.5)


def listed(
    symbol: str, now_ns: int, *, oco: bool = False, cancel_replace: bool = False
) -> Instrument:
    """Return the symbol as `ingest` tells it, with what the exchange takes beside single orders."""
    facts = FACTS_OF[symbol]
    base, _, quote = symbol.partition("/")
    return Instrument(
        ts_event=now_ns, symbol=symbol, venue_symbol=facts.id, base=base, quote=quote,
        px_exp=2, qty_exp=facts.qty_exp, quote_exp=2 + facts.qty_exp, tick=1, lot=1, min_px=1,
        max_px=900_000_000, min_qty=1, max_qty=900_000_000,
        min_notional=5 * 10 ** (2 + facts.qty_exp), oco=oco,
        cancel_replace=cancel_replace,
        order_types=get_args(Type),
    )  # fmt: skip
