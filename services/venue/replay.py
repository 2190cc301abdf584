"""Markets that were recorded: bars from CSV files, or raw streams; when they begin and end.

A minute that is absent from a file, or that has no volume, has no trades and therefore no candle.
Everything before the start is history from the first moment on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from bus.errors import SettingsError
from bus.world import is_bar_file
from schema.settings import VenueSettings
from schema.units import MS_NS, iso, parse_iso, quote_exp
from services.venue.barfile import EXP, INT_MAX, BarFile, read_bars
from services.venue.book import Top, top_after
from services.venue.columns import DAY_MS, MINUTE_MS, Bars, Facts, Tape, no_trades
from services.venue.market import Market
from services.venue.noise import Ints, key
from services.venue.recording import open_recordings
from services.venue.tape import LEAST_MAX, Chance, counts, make_tape

WARM_UP_MS = 7 * DAY_MS
WARM_UP_SHARE = 4
BOOK_SHARE = 20


@dataclass(frozen=True)
class Replay:
    """A recorded market, and the time at which its replay begins."""

    market: Market
    start_ms: int


class Series:
    """One symbol's bars, the ids of their trades, and where each day begins."""

    def __init__(self, seed: int, symbol: str, files: list[BarFile]) -> None:
        px_exp, qty_exp = max(file.px_exp for file in files), _qty_exp(files)
        parts = [file.bars(px_exp, qty_exp) for file in files]
        self.chance = Chance(seed, symbol)
        self.bars = _with_counts(self.chance, parts)
        self.first_ids: Ints = np.cumsum(self.bars.count) - self.bars.count + 1
        self.first_ms = files[0].at_ms[0]
        self.end_ms = files[-1].at_ms[-1] + MINUTE_MS - 1
        close, volume = self.bars.close, self.bars.volume
        self.facts = Facts(
            symbol=symbol,
            px_exp=px_exp,
            qty_exp=qty_exp,
            grid=max(1, int(close[0]) // 100_000) if len(close) else 1,
            depth_lots=max(1, int(np.median(volume)) // BOOK_SHARE) if len(volume) else 1,
            key=key(seed, symbol, "book"),
        )

    def rows_of(self, day: int) -> tuple[int, int]:
        """Return where a day's minutes stand."""
        ends = np.array([day * DAY_MS, (day + 1) * DAY_MS], np.int64)
        start, stop = np.searchsorted(self.bars.open_ms, ends)
        return int(start), int(stop)

    def next_id(self, row: int) -> int:
        """Return the id of the first trade at or after a row."""
        whole = int(self.bars.count.sum())
        return int(self.first_ids[row]) if row < len(self.first_ids) else whole + 1


def _qty_exp(files: Sequence[BarFile]) -> int:
    """Return the decimals of a quantity: eight, or fewer where a day's sums ask for room."""
    px_exp = max(file.px_exp for file in files)
    needed = max(_least_exp(file) for file in files)
    days = [_busiest_day(file) for file in files]
    lots, money = max(day[0] for day in days), max(day[1] for day in days)
    for exp in range(EXP, needed - 1, -1):
        if max(lots * 10**exp, money * 10 ** quote_exp(px_exp, exp)) < INT_MAX:
            return exp
    raise SettingsError(
        f"{files[0].path}: expected days whose volume and turnover fit 64 bits at {needed} and "
        f"{quote_exp(px_exp, needed)} decimals, found {lots:.0f} and {money:.0f} in one day",
        "Correct the file, or name another one in venue.replay",
    )


def _least_exp(file: BarFile) -> int:
    # The smallest bar must still have a lot for each of the trades that its prices need.
    smallest = min(filter(None, file.volume), default=0)
    fits = (exp for exp in range(file.qty_exp, EXP) if smallest // 10 ** (EXP - exp) >= LEAST_MAX)
    return next(fits, EXP)


def _busiest_day(file: BarFile) -> tuple[float, float]:
    day = np.array(file.at_ms, np.int64) // DAY_MS
    volume = np.array(file.volume, np.float64) / 10**EXP
    money = volume * np.array(file.high, np.float64) / 10**EXP
    lots, worth = (np.bincount(day - day[0], weights=column).max() for column in (volume, money))
    return float(lots), float(worth)


def _with_counts(chance: Chance, parts: list[Bars]) -> Bars:
    whole = Bars(
        *(
            np.concatenate([getattr(part, column) for part in parts])
            for column in ("open_ms", "open", "high", "low", "close", "volume", "count")
        )
    )
    columns = (whole.open_ms, whole.open, whole.high, whole.low, whole.close, whole.volume)
    return Bars(*columns, counts(chance, whole))


class BarReplay(Market):
    """The market of CSV files."""

    end_ms: int

    def __init__(self, seed: int, files: dict[str, list[BarFile]]) -> None:
        super().__init__()
        series = [Series(seed, symbol, of_symbol) for symbol, of_symbol in files.items()]
        self._series = {one.facts.id: one for one in series}
        self.facts = {name: one.facts for name, one in self._series.items()}
        self.first_ms = min(one.first_ms for one in series)
        self.end_ms = max(one.end_ms for one in series)
        self.common_ms = max(one.first_ms for one in series)  # from here on all have history

    def make_bars(self, symbol: str, day: int) -> Bars:
        series = self._series[symbol]
        return series.bars.slice(*series.rows_of(day))

    def make_tape(self, symbol: str, day: int) -> Tape:
        series = self._series[symbol]
        start, stop = series.rows_of(day)
        if start == stop:
            return no_trades(series.next_id(start))
        return make_tape(series.chance, self.bars(symbol, day), int(series.first_ids[start]))

    def top(self, symbol: str, at_ms: int) -> Top:
        at_ms = self._last_ms(at_ms)
        last = self.tape_until(symbol, 1, at_ms + 1)
        return top_after(self.facts[symbol], last, at_ms)

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        series = self._series[symbol]
        row = int(np.searchsorted(series.first_ids, trade_id, "right")) - 1
        return int(series.bars.open_ms[max(row, 0)]) // DAY_MS if len(series.first_ids) else 0


@lru_cache(maxsize=1)
def open_replay(venue: VenueSettings) -> Replay:
    """Return the market of the files that the settings name; SettingsError when one is damaged."""
    paths = [Path(name).expanduser() for name in venue.replay]
    are_bars = [is_bar_file(path.name) for path in paths]
    if all(are_bars):
        files: dict[str, list[BarFile]] = {}
        for symbol, path in zip(venue.symbol, paths, strict=True):
            files.setdefault(symbol, []).append(read_bars(path))
        for of_symbol in files.values():
            _check_order(of_symbol)
        bars = BarReplay(venue.seed, files)
        return Replay(bars, _start_ms(venue.start, bars, bars.common_ms))
    if any(are_bars):
        raise SettingsError(
            "`venue.replay` names CSV files and raw recordings together",
            "Replay either bars or recordings",
        )
    recorded = open_recordings(paths, venue.seed)
    _check_symbols(venue.symbol, [facts.symbol for facts in recorded.facts.values()])
    return Replay(recorded, _start_ms(venue.start, recorded, recorded.first_ms))


def _check_symbols(wanted: Sequence[str], recorded: Sequence[str]) -> None:
    for symbol in wanted:
        if symbol not in recorded:
            raise SettingsError(
                f"`venue.symbol` names {symbol}, and the recordings hold {' '.join(recorded)}",
                f"Set RRR_VENUE__SYMBOL={recorded[0] if len(recorded) == 1 else list(recorded)}",
            )


def _check_order(files: list[BarFile]) -> None:
    for before, after in pairwise(files):
        if after.at_ms[0] <= before.at_ms[-1]:
            raise SettingsError(
                f"{after.path} begins at {after.at_ms[0]}: expected a time after "
                f"{before.at_ms[-1]}, the last of {before.path}, which is the same symbol",
                "Name the files of a symbol in the order of their times, without an overlap",
            )


def _start_ms(text: str, market: Market, first_ms: int) -> int:
    end_ms = market.end_ms
    assert end_ms is not None
    if not text:
        share_ms = max(0, end_ms + 1 - first_ms) // WARM_UP_SHARE
        return first_ms + min(WARM_UP_MS, share_ms // MINUTE_MS * MINUTE_MS)
    start_ms = parse_iso(text) // MS_NS
    if not market.first_ms <= start_ms <= end_ms:
        raise SettingsError(
            f"`venue.start` is {text}: expected a time from {iso(market.first_ms * MS_NS)} to "
            f"{iso(end_ms * MS_NS)}, which is what the files hold",
            "Set it inside, or leave it empty",
        )
    return start_ms
