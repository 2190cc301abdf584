"""The market of raw recordings: trades, tops and books as the exchange said them.

Candles are folded from the recorded trades. The book is the last snapshot with all later changes;
without a snapshot it is what the changes have shown so far.
"""

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from services.venue.barfile import EXP
from services.venue.book import Book, Depth, Levels, Top, top_of
from services.venue.columns import DAY_MS, MINUTE_MS, Bars, Facts, Tape
from services.venue.market import Market
from services.venue.noise import Ints, key
from services.venue.rawfile import Raw, RawDepth, read_recordings


class Recorded:
    """One symbol of a recording."""

    def __init__(self, raw: Raw, seed: int) -> None:
        px = np.array(_prices(raw), np.int64)
        qty = np.array(_quantities(raw), np.int64)
        px_exp, qty_exp = _exponent(px), _exponent(qty)
        self._px_unit, self._qty_unit = 10 ** (EXP - px_exp), 10 ** (EXP - qty_exp)
        self.facts = Facts(raw.symbol, px_exp, qty_exp, 1, 1, key(seed, raw.symbol, "book"))
        self.tape = Tape(
            raw.trade_ids[0],
            np.array(raw.trade_ms, np.int64),
            np.array(raw.px, np.int64) // self._px_unit,
            np.array(raw.qty, np.int64) // self._qty_unit,
            np.array(raw.maker, np.bool_),
        )
        self.bars = bars_of(self.tape)
        self._raw = raw
        self._top_ms = [at_ms for at_ms, *_ in raw.tops]
        self._depth_ms = [depth.at_ms for depth in raw.depths]
        self._folded, self._id = 0, 0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self.first_ms = min(self._times(0))
        self.end_ms = max(self._times(-1))

    def _times(self, place: int) -> list[int]:
        columns = (self._raw.trade_ms, self._top_ms, self._depth_ms)
        return [column[place] for column in columns if column]

    def tops(self, after_ms: int, until_ms: int) -> list[Top]:
        """Return the recorded tops in (after, until]."""
        start, stop = (bisect_right(self._top_ms, at_ms) for at_ms in (after_ms, until_ms))
        return [self._top(place) for place in range(start, stop)]

    def top(self, at_ms: int) -> Top:
        """Return the last recorded top, or the book's where none was recorded."""
        place = bisect_right(self._top_ms, at_ms) - 1
        return self._top(place) if place >= 0 else top_of(self.book(at_ms))

    def _top(self, place: int) -> Top:
        _, update_id, bid, ask = self._raw.tops[place]
        return Top(update_id, self._scaled((bid,))[0], self._scaled((ask,))[0])

    def depths(self, after_ms: int, until_ms: int) -> list[Depth]:
        """Return the recorded changes in (after, until]."""
        start, stop = (bisect_right(self._depth_ms, at_ms) for at_ms in (after_ms, until_ms))
        return [
            Depth(
                depth.at_ms,
                depth.first_id,
                depth.last_id,
                self._scaled(depth.bids),
                self._scaled(depth.asks),
            )
            for depth in self._raw.depths[start:stop]
            if not depth.whole
        ]

    def book(self, at_ms: int) -> Book:
        """Return the fold of snapshots and changes up to a time."""
        stop = bisect_right(self._depth_ms, at_ms)
        if stop < self._folded:
            self._forget()
        for depth in self._raw.depths[self._folded : stop]:
            self._fold(depth)
        self._folded = stop
        bids = tuple(sorted(self._bids.items(), reverse=True))
        return Book(self._id, self._scaled(bids), self._scaled(tuple(sorted(self._asks.items()))))

    def _forget(self) -> None:
        self._folded, self._id = 0, 0
        self._bids, self._asks = {}, {}

    def _fold(self, depth: RawDepth) -> None:
        if depth.whole:
            self._bids, self._asks = dict(depth.bids), dict(depth.asks)
            self._replay_after(depth)
        elif depth.last_id > self._id:
            _apply(self._bids, depth.bids)
            _apply(self._asks, depth.asks)
            self._id = depth.last_id

    def _replay_after(self, snapshot: RawDepth) -> None:
        # A snapshot is asked for and arrives later: changes heard before may be newer than it.
        place = self._raw.depths.index(snapshot)
        self._id = snapshot.last_id
        for depth in self._raw.depths[:place]:
            if not depth.whole and depth.last_id > snapshot.last_id:
                self._fold(depth)

    def _scaled(self, side: Levels) -> Levels:
        return tuple((px // self._px_unit, qty // self._qty_unit) for px, qty in side)


def _apply(side: dict[int, int], levels: Levels) -> None:
    for px, qty in levels:
        if qty:
            side[px] = qty
        else:
            side.pop(px, None)


def _prices(raw: Raw) -> list[int]:
    levels = [px for depth in raw.depths for px, _ in (*depth.bids, *depth.asks)]
    return raw.px + [px for *_, bid, ask in raw.tops for px, _ in (bid, ask)] + levels


def _quantities(raw: Raw) -> list[int]:
    levels = [qty for depth in raw.depths for _, qty in (*depth.bids, *depth.asks)]
    return raw.qty + [qty for *_, bid, ask in raw.tops for _, qty in (bid, ask)] + levels


def _exponent(numbers: Ints) -> int:
    exp = EXP
    while exp and not (numbers % 10).any():
        numbers, exp = numbers // 10, exp - 1
    return exp


def bars_of(tape: Tape) -> Bars:
    """Return the minutes of a tape, without those in which nothing was traded."""
    if not len(tape):
        nothing: Ints = np.zeros(0, np.int64)
        return Bars(*(nothing,) * 7)
    opens, starts, count = np.unique(
        tape.at_ms // MINUTE_MS * MINUTE_MS, return_index=True, return_counts=True
    )
    return Bars(
        opens,
        tape.px[starts],
        np.maximum.reduceat(tape.px, starts),
        np.minimum.reduceat(tape.px, starts),
        tape.px[starts + count - 1],
        np.add.reduceat(tape.qty, starts),
        count.astype(np.int64),
    )


class RawReplay(Market):
    """Recorded symbols as a market."""

    end_ms: int

    def __init__(self, recorded: Iterable[Recorded]) -> None:
        super().__init__()
        self._recorded = {one.facts.id: one for one in recorded}
        self.facts = {name: one.facts for name, one in self._recorded.items()}
        first_ms = min(one.first_ms for one in self._recorded.values())
        self.first_ms = first_ms // MINUTE_MS * MINUTE_MS
        self.end_ms = max(one.end_ms for one in self._recorded.values())

    def make_bars(self, symbol: str, day: int) -> Bars:
        bars = self._recorded[symbol].bars
        ends = np.array([day * DAY_MS, (day + 1) * DAY_MS], np.int64)
        start, stop = np.searchsorted(bars.open_ms, ends)
        return bars.slice(int(start), int(stop))

    def make_tape(self, symbol: str, day: int) -> Tape:
        return self._recorded[symbol].tape.between(day * DAY_MS, (day + 1) * DAY_MS)

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        tape = self._recorded[symbol].tape
        place = min(max(trade_id - tape.first_id, 0), len(tape) - 1)
        return int(tape.at_ms[place]) // DAY_MS

    def book(self, symbol: str, at_ms: int) -> Book:
        return self._recorded[symbol].book(at_ms)

    def top(self, symbol: str, at_ms: int) -> Top:
        return self._recorded[symbol].top(at_ms)

    def tops(self, symbol: str, after_ms: int, until_ms: int) -> list[Top]:
        return self._recorded[symbol].tops(after_ms, until_ms)

    def depths(self, symbol: str, after_ms: int, until_ms: int) -> list[Depth]:
        return self._recorded[symbol].depths(after_ms, until_ms)


def open_recordings(paths: list[Path], seed: int) -> RawReplay:
    """Return the market of raw recordings; SettingsError names the line that is damaged."""
    found = read_recordings(paths)
    return RawReplay(Recorded(raw, seed) for raw in found.values() if raw.trade_ids)
