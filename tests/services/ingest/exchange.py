"""An exchange as a list of trades, and a stand on which the core of ingest hears from it."""

import json
from bisect import bisect_right
from collections.abc import Iterable
from itertools import groupby

import msgspec

from schema.head import Effect, Message
from schema.house import Started, Timer, Unanswered, Wake
from schema.market import Bar, FeedGap, FeedStatus, Trade
from schema.setting_types import TIMEFRAMES_NS
from schema.settings import Settings
from services.ingest.core import Ingest
from services.ingest.effects import (
    NONE,
    AskTime,
    Connected,
    FetchBars,
    FetchedBars,
    FetchedTrades,
    FetchTrades,
    Listed,
    LiveTrades,
    Obey,
    Offline,
    RawBar,
    RawTrade,
    Redial,
    Redialed,
    TimeAsked,
)
from tests.services.shipped import shipped

SYMBOL = "BTC/USDT"
MINUTE_MS = 60_000
DAY_MS = 86_400_000
MS = 1_000_000
START_MS = 1_750_000_020_000 // DAY_MS * DAY_MS + 30 * MINUTE_MS
GRACE_MS = 2_000
STALE_MS = 30_000
PAGE = 50

FILTERS = [
    {
        "filterType": "PRICE_FILTER",
        "minPrice": "0.01",
        "maxPrice": "1000000.00",
        "tickSize": "0.01",
    },
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000"},
]

MARKET = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "MARKET"],
    "filters": FILTERS,
}


def settings(
    port: int = 8090,
    symbols: tuple[str, ...] = (SYMBOL,),
    stale_ms: int = STALE_MS,
    quote_ms: int = 0,
    scale: float = 1.0,
    *,
    check: bool = False,
    sofar_ms: int = 0,
) -> Settings:
    return shipped(
        RRR_CLOCK__SCALE="1",
        RRR_PORTS__VENUE=str(port),
        RRR_VENUE__SYMBOL=json.dumps(symbols),
        RRR_INGEST__HISTORY_DAYS="1",
        RRR_INGEST__BAR_GRACE_MS=str(GRACE_MS),
        RRR_INGEST__STALE_DATA_MS=str(stale_ms),
        RRR_INGEST__QUOTE_MS=str(quote_ms),
        RRR_INGEST__MUTE_MS=str(int(2_000 * scale)),
        RRR_INGEST__FUTURE_MS=str(int(5_000 * scale)),
        RRR_INGEST__CHECK_BARS=str(check).lower(),
        RRR_INGEST__SOFAR_MS=str(sofar_ms),
    )


def decimal(n: int, exp: int) -> str:
    return f"{n // 10**exp}.{n % 10**exp:0{exp}d}" if exp else str(n)


def fold(
    trades: Iterable[RawTrade], timeframe: str, exps: tuple[int, int] = (2, 5)
) -> list[tuple[int, ...]]:
    """Return (open_ns, open, high, low, close, volume, trades) of a tape, straight from it."""
    step_ms = TIMEFRAMES_NS[timeframe] // MS
    bars: list[tuple[int, ...]] = []
    for open_ms, group in groupby(trades, lambda trade: trade[3] // step_ms * step_ms):
        rows = list(group)
        prices = [as_int(row[1], exps[0]) for row in rows]
        volume = sum(as_int(row[2], exps[1]) for row in rows)
        bars.append(
            (open_ms * MS, prices[0], max(prices), min(prices), prices[-1], volume, len(rows))
        )
    return bars


def as_int(text: str, exp: int) -> int:
    whole, _, decimals = text.partition(".")
    return int(whole + decimals.ljust(exp, "0"))


def row_of(bar: Bar) -> tuple[int, ...]:
    return (bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades)


class Exchange:
    """Answers from a tape, and only what has happened by then."""

    def __init__(self, tape: list[RawTrade], recent: int = PAGE, kept_from: int = 0) -> None:
        self.tape = tape
        self.recent = recent
        self.kept_from = kept_from  # trades before this can no longer be fetched

    def until(self, now_ns: int) -> list[RawTrade]:
        return self.tape[: bisect_right(self.tape, now_ns // MS, key=lambda trade: trade[3])]

    def answer(
        self, effect: Effect, now_ns: int
    ) -> FetchedTrades | FetchedBars | Redialed | TimeAsked:
        match effect:
            case FetchTrades():
                return self._trades(effect, self.until(now_ns))
            case FetchBars():
                return self._bars(effect, self.until(now_ns))
            case AskTime():
                return TimeAsked(effect_id=effect.effect_id, symbol=effect.symbol)
            case Redial():
                return Redialed(effect_id=effect.effect_id, symbol=effect.symbol)
        raise AssertionError(effect)

    def _trades(self, effect: FetchTrades, there: list[RawTrade]) -> FetchedTrades:
        kept = [trade for trade in there if trade[0] >= max(self.kept_from, effect.from_id)]
        found = there[-self.recent :] if effect.from_id == NONE else kept[:PAGE]
        return FetchedTrades(
            effect_id=effect.effect_id,
            symbol=effect.symbol,
            trades=tuple(found),
            head_id=there[-1][0] if there else NONE,
        )

    def _bars(self, effect: FetchBars, there: list[RawTrade]) -> FetchedBars:
        rows: list[RawBar] = []
        for open_ns, open_px, high, low, close, volume, trades in fold(there, "1m"):
            if effect.start_ns <= open_ns < effect.until_ns:
                prices = (decimal(px, 2) for px in (open_px, high, low, close))
                row = (open_ns // MS, *prices, decimal(volume, 5), "0", trades)
                rows.append(row)  # type: ignore[arg-type]
        page = tuple(rows[:3])
        whole = len(rows) <= 3
        through_ns = effect.until_ns if whole else page[-1][0] * MS + 60_000 * MS
        return FetchedBars(
            effect_id=effect.effect_id, symbol=effect.symbol, bars=page, through_ns=through_ns
        )


class Stand:
    """Plays the runner and the edge for one core, one input at a time."""

    def __init__(
        self,
        exchange: Exchange,
        now_ns: int,
        quote_ms: int = 0,
        *,
        check: bool = False,
        sofar_ms: int = 0,
    ) -> None:
        self.settings = settings(quote_ms=quote_ms, check=check, sofar_ms=sofar_ms)
        self.exchange = exchange
        self.now_ns = now_ns
        self.said: list[Message] = []
        self.obeyed: list[int] = []
        self.fresh()

    def fresh(self) -> None:
        self.core = Ingest(self.settings)
        self._begin()

    def restart(self, *, from_snapshot: bool) -> None:
        """Kill the core and start another from a snapshot, or from all that was ever said."""
        packed = msgspec.msgpack.encode(self.core.state)
        self.core = Ingest(self.settings)
        if from_snapshot:
            self.core.state = msgspec.msgpack.decode(packed, type=type(self.core.state))
        else:
            for message in self.said:
                self.core.apply(message)
        self._begin()

    def _begin(self) -> None:
        self.effects: list[Effect] = []
        self.timers: dict[str, int] = {}
        self.sent = len(self.exchange.until(self.now_ns))
        self.hear(Started(epoch=1, grade="fresh"))

    def hear(self, message: object) -> None:
        for out in self.core.handle(message, self.now_ns):  # type: ignore[arg-type]
            if isinstance(out, Message):
                self.core.apply(out)
                self.said.append(out)
            elif isinstance(out, Obey):
                self.obeyed.append(out.retry_wall_ms)
            elif isinstance(out, Effect):
                self.effects.append(out)
            else:
                assert isinstance(out, Wake)
                self.timers[out.name] = out.at_ns

    def open(self) -> None:
        self.hear(Listed(markets={SYMBOL: MARKET}))

    def connect(self) -> None:
        self.sent = len(self.exchange.until(self.now_ns))
        self.hear(Connected(symbol=SYMBOL))

    def drop(self) -> None:
        self.hear(Offline(reason="the connection dropped"))

    def answer(self, index: int = 0) -> None:
        self.hear(self.exchange.answer(self.effects.pop(index), self.now_ns))

    def refuse(self, index: int = 0) -> None:
        self.hear(Unanswered(effect_id=self.effects.pop(index).effect_id, reason="no answer"))

    def settle(self) -> None:
        for _ in range(1_000):
            if not self.effects:
                return
            self.answer()
        raise AssertionError(f"never at rest: {self.effects}")

    def advance(self, ms: int) -> None:
        """Let time pass; every timer that comes due is heard at its time."""
        end_ns = self.now_ns + ms * MS
        while due := sorted((at, name) for name, at in self.timers.items() if at <= end_ns):
            at_ns, name = due[0]
            del self.timers[name]
            self.now_ns = max(self.now_ns, at_ns)
            self.hear(Timer(name=name, at_ns=at_ns))
        self.now_ns = end_ns

    def due(self) -> tuple[RawTrade, ...]:
        """Return the trades since the last ones that the live feed brought."""
        there = self.exchange.until(self.now_ns)
        new, self.sent = there[self.sent :], len(there)
        return tuple(new)

    def live(self, trades: tuple[RawTrade, ...]) -> None:
        if trades:
            self.hear(LiveTrades(symbol=SYMBOL, trades=trades, recv_ns=self.now_ns))

    def trades(self) -> list[int]:
        return [m.trade_id for m in self.said if isinstance(m, Trade)]

    def bars(self, timeframe: str = "1m") -> list[Bar]:
        return [m for m in self.said if isinstance(m, Bar) and m.timeframe == timeframe]

    def gaps(self) -> list[FeedGap]:
        return [m for m in self.said if isinstance(m, FeedGap)]

    def status(self) -> str:
        return [m for m in self.said if isinstance(m, FeedStatus)][-1].state


def tape_of(gaps_ms: list[int], first_id: int = 1) -> list[RawTrade]:
    """Return a tape whose trades follow each other at these distances."""
    tape: list[RawTrade] = []
    at_ms = START_MS
    for index, gap_ms in enumerate(gaps_ms):
        at_ms += gap_ms
        px = decimal(6_000_000 + (index * 7919) % 1000, 2)
        qty = decimal(1 + (index * 104729) % 5000, 5)
        tape.append((first_id + index, px, qty, at_ms, index % 3 == 0))
    return tape
