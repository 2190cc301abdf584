"""What a run came to: figures, tags, the baseline, statistics, and what it was made of."""

from collections.abc import Iterable, Sequence
from math import fsum

import msgspec
import numpy as np

from schema.house import RunTrade
from schema.strategy import Scalar
from schema.units import floor_scale, iso, to_text
from services.backtest.measures import of_equity, of_trips
from services.backtest.published import Run, Trade, statistics
from services.backtest.tally import Tally
from services.backtest.trips import MONEY_EXP

UNIT = 10.0**MONEY_EXP
TAGS_MAX = 100
REFUSALS_MAX = 10
OTHERS = "(others)"
BALANCE_EXP = 8


class About(msgspec.Struct, frozen=True):
    """What was run: enough to say in what another run differs from it."""

    run_id: str
    strategy: str
    symbols: tuple[str, ...]
    timeframe: str  # of the bars that were played
    fills: str = "book"  # book | close | next_open
    file: str = ""  # the strategy's source
    params: dict[str, Scalar] = {}
    settings: dict[str, str] = {}  # by dotted name, as text
    digests: dict[str, str] = {}  # code, data, source ... by name
    first_bar: int = 0  # the first one that the strategy is asked at


class Tagged(msgspec.Struct, frozen=True):
    """The round trips of one tag; `total` and `fees` are exact."""

    tag: str
    trips: int
    win_rate: float
    mean: float
    total: str
    fees: str


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to; money as text is exact.

    `quote` and `base` are what the account holds at the end, of the first symbol's assets;
    `opening`, `final` and `equity_final` are the strategy's worth.
    """

    run_id: str
    strategy: str
    symbol: str
    symbols: tuple[str, ...]
    timeframe: str
    first: str
    last: str
    bars: int
    orders: int
    fills: int
    trades: int
    open_trades: int
    opening: str
    final: str
    equity_final: float
    quote: str
    base: str
    quote_asset: str
    base_asset: str
    balances: dict[str, str]
    denied: int
    denials: dict[str, int]
    refusals: dict[str, int]  # targets that the engine itself made no order of
    failures: list[str]
    metrics: dict[str, float]
    buy_and_hold: dict[str, float]
    by_entry: list[Tagged]
    by_exit: list[Tagged]
    statistics: dict[str, float | int | str]
    filling: str
    file: str
    params: dict[str, Scalar]
    settings: dict[str, str]
    digests: dict[str, str]
    fingerprint: str


def outcome_of(about: About, tally: Tally) -> Outcome:
    """Return all that is said of a run that is over."""
    balances = {
        asset: to_text(floor_scale(one.amount, one.exp, BALANCE_EXP), BALANCE_EXP)
        for asset, one in sorted(tally.ledger.balances.items())
    }
    base, _, quote = about.symbols[0].partition("/")
    none = to_text(0, BALANCE_EXP)
    return Outcome(
        run_id=about.run_id,
        strategy=about.strategy,
        symbol=" ".join(about.symbols),
        symbols=about.symbols,
        timeframe=about.timeframe,
        first=iso(tally.at_ns[0]),
        last=iso(tally.at_ns[-1]),
        bars=tally.bars,
        orders=tally.orders,
        fills=tally.fills,
        trades=len(tally.trips),
        open_trades=sum(lane.trip is not None for lane in tally.lanes.values()),
        opening=to_text(tally.equity[0], MONEY_EXP),
        final=to_text(tally.equity[-1], MONEY_EXP),
        equity_final=tally.equity[-1] / UNIT,
        quote=balances.get(quote, none),
        base=balances.get(base, none),
        quote_asset=quote,
        base_asset=base,
        balances=balances,
        denied=tally.denials.total(),
        denials=dict(sorted(tally.denials.items())),
        refusals=dict(tally.refusals.most_common(REFUSALS_MAX)),
        failures=tally.failures,
        metrics=_metrics(tally),
        buy_and_hold=_held(tally),
        by_entry=by_tag((trip.entry_tag, trip) for trip in tally.trips),
        by_exit=by_tag((trip.exit_tag, trip) for trip in tally.trips),
        statistics=statistics(_as_published(about, tally)),
        filling=about.fills,
        file=about.file,
        params=about.params,
        settings=about.settings,
        digests=about.digests,
        fingerprint=tally.fingerprint(),
    )


def by_tag(tagged: Iterable[tuple[str, RunTrade]]) -> list[Tagged]:
    """Return the figures of each tag, the one with the most trips first; the rare ones as one."""
    found: dict[str, list[RunTrade]] = {}
    for tag, trip in tagged:
        found.setdefault(tag, []).append(trip)
    ranked = sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    if len(ranked) > TAGS_MAX:
        rest = [trip for _, trips in ranked[TAGS_MAX:] for trip in trips]
        ranked = [*ranked[:TAGS_MAX], (OTHERS, rest)]
    return [_tagged(tag, trips) for tag, trips in ranked]


def _tagged(tag: str, trips: Sequence[RunTrade]) -> Tagged:
    count = len(trips)
    return Tagged(
        tag=tag,
        trips=count,
        win_rate=sum(trip.gain > 0 for trip in trips) / count,
        mean=fsum(trip.gain for trip in trips) / count / UNIT,
        total=to_text(sum(trip.gain for trip in trips), MONEY_EXP),
        fees=to_text(sum(trip.fees for trip in trips), MONEY_EXP),
    )


def _metrics(tally: Tally) -> dict[str, float]:
    worth, at_ns = np.array(tally.equity) / UNIT, np.array(tally.at_ns)
    return {
        **of_equity(worth, at_ns, tally.step_ns),
        **of_trips([gain / UNIT for gain in tally.gains]),
        "exposure": tally.exposed / tally.bars,
        "turnover": tally.traded / tally.budget,
        "fees": tally.fees / UNIT,
    }


def _held(tally: Tally) -> dict[str, float]:
    """Return what the same money came to that bought all symbols at the start, each as much."""
    return of_equity(_market(tally), np.array(tally.at_ns), tally.step_ns)


def _market(tally: Tally) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    grown = [np.array(prices) / prices[0] for prices in tally.prices.values() if prices[0]]
    market: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.mean(grown, axis=0)
    return market


def _as_published(about: About, tally: Tally) -> Run:
    last = tally.bars - 1
    return Run(
        equity=np.array(tally.equity[1:]) / UNIT,
        opened_ns=np.array(tally.at_ns[1:]) - tally.step_ns,
        closes=_market(tally)[1:],
        trades=[
            Trade(
                first_bar=min(trip.opened_bar, last),
                last_bar=min(trip.closed_bar, last),
                cost=trip.entry_px * trip.qty / 10.0**trip.qty_exp,
                gain=trip.gain / UNIT,
            )
            for trip in tally.trips
        ],
        fees=sum(trip.fees for trip in tally.trips) / UNIT,
        first_bar=about.first_bar,
    )
