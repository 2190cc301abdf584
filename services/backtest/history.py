"""The recorded market of a run: base bars by symbol, the bars that are said of them, filters.

Only what somebody needs is said. Longer bars are folded as ingest folds them; at the same close
the shorter timeframe comes first, and of one timeframe the symbols in the order of the settings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from heapq import merge
from operator import attrgetter

import msgspec

from bus.errors import HouseError
from schema.instruments import at
from schema.listing import instrument_of
from schema.market import Bar, Instrument
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MS_NS, iso
from services.backtest.columns import Columns, fold
from services.backtest.filters import fitted, passed, that_hold
from services.venue.columns import Facts
from services.venue.payload import symbol_row

Wanted = Iterable[tuple[str, str]]
"""Symbols and timeframes of bars that somebody needs."""

TRACES = 64
CHUNK = 4096
HASH_BYTES = 16
_close = attrgetter("ts_event")


class Track(msgspec.Struct, frozen=True):
    """The bars of one symbol and timeframe, in the order of their close."""

    number: int
    symbol: str
    columns: Columns

    def bars(self, start_ns: int, stop_ns: int) -> Iterator[Bar]:
        """Yield the bars that open and close within a stretch."""
        first, last = self.columns.between(start_ns, stop_ns)
        for row in range(first, last, CHUNK):
            yield from self._chunk(row, min(row + CHUNK, last))

    def closed(self, start_ns: int, stop_ns: int) -> Iterator[Bar]:
        """Yield the bars that close within (start, stop], whenever they opened."""
        return self.bars(start_ns + 1 - self.columns.step_ns, stop_ns)

    def _chunk(self, first: int, last: int) -> Iterator[Bar]:
        own, symbol = self.columns, self.symbol
        step_ns, timeframe, trace_ns = own.step_ns, own.timeframe, MS_NS
        px_exp, qty_exp, money_exp = own.px_exp, own.qty_exp, own.money_exp
        for open_ns, open_, high, low, close, volume, money, trades in zip(
            *own.part(first, last), strict=True
        ):
            yield Bar(
                ts_event=open_ns + step_ns,
                trace=open_ns // trace_ns * TRACES + self.number % TRACES + 1,
                symbol=symbol,
                timeframe=timeframe,
                open_ns=open_ns,
                open=open_,
                high=high,
                low=low,
                close=close,
                volume=volume,
                quote_volume=money,
                trades=trades,
                px_exp=px_exp,
                qty_exp=qty_exp,
                quote_exp=money_exp,
            )


class History:
    """Base bars of every symbol of a run, in the order of the settings.

    `versions` are the exchange's filters as they were, oldest first; of a symbol without any they
    are made of its bars.
    """

    def __init__(
        self,
        base: Mapping[str, Columns],
        versions: Mapping[str, Sequence[Instrument]] | None = None,
    ) -> None:
        assert base, "a run is of some symbol"
        self.base = dict(base)
        self.symbols = tuple(self.base)
        self.facts = {symbol: facts_of(symbol, columns) for symbol, columns in base.items()}
        self.first_ns = min(columns.first_ns for columns in base.values())
        self.end_ns = max(columns.end_ns for columns in base.values())
        known = versions or {}
        self._versions = {
            symbol: that_hold(known[symbol], self.first_ns, self.end_ns)
            for symbol in self.base
            if known.get(symbol)
        }

    def instruments(self, now_ns: int) -> list[Instrument]:
        """Return what the venue lists at a time."""
        known = {one.symbol: one for one in self.known(now_ns)}
        return [
            known.get(symbol) or instrument_of(symbol_row(facts), now_ns)
            for symbol, facts in self.facts.items()
        ]

    def known(self, now_ns: int) -> list[Instrument]:
        """Return the filters of a time, of the symbols of which the exchange's own are known."""
        found = ((symbol, at(versions, now_ns)) for symbol, versions in self._versions.items())
        return [fitted(one, self.facts[symbol], now_ns) for symbol, one in found if one]

    def changes(self, start_ns: int, stop_ns: int) -> list[Instrument]:
        """Return the filters that come into force in (start, stop], in the order of their time."""
        found = [
            fitted(one, self.facts[symbol], one.ts_event)
            for symbol, versions in self._versions.items()
            for one in passed(versions, start_ns, stop_ns)
        ]
        return sorted(found, key=_close)

    def span(self, from_ns: int | None, to_ns: int | None, bars: int = 0) -> tuple[int, int]:
        """Return the stretch that is played: whole base bars, the first `bars` of them, or all."""
        start_ns = self.first_ns if from_ns is None else max(from_ns, self.first_ns)
        stop_ns = self.end_ns if to_ns is None else min(to_ns, self.end_ns)
        columns = self.base[self.symbols[0]]
        if any(len(range(*other.between(start_ns, stop_ns))) for other in self.base.values()):
            first, last = columns.between(start_ns, stop_ns)
            start_ns = int(columns.open_ns[first]) if first < last else start_ns
            last = min(last, first + bars) if bars else last
            if bars and first < last:
                stop_ns = int(columns.open_ns[last - 1]) + columns.step_ns
            return start_ns, stop_ns
        raise HouseError(
            f"no bar of {' '.join(self.symbols)} lies between --from and --until: there are bars "
            f"from {iso(self.first_ns)} to {iso(self.end_ns)}",
            "Choose times inside, or leave them out",
        )

    def tracks(self, wanted: Wanted) -> list[Track]:
        """Return the bars that are needed, in the order in which they are said."""
        ranked = sorted(dict.fromkeys(wanted), key=self._rank)
        return [Track(n, symbol, self._bars(symbol, tf)) for n, (symbol, tf) in enumerate(ranked)]

    def digest(self) -> str:
        """Return a hash of all base bars, and of the filters that are known of their time."""
        found = blake2b(digest_size=HASH_BYTES)
        for symbol, columns in self.base.items():
            exps = (columns.px_exp, columns.qty_exp, columns.money_exp)
            found.update(repr((symbol, columns.timeframe, exps)).encode())
            for column in columns.rows():
                found.update(column.tobytes())
        for versions in self._versions.values():
            found.update(msgspec.msgpack.encode(versions))
        return found.hexdigest()

    def _rank(self, wanted: tuple[str, str]) -> tuple[int, int]:
        symbol, timeframe = wanted
        if symbol not in self.base:
            raise HouseError(
                f"bars of {symbol} are needed, and the run has {' '.join(self.symbols)}",
                f"Name its bars too: --file FILE --symbol {symbol}",
            )
        return TIMEFRAMES_NS[timeframe], self.symbols.index(symbol)

    def _bars(self, symbol: str, timeframe: str) -> Columns:
        base = self.base[symbol]
        if TIMEFRAMES_NS[timeframe] % base.step_ns:
            raise HouseError(
                f"bars of {timeframe} are needed, and those of {symbol} are of {base.timeframe}: "
                f"longer ones can be made of them, shorter ones cannot",
                f"Name a file of {timeframe} bars or of shorter ones",
            )
        return fold(base, timeframe)


def facts_of(symbol: str, columns: Columns) -> Facts:
    """Return what a venue would list of a symbol with such bars."""
    return Facts(symbol, columns.px_exp, columns.qty_exp, grid=1, depth_lots=1, key=0)


def in_order(tracks: list[Track], start_ns: int, stop_ns: int) -> Iterator[Bar]:
    """Yield the bars of all tracks in the order in which they close."""
    if len(tracks) == 1:
        return tracks[0].closed(start_ns, stop_ns)
    return merge(*(track.closed(start_ns, stop_ns) for track in tracks), key=_close)


def with_changes(bars: Iterator[Bar], changes: Sequence[Instrument]) -> Iterator[Bar | Instrument]:
    """Yield bars and changed filters in the order of their time; filters hold at their moment."""
    return merge(changes, bars, key=_close) if changes else bars
