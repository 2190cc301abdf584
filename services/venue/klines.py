"""Candles as a fold of the tape, and the rolling day of a ticker."""

from dataclasses import dataclass

import numpy as np

from services.venue.columns import DAY_MS, MINUTE_MS, Tape
from services.venue.market import Market, Recent
from services.venue.noise import Ints

INTERVALS_MS = {
    **{f"{n}m": n * MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 * MINUTE_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
}
SUMS_KEPT = 192
SAFE = 2**62


@dataclass
class Kline:
    """One candle; quote amounts have the exponents of price and quantity together."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: int
    count: int
    taker: int
    taker_quote: int
    first_id: int

    @property
    def last_id(self) -> int:
        return self.first_id + self.count - 1

    def add(self, other: "Kline") -> None:
        """Go on with the candle that follows."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.quote += other.quote
        self.count += other.count
        self.taker += other.taker
        self.taker_quote += other.taker_quote


def candle(open_ms: int, tape: Tape) -> Kline | None:
    """Return the fold of a stretch of trades, None when there is none."""
    if not len(tape):
        return None
    money, bought = _money(tape), ~tape.maker
    return Kline(
        open_ms=open_ms,
        open=int(tape.px[0]),
        high=int(tape.px.max()),
        low=int(tape.px.min()),
        close=int(tape.px[-1]),
        volume=int(tape.qty.sum()),
        quote=int(money.sum()),
        count=len(tape),
        taker=int(tape.qty[bought].sum()),
        taker_quote=int(money[bought].sum()),
        first_id=tape.first_id,
    )


def _money(tape: Tape) -> Ints:
    # Products beyond 64 bits, which a coin of many units may have, become Python integers.
    if float(tape.px.max()) * float(tape.qty.sum()) < SAFE:
        return tape.px * tape.qty
    return np.asarray(tape.px.astype(object) * tape.qty.astype(object))


class Candles:
    """The candles of a market, cut off at a time."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._minutes: Recent[list[tuple[int, int, int, int]]] = Recent(SUMS_KEPT)

    def of_day(self, symbol: str, day: int, interval_ms: int, now_ms: int) -> list[Kline]:
        """Return a day's candles, the last one as far as it has come."""
        found: list[Kline] = []
        for minute in self._until(symbol, day, now_ms):
            bucket = minute.open_ms - minute.open_ms % interval_ms
            if found and found[-1].open_ms == bucket:
                found[-1].add(minute)
            else:
                minute.open_ms = bucket
                found.append(minute)
        return found

    def minute(self, symbol: str, open_ms: int, now_ms: int) -> Kline | None:
        """Return one minute as far as it has come."""
        stop_ms = min(open_ms + MINUTE_MS, now_ms + 1)
        return candle(open_ms, self._market.tape(symbol, open_ms, stop_ms))

    def rolling(self, symbol: str, now_ms: int) -> Kline | None:
        """Return the 24 hours that end now, from the start of a minute on."""
        start_ms = (now_ms - DAY_MS) // MINUTE_MS * MINUTE_MS + MINUTE_MS
        whole: Kline | None = None
        for day in (start_ms // DAY_MS, now_ms // DAY_MS):
            for minute in self._until(symbol, day, now_ms):
                if minute.open_ms < start_ms:
                    continue
                if whole is None:
                    whole = minute
                else:
                    whole.add(minute)
        return whole

    def _until(self, symbol: str, day: int, now_ms: int) -> list[Kline]:
        open_ms = (now_ms + 1) // MINUTE_MS * MINUTE_MS
        start_ms, stop_ms = self._market.first_ms, min(open_ms, (day + 1) * DAY_MS)
        if stop_ms <= day * DAY_MS and day * DAY_MS > now_ms:
            return []
        found = [k for k in self._closed(symbol, day) if start_ms <= k.open_ms < stop_ms]
        if day == now_ms // DAY_MS and (last := self.minute(symbol, open_ms, now_ms)):
            found.append(last)
        return found

    def _closed(self, symbol: str, day: int) -> list[Kline]:
        bars = self._market.bars(symbol, day)
        columns = zip(
            bars.open_ms.tolist(),
            bars.open.tolist(),
            bars.high.tolist(),
            bars.low.tolist(),
            bars.close.tolist(),
            bars.volume.tolist(),
            bars.count.tolist(),
            self._sums_of(symbol, day),
            strict=True,
        )
        return [
            Kline(at, o, h, low, c, v, quote, n, taker, taker_quote, first)
            for at, o, h, low, c, v, n, (quote, taker, taker_quote, first) in columns
        ]

    def _sums_of(self, symbol: str, day: int) -> list[tuple[int, int, int, int]]:
        kept = self._market.settled
        return self._minutes.get(symbol, day, self._sums) if kept else self._sums(symbol, day)

    def _sums(self, symbol: str, day: int) -> list[tuple[int, int, int, int]]:
        tape, count = self._market.day_tape(symbol, day), self._market.bars(symbol, day).count
        if not len(tape):
            return []
        starts = np.cumsum(count) - count
        money = _money(tape)
        sums = (
            np.add.reduceat(money, starts),
            np.add.reduceat(np.where(tape.maker, 0, tape.qty), starts),
            np.add.reduceat(np.where(tape.maker, 0, money), starts),
            starts + tape.first_id,
        )
        return list(zip(*(column.tolist() for column in sums), strict=True))
