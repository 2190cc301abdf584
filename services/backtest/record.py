"""A run as it is kept and drawn: what it came to, its round trips, and the points of its curves."""

from collections.abc import Iterator

import msgspec

from schema.head import Message
from schema.house import BacktestResult, RunEquity, RunPrices, RunTrade, RunTrades
from services.backtest.figures import About, Outcome, outcome_of
from services.backtest.picture import Picture
from services.backtest.tally import Tally
from services.backtest.thinning import thinned
from services.backtest.trips import MONEY_EXP

POINTS_MAX = 10_000
TRADES_OF_A_WORD = 500


class Record(msgspec.Struct, frozen=True):
    """A run that is over."""

    outcome: Outcome
    trades: tuple[RunTrade, ...]
    equity: RunEquity
    prices: tuple[RunPrices, ...]

    @property
    def report(self) -> str:
        """The outcome as JSON."""
        return msgspec.json.encode(self.outcome).decode()

    def picture(self) -> Picture:
        """Return what a page shows of it."""
        report = msgspec.json.decode(self.report)
        return Picture(report, self.trades, self.equity, self.prices)


def record_of(about: About, tally: Tally) -> Record:
    """Return a run that is over, whole."""
    at_ns = tally.at_ns
    places = thinned(tally.equity, POINTS_MAX)
    equity = RunEquity(
        ts_event=at_ns[-1],
        run_id=about.run_id,
        at_ns=tuple(at_ns[place] for place in places),
        equity=tuple(tally.equity[place] for place in places),
        exp=MONEY_EXP,
    )
    known = [symbol for symbol, prices in tally.prices.items() if prices[0]]
    prices = (_prices(about, tally, symbol, POINTS_MAX // len(known)) for symbol in known)
    trades = tuple(_within(trip, tally.bars - 1) for trip in tally.trips)
    return Record(outcome_of(about, tally), trades, equity, tuple(prices))


def words_of(record: Record, world: str, at_ns: int) -> Iterator[Message]:
    """Yield what is said of a run, each word small enough for a frame."""
    outcome = record.outcome
    yield BacktestResult(
        ts_event=at_ns,
        run_id=outcome.run_id,
        strategy=outcome.strategy,
        world=world,
        metrics=tuple(outcome.metrics.items()),
        orders=outcome.orders,
        fingerprint=outcome.fingerprint,
        report=record.report,
    )
    for first in range(0, len(record.trades), TRADES_OF_A_WORD):
        trades = record.trades[first : first + TRADES_OF_A_WORD]
        yield RunTrades(ts_event=at_ns, run_id=outcome.run_id, first=first, trades=trades)
    yield msgspec.structs.replace(record.equity, ts_event=at_ns)
    for prices in record.prices:
        yield msgspec.structs.replace(prices, ts_event=at_ns)


def _within(trip: RunTrade, last_bar: int) -> RunTrade:
    # What is closed because the run is over is closed behind its last bar.
    if trip.closed_bar <= last_bar:
        return trip
    return msgspec.structs.replace(trip, closed_bar=last_bar)


def _prices(about: About, tally: Tally, symbol: str, points_max: int) -> RunPrices:
    prices = tally.prices[symbol]
    places = thinned(prices, points_max)
    return RunPrices(
        ts_event=tally.at_ns[-1],
        run_id=about.run_id,
        symbol=symbol,
        at_ns=tuple(tally.at_ns[place] for place in places),
        px=tuple(prices[place] for place in places),
        px_exp=tally.lanes[symbol].instrument.px_exp,
    )
