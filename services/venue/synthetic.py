"""A market that nobody traded: seeded, with regimes, jumps and clustered volatility.

Each day is computed by itself. Its first and last price are read from noise over days, and a walk
of 1,440 minutes is bent to run between the two, so any day is a few milliseconds away and two
neighbours meet. Each day holds the same number of trades, so trade ids can be computed as well.
"""

from dataclasses import dataclass

import numpy as np

from services.venue.columns import DAY_MS, MINUTE_MS, Bars, Facts, Tape
from services.venue.market import Market
from services.venue.noise import Floats, Ints, bell, key, uniform, wave
from services.venue.tape import Chance, make_tape

GENESIS_DAY = 16_436  # 2015-01-01: trade 1
MINUTES = 1_440
OCTAVES = ((64, 0.20), (32, 0.14), (16, 0.10), (8, 0.07), (4, 0.05), (2, 0.03), (1, 0.02))
MINUTE_VOLATILITY = 0.0006
JUMPS_PER_DAY = 1.5
JUMP_SIZE = 0.005
AFTERSHOCK_MINUTES = 90
AFTERSHOCK_DECAY = 0.965
REGIME_MINUTES = 540
CLUSTER_MINUTES = 17
COUNT_MIN = 4
LOTS_MIN = 10


@dataclass(frozen=True)
class Listing:
    """Where a symbol lives: its level, its precision, its traffic."""

    level: int  # usual price, in ticks
    px_exp: int
    qty_exp: int
    lots: int  # usual volume of a minute
    trades: int  # of a day
    nerves: float  # its volatility, relative to the first


LISTED = {
    "BTC/USDT": Listing(6_500_000, 2, 5, 1_400_000, 28_800, 1.0),
    "ETH/USDT": Listing(320_000, 2, 4, 2_500_000, 21_600, 1.25),
    "SOL/USDT": Listing(15_000, 2, 3, 4_000_000, 14_400, 1.6),
}


def listing(seed: int, symbol: str) -> Listing:
    """Return a symbol's place in the market; one that is not listed gets one by its name."""
    found = LISTED.get(symbol)
    if found is None:
        level = 10_000 + key(seed, symbol, "level") % 990_000
        found = Listing(level, 4, 2, 1_000_000, 10_080, 1.4)
    return found


class Symbol:
    """One symbol of the synthetic market, a day at a time."""

    def __init__(self, seed: int, name: str) -> None:
        self.listing = listing(seed, name)
        self.chance = Chance(seed, name)
        self._key = {
            part: key(seed, name, part)
            for part in (
                *("level", "walk", "regime", "cluster", "jump", "jump size"),
                *("high", "low", "gap", "volume"),
            )
        }
        self.facts = Facts(
            symbol=name,
            px_exp=self.listing.px_exp,
            qty_exp=self.listing.qty_exp,
            grid=max(1, self.listing.level // 100_000),
            depth_lots=self.listing.lots // 20,
            key=key(seed, name, "book"),
        )

    def first_id(self, day: int) -> int:
        """Return the id of the day's first trade."""
        return (day - GENESIS_DAY) * self.listing.trades + 1

    def bars(self, day: int) -> Bars:
        """Return the minutes of a day."""
        minute = day * MINUTES + np.arange(MINUTES, dtype=np.int64)
        nerves = self._nerves(minute)
        edge = self._edge_price(np.array([day, day + 1], np.int64))
        move = nerves * bell(self._key["walk"], minute) + self._jumps(minute)
        close = _bent(move, nerves, float(edge[0]), float(edge[1]))
        gap = np.rint(uniform(self._key["gap"], minute) * 2.0 - 1.0).astype(np.int64)
        open_ = np.maximum(np.concatenate([edge[:1], close[:-1]]) + gap, 1)
        bars = self._with_traffic(minute, nerves, open_, close)
        assert int(bars.low.min()) > 0
        return bars

    def _edge_price(self, day: Ints) -> Ints:
        drift = np.zeros(len(day))
        for period, size in OCTAVES:
            drift = drift + size * wave(self._key["level"] + period, day / period)
        return np.rint(self.listing.level * (1.0 + drift)).astype(np.int64)

    def _nerves(self, minute: Ints) -> Floats:
        mood = wave(self._key["regime"], minute / REGIME_MINUTES)
        regime = np.select([mood < -0.25, mood > 0.4], [0.5, 2.2], 1.0)
        cluster = 1.0 + 0.6 * wave(self._key["cluster"], minute / CLUSTER_MINUTES)
        hour = (minute % MINUTES) / 60.0
        season = 1.3 - np.abs(hour - 14.0) * 0.05
        calm = self.listing.nerves * MINUTE_VOLATILITY * regime * cluster * season
        return calm * (1.0 + self._aftershock(minute))

    def _jumped(self, minute: Ints) -> Floats:
        return (uniform(self._key["jump"], minute) < JUMPS_PER_DAY / MINUTES).astype(np.float64)

    def _jumps(self, minute: Ints) -> Floats:
        return self._jumped(minute) * bell(self._key["jump size"], minute) * JUMP_SIZE

    def _aftershock(self, minute: Ints) -> Floats:
        before = np.arange(minute[0] - AFTERSHOCK_MINUTES, minute[-1] + 1, dtype=np.int64)
        jumped = self._jumped(before)
        shock, weight = np.zeros(len(minute)), 2.0
        for lag in range(AFTERSHOCK_MINUTES):
            start = AFTERSHOCK_MINUTES - lag
            shock = shock + weight * jumped[start : start + len(minute)]
            weight *= AFTERSHOCK_DECAY
        return shock

    def _with_traffic(self, minute: Ints, nerves: Floats, open_: Ints, close: Ints) -> Bars:
        up = uniform(self._key["high"], minute)
        down = uniform(self._key["low"], minute)
        reach = nerves * close * 1.2
        top, bottom = np.maximum(open_, close), np.minimum(open_, close)
        excited = nerves / (self.listing.nerves * MINUTE_VOLATILITY)
        luck = uniform(self._key["volume"], minute)
        active = (0.3 + excited) * (0.25 + 3.0 * luck * luck * luck)
        count = self._counts(active)
        lots = (self.listing.lots * 0.6 * active).astype(np.int64)
        return Bars(
            open_ms=minute * MINUTE_MS,
            open=open_,
            high=top + (up * up * reach).astype(np.int64),
            low=np.maximum(bottom - (down * down * reach).astype(np.int64), 1),
            close=close,
            volume=np.maximum(lots, count * LOTS_MIN),
            count=count,
        )

    def _counts(self, active: Floats) -> Ints:
        units = ((0.6 + active) * 1e6).astype(np.int64)
        upto = np.cumsum(units)
        spare = self.listing.trades - COUNT_MIN * MINUTES
        given = upto * spare // upto[-1]
        found: Ints = COUNT_MIN + np.diff(given, prepend=0)
        return found


def _bent(move: Floats, nerves: Floats, start: float, end: float) -> Ints:
    # A bridge in the time of its own variance: the pull to the end works while there is movement.
    walk = np.cumsum(move)
    spent = np.cumsum(nerves * nerves)
    share = spent / spent[-1]
    px = (start + (end - start) * share) * (1.0 + walk - share * walk[-1])
    close: Ints = np.maximum(np.rint(px).astype(np.int64), 2)
    close[-1] = int(end)
    return close


class Synthetic(Market):
    """The default market; it has no end."""

    def __init__(self, seed: int, symbols: tuple[str, ...], first_day: int) -> None:
        super().__init__()
        self._symbols = {symbol.facts.id: symbol for symbol in (Symbol(seed, s) for s in symbols)}
        self.facts = {name: symbol.facts for name, symbol in self._symbols.items()}
        self.first_ms = max(first_day, GENESIS_DAY) * DAY_MS

    def make_bars(self, symbol: str, day: int) -> Bars:
        return self._symbols[symbol].bars(day)

    def make_tape(self, symbol: str, day: int) -> Tape:
        of = self._symbols[symbol]
        return make_tape(of.chance, self.bars(symbol, day), of.first_id(day))

    def day_of_id(self, symbol: str, trade_id: int) -> int:
        return GENESIS_DAY + (trade_id - 1) // self._symbols[symbol].listing.trades
