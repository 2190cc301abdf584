"""The recorded market of one symbol, and what `ingest` would say of it."""

from collections.abc import Iterator
from pathlib import Path

from bus.errors import HouseError, SettingsError
from schema.instruments import instrument_of
from schema.market import Bar, Instrument, Quote
from schema.units import MINUTE_NS, MS_NS, iso, quote_exp, quote_volume
from services.venue.barfile import read_bars
from services.venue.book import Top, top_after
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.klines import Candles, Kline
from services.venue.payload import symbol_row
from services.venue.replay import BarReplay

TIMEFRAME = "1m"


class History:
    """One file of minutes, as the venue replays it."""

    def __init__(self, path: Path, symbol: str, seed: int) -> None:
        try:
            self.market = BarReplay(seed, {symbol: [read_bars(path)]})
        except SettingsError as error:
            hint = "Correct the file, or name another one with --file"
            raise HouseError(error.what, hint) from error
        (self.facts,) = self.market.facts.values()
        self.symbol = symbol
        self.first_ms, self.end_ms = self.market.first_ms, self.market.end_ms + 1
        self._money_exp = quote_exp(self.facts.px_exp, self.facts.qty_exp)

    def instrument(self, now_ns: int) -> Instrument:
        """Return what the venue lists."""
        return instrument_of(symbol_row(self.facts), now_ns)

    def span(self, from_ns: int | None, to_ns: int | None) -> tuple[int, int]:
        """Return the part of the file that lies between two times, as whole minutes in ms."""
        start_ms = self.first_ms if from_ns is None else -(-from_ns // MINUTE_NS) * MINUTE_MS
        stop_ms = self.end_ms if to_ns is None else to_ns // MINUTE_NS * MINUTE_MS
        start_ms, stop_ms = max(start_ms, self.first_ms), min(stop_ms, self.end_ms)
        if stop_ms <= start_ms or next(self.bars(start_ms, stop_ms), None) is None:
            raise HouseError(
                f"no bar of {self.symbol} lies between --from and --to: the file holds "
                f"{iso(self.first_ms * MS_NS)} to {iso(self.end_ms * MS_NS)}",
                "Choose times inside, or leave them out",
            )
        return start_ms, stop_ms

    def bars(self, start_ms: int, stop_ms: int) -> Iterator[Bar]:
        """Yield the bars that open and close within a stretch, the oldest first."""
        candles = Candles(self.market)
        for day in range(start_ms // DAY_MS, (stop_ms - 1) // DAY_MS + 1):
            for kline in candles.of_day(self.facts.id, day, MINUTE_MS, self.end_ms):
                if start_ms <= kline.open_ms and kline.open_ms + MINUTE_MS <= stop_ms:
                    yield self._bar(kline)

    def look(self, now_ns: int) -> tuple[Quote | None, int]:
        """Return the top of the book, and how long ago the last trade was; None before one."""
        at_ms = now_ns // MS_NS
        last = self.market.tape_until(self.facts.id, 1, at_ms + 1)
        if not len(last):
            return None, now_ns
        top = top_after(self.facts, last, at_ms)
        silent_ns = now_ns - int(last.at_ms[-1]) * MS_NS
        return (self._quote(top, now_ns) if top.bid[0] else None), silent_ns

    def _quote(self, top: Top, now_ns: int) -> Quote:
        return Quote(
            ts_event=now_ns,
            symbol=self.symbol,
            bid_px=top.bid[0],
            bid_qty=top.bid[1],
            ask_px=top.ask[0],
            ask_qty=top.ask[1],
            px_exp=self.facts.px_exp,
            qty_exp=self.facts.qty_exp,
        )

    def _bar(self, kline: Kline) -> Bar:
        exp = self.facts.px_exp + self.facts.qty_exp
        return Bar(
            ts_event=(kline.open_ms + MINUTE_MS) * MS_NS,
            trace=kline.open_ms // MINUTE_MS,
            symbol=self.symbol,
            timeframe=TIMEFRAME,
            open_ns=kline.open_ms * MS_NS,
            open=kline.open,
            high=kline.high,
            low=kline.low,
            close=kline.close,
            volume=kline.volume,
            quote_volume=quote_volume(kline.quote, exp, self._money_exp),
            trades=kline.count,
            px_exp=self.facts.px_exp,
            qty_exp=self.facts.qty_exp,
            quote_exp=self._money_exp,
        )
