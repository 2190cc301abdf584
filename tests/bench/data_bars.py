"""Bars out of trades, as the books of ingest fold them, beside the same sums in plain Python."""

from collections.abc import Callable, Iterator
from statistics import median

from bus.clock import SystemClock
from schema.market import Trade
from services.ingest import state
from services.ingest.bars import close_bars
from services.ingest.line import Line, Pace, Pass
from services.ingest.state import Feed
from tests.bench.figure import Figure

SYMBOLS = 200
TRADES = 100_000
ROUNDS = 7
MINUTE_NS = 60_000_000_000
START_NS = 1_750_000_020_000_000_000 // MINUTE_NS * MINUTE_NS
STEP_NS = 3 * MINUTE_NS // TRADES
NS_PER_S = 1e9
_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Count the trades a second that become bars, of 200 symbols in turn, on one core."""
    trades = _tape()
    rounds = [(_rate(trades, _folded), _rate(trades, _summed)) for _ in range(ROUNDS)]
    ours, raw = (median(column) for column in zip(*rounds, strict=True))
    yield Figure("data.bars", ours, raw, "trades/s")


def _tape() -> list[Trade]:
    return [
        Trade(
            ts_event=START_NS + number * STEP_NS,
            trace=number,
            symbol=f"S{number % SYMBOLS:03}/USDT",
            trade_id=number // SYMBOLS + 1,
            px=6_000_000 + number * 7_919 % 1_000,
            qty=1 + number * 104_729 % 5_000,
            buyer_maker=number % 3 == 0,
            px_exp=2,
            qty_exp=5,
        )
        for number in range(TRADES)
    ]


def _rate(trades: list[Trade], run: Callable[[list[Trade]], None]) -> float:
    begun_ns = _clock.mono_ns()
    run(trades)
    return len(trades) * NS_PER_S / (_clock.mono_ns() - begun_ns)


def _folded(trades: list[Trade]) -> None:
    """Fold trades into the books of their symbols, and close every minute that is over."""
    feeds = {trade.symbol: Feed(symbol=trade.symbol) for trade in trades[:SYMBOLS]}
    lines = {symbol: Line() for symbol in feeds}
    pace = Pace(grace_ns=0, stale_ns=0, history_ns=0)
    apply, open_ns = state.apply, START_NS
    for trade in trades:
        if trade.ts_event >= open_ns + MINUTE_NS:
            open_ns += MINUTE_NS
            for symbol, feed in feeds.items():
                _close(feed, lines[symbol], pace, open_ns)
        apply(feeds[trade.symbol], trade)


def _close(feed: Feed, line: Line, pace: Pace, now_ns: int) -> None:
    line.complete_ns = line.rest_ns = now_ns
    turn = Pass(feed, line, pace, now_ns)
    close_bars(turn)
    assert turn.said, "a minute is over"
    for bar in turn.said:
        state.apply(feed, bar)  # type: ignore[arg-type] # bars alone


def _summed(trades: list[Trade]) -> None:
    """Make the same minutes in a list of numbers each, with nothing around it."""
    made: dict[tuple[str, int], list[int]] = {}
    for trade in trades:
        px, qty = trade.px, trade.qty
        key = trade.symbol, trade.ts_event // MINUTE_NS
        row = made.get(key)
        if row is None:
            made[key] = [px, px, px, px, qty, px * qty, 1]
            continue
        row[1] = max(row[1], px)
        row[2] = min(row[2], px)
        row[3] = px
        row[4] += qty
        row[5] += px * qty
        row[6] += 1
