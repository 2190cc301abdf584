"""One run from its plan to its outcome: composes the cores, plays the bars, counts what came of it.

The settings of the house hold, limits and protections with them. What a house needs because words
get lost on the way to an exchange, asking again and again, is asked once here.
"""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus.build import code_hash, settings_hash
from bus.errors import HouseError
from bus.house import House, open_house
from schema.settings import WEEK_MS, Settings
from schema.units import MINUTE_NS, MS_NS, iso, to_text
from services.backtest.exchange import Exchange
from services.backtest.history import TIMEFRAME, History
from services.backtest.measures import of_equity, of_trips
from services.backtest.play import Cores, Play, Scene
from services.backtest.stage import Stage
from services.backtest.tally import MONEY_EXP, Tally
from services.engine.core import Engine
from services.engine.shipped import strategies
from services.gateway.core import Gateway
from services.predictor.core import Predictor
from services.risk.core import Risk
from services.venue.account import Terms, opening_of
from services.venue.columns import DAY_MS

CODE = ("backtest", "engine", "gateway", "predictor", "risk", "venue")
TELL_BARS = 200
HASH_BYTES = 16
Tell = Callable[[float], None]


class Plan(msgspec.Struct, frozen=True):
    """What is asked for."""

    strategy: str
    file: Path
    symbol: str
    from_ns: int | None = None
    to_ns: int | None = None


class Played(NamedTuple):
    """A run that is over, with the books that it left."""

    tally: Tally
    engine: Engine
    exchange: Exchange


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to; money is text, exactly."""

    run_id: str
    strategy: str
    symbol: str
    first: str
    last: str
    bars: int
    quote: str
    opening: str
    final: str
    orders: int
    fills: int
    denied: int
    denials: dict[str, int]
    failures: list[str]
    metrics: dict[str, float]
    fingerprint: str


def house_of(environ: dict[str, str], plan: Plan, changes: dict[str, str]) -> House:
    """Return the house around here as a run sees it; `changes` by dotted name."""
    said = {
        "gateway.poll_ms": str(WEEK_MS),
        "gateway.reconcile_ms": str(WEEK_MS),
        **changes,
        "clock.scale": "1",
        "venue.symbol": plan.symbol,
        "ingest.symbols": plan.symbol,
        "engine.strategies": plan.strategy,
        "predictor.timeframe": TIMEFRAME,
    }
    laid = {f"RRR_{name.replace('.', '__').upper()}": text for name, text in said.items()}
    return open_house(environ={**environ, **laid, "RRR_MODE": "backtest"})


def run(house: House, plan: Plan, tell: Tell) -> Outcome:
    """Play a plan, and return what it came to; `tell` hears of its progress, from 0 to 1."""
    history = History(plan.file, plan.symbol, house.settings.venue.seed)
    span_ms = history.span(plan.from_ns, plan.to_ns)
    played = play(house.settings, house.world, history, span_ms, tell)
    return _outcome(plan, run_id(house, plan), history, played.tally)


def play(
    settings: Settings, world: str, history: History, span_ms: tuple[int, int], tell: Tell
) -> Played:
    """Play the bars of a stretch, those before it as what is known already."""
    (start_ms, stop_ms), start_ns = span_ms, span_ms[0] * MS_NS
    terms = _terms(settings, history)
    quote = history.facts.quote
    tally = Tally(history.instrument(start_ns), terms.opening[quote], start_ns)
    cores = _cores(settings, world)
    stage = Stage(cores, tally.witness)
    exchange = Exchange(history, terms, start_ms)
    scene = Scene(history, exchange, settings.ingest.stale_data_ms * MS_NS)
    show = Play(scene, cores, stage, start_ns)
    known_ms = max(history.first_ms, start_ms - settings.ingest.history_days * DAY_MS)
    for bar in history.bars(known_ms, start_ms) if known_ms < start_ms else ():
        show.teach(bar)
    show.begin()
    for number, bar in enumerate(history.bars(start_ms, stop_ms)):
        show.close(bar)
        tally.sample(bar)
        if number % TELL_BARS == 0:
            tell((bar.ts_event // MS_NS - start_ms) / (stop_ms - start_ms))
    return Played(tally, cores[1], exchange)


def run_id(house: House, plan: Plan) -> str:
    """Return the name of a run: of the same code, settings and data it is the same."""
    codes = [code_hash(house, service) for service in CODE]
    data = blake2b(plan.file.read_bytes(), digest_size=HASH_BYTES).hexdigest()
    asked = (plan.strategy, plan.symbol, plan.from_ns, plan.to_ns)
    said = msgspec.json.encode((codes, settings_hash(house), data, asked))
    return blake2b(said, digest_size=HASH_BYTES).hexdigest()


def _terms(settings: Settings, history: History) -> Terms:
    venue = settings.venue
    opening = opening_of(venue.balances)
    if not opening.get(history.facts.quote):
        held = " ".join(venue.balances) or "nothing"
        raise HouseError(
            f"`venue.balances` holds {held}: expected some {history.facts.quote}, "
            "which everything in this run is paid with",
            f'Add --set "venue.balances={history.facts.quote} 100000"',
        )
    return Terms(venue.maker_bps, venue.taker_bps, opening)


def _cores(settings: Settings, world: str) -> Cores:
    return (
        Predictor(settings),
        Engine(settings, world, strategies(settings)),
        Risk(settings),
        Gateway(settings, world),
    )


def _outcome(plan: Plan, name: str, history: History, tally: Tally) -> Outcome:
    return Outcome(
        run_id=name,
        strategy=plan.strategy,
        symbol=plan.symbol,
        first=iso(tally.at_ns[0]),
        last=iso(tally.at_ns[-1]),
        bars=len(tally.at_ns) - 1,
        quote=history.facts.quote,
        opening=to_text(tally.equity[0], MONEY_EXP),
        final=to_text(tally.equity[-1], MONEY_EXP),
        orders=tally.orders,
        fills=tally.fills,
        denied=tally.denials.total(),
        denials=dict(sorted(tally.denials.items())),
        failures=tally.failures,
        metrics=_metrics(tally),
        fingerprint=tally.fingerprint(),
    )


def _metrics(tally: Tally) -> dict[str, float]:
    unit = 10.0**MONEY_EXP
    bars = len(tally.at_ns) - 1
    return {
        **of_equity([worth / unit for worth in tally.equity], tally.at_ns, MINUTE_NS),
        **of_trips([gain / unit for gain in tally.trips]),
        "exposure": tally.exposed / bars,
        "turnover": tally.traded / tally.equity[0],
        "fees": tally.fees / unit,
    }
