"""One run from its plan to its record: composes the cores, plays the bars, counts what came of it.

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
from bus.house import House
from schema.market import Instrument
from schema.setting_types import TIMEFRAMES_NS
from schema.settings import RunSettings, Settings
from schema.strategy import Offer, StrategiesOffered
from schema.units import DAY_NS, MS_NS, to_int
from services.backtest.desk import DeskExchange, replayed
from services.backtest.exchange import Exchange
from services.backtest.figures import About
from services.backtest.history import History, in_order, with_changes
from services.backtest.ideal import IdealExchange
from services.backtest.plan import Plan, grain_of, house_of, opened, symbols_of
from services.backtest.play import Cast, Play, Scene
from services.backtest.record import Record, record_of
from services.backtest.stage import Stage
from services.backtest.tally import MONEY_EXP, Tally
from services.engine.boundary import Bare
from services.engine.core import Engine
from services.engine.loading import LoadError, load
from services.engine.sources import offer_of
from services.engine.strategy import Strategy
from services.gateway.core import Gateway
from services.predictor.core import Predictor
from services.risk.core import Risk
from services.venue.account import Terms, opening_of

__all__ = ["Plan", "Played", "house_of", "play", "run", "symbols_of"]

CODE = ("backtest", "engine", "gateway", "predictor", "risk", "venue")
TELL_BARS = 1000
HASH_BYTES = 16
KNOWN_BARS = 256
"""So many bars before the run are known of every timeframe, if there are: what an engine keeps."""

Needs = dict[tuple[str, str], int]
"""How many bars of which symbol and timeframe."""

Tell = Callable[[float], None]


class Part(msgspec.Struct, frozen=True):
    """The strategy under test."""

    offer: Offer
    kind: type[Strategy]
    own: RunSettings

    @property
    def forecasts(self) -> bool:
        """Whether it looks at what the predictor says."""
        return wants_forecasts(self.offer)

    def needs(self, timeframe: str) -> Needs:
        """Return how many bars of what it sees; `timeframe` is the predictor's."""
        found: Needs = {}
        for symbol in self.offer.symbols:
            found[symbol, self.kind.timeframe] = self.kind.warmup
            for name, bars in self.kind.also.items():
                other, _, frame = name.rpartition(" ")
                found[other or symbol, frame] = bars
            if self.forecasts:
                found.setdefault((symbol, timeframe), KNOWN_BARS)
        return found


class Played(NamedTuple):
    """A run that is over, with the books that it left."""

    tally: Tally
    engine: Engine
    exchange: Exchange
    span_ns: tuple[int, int]


def run(house: House, plan: Plan, tell: Tell) -> Record:
    """Play a plan, and return what it came to; `tell` hears of its progress, from 0 to 1."""
    part = part_of(house.root, house.settings, plan.strategy)
    symbols, needs = house.settings.venue.symbol, part.needs(house.settings.predictor.timeframe)
    before_ns = _known_span_ns(house.settings, needs)
    history = opened(plan, grain_of(part.own), symbols, before_ns)
    played = play(house.settings, house.world, part, history, plan, tell)
    return record_of(_about(house, plan, part, history), played.tally)


def part_of(root: Path, settings: Settings, name: str) -> Part:
    """Return a strategy as it is run; HouseError when its source does not load."""
    own, symbols = settings.strategy[name], settings.venue.symbol
    offer = offer_of(root, name, own, symbols)
    traded = tuple(symbol for symbol in symbols if symbol in own.symbols) or symbols
    offer = msgspec.structs.replace(offer, role="trade", symbols=traded)
    try:
        kind = load(offer).kind
    except LoadError as error:
        hint = "Mend the file or its parameters, and run it again"
        raise HouseError(error.what, hint) from error
    return Part(offer, kind, own.backtest)


def wants_forecasts(offer: Offer) -> bool:
    """Return whether a strategy looks at forecasts: its source, or a parent's, speaks of them."""
    return any("forecast" in text for _, text in offer.files)


def play(
    settings: Settings, world: str, part: Part, history: History, plan: Plan, tell: Tell
) -> Played:
    """Play the bars of a stretch, those before it as what is known already."""
    span_ns = start_ns, stop_ns = history.span(plan.from_ns, plan.to_ns, plan.bars)
    needs = part.needs(settings.predictor.timeframe)
    exchange = _exchange(settings, part, history, start_ns)
    tracks = history.tracks(needs)
    instruments = _as_filled(history.instruments(start_ns), part)
    tally = Tally(instruments, to_int(f"{part.offer.budget:.8f}", MONEY_EXP), start_ns)
    cast = _cast(settings, world, part)
    traded = frozenset(part.offer.symbols)
    scene = Scene(exchange, instruments, traded, settings.ingest.stale_data_ms * MS_NS)
    show = Play(scene, cast, Stage(cast.all, tally.witness), start_ns)
    show.begin(StrategiesOffered(offers=(part.offer,)))
    known_ns = max(history.first_ns, start_ns - _known_span_ns(settings, needs))
    for bar in in_order(tracks, known_ns, start_ns):
        show.teach(bar)
    own, last, number = part.kind.timeframe, None, 0
    changes = _as_filled(history.changes(start_ns, stop_ns), part)
    for said in with_changes(in_order(tracks, start_ns, stop_ns), changes):
        if isinstance(said, Instrument):
            show.hear(said)
            tally.follow(said)
            continue
        show.close(bar := said)
        if bar.timeframe == own and bar.symbol in traded:
            tally.sample(bar)
            last, number = bar, number + 1
            if number % TELL_BARS == 0:
                tell((bar.ts_event - start_ns) / (stop_ns - start_ns))
    if last is None:
        raise HouseError(
            f"no bar of {own} closes in the stretch that is played",
            "Choose a longer one with --from and --until",
        )
    if part.own.flat_at_end:
        show.end(part.offer.name)
        tally.sample(last)
    return Played(tally, cast.engine, exchange, span_ns)


def _known_span_ns(settings: Settings, needs: Needs) -> int:
    """Return how long before a run bars are known: as long as a house would fetch, or enough."""
    enough = [2 * max(bars, KNOWN_BARS) * TIMEFRAMES_NS[name] for (_, name), bars in needs.items()]
    return max(settings.ingest.history_days * DAY_NS, *enough)


def _exchange(settings: Settings, part: Part, history: History, start_ns: int) -> Exchange:
    terms = _terms(settings, history)
    if part.own.fills == "book":
        market = replayed(history, settings.venue.seed)
        history.facts = {facts.symbol: facts for facts in market.facts.values()}
        desk = DeskExchange(market, terms, start_ns)
        for instrument in history.known(start_ns):
            desk.follow(instrument)
        return desk
    return IdealExchange(history, terms, start_ns, at_open=part.own.fills == "next_open")


def _as_filled(found: list[Instrument], part: Part) -> tuple[Instrument, ...]:
    """Return what can be traded; who fills at known prices asks for no smallest order."""
    if part.own.fills == "book":
        return tuple(found)
    return tuple(msgspec.structs.replace(one, min_notional=0) for one in found)


def _terms(settings: Settings, history: History) -> Terms:
    venue = settings.venue
    opening = opening_of(venue.balances)
    quote = history.symbols[0].partition("/")[2]
    if not opening.get(quote):
        held = " ".join(venue.balances) or "nothing"
        raise HouseError(
            f"`venue.balances` holds {held}: expected some {quote}, "
            "which everything in this run is paid with",
            f'Add --set "venue.balances={quote} 100000"',
        )
    return Terms(venue.maker_bps, venue.taker_bps, opening)


def _cast(settings: Settings, world: str, part: Part) -> Cast:
    engine, gateway = Engine(settings, world, Bare()), Gateway(settings, world)
    seers = (Predictor(settings),) if part.forecasts else ()
    return Cast((*seers, engine, Risk(settings), gateway), engine, gateway)


def _about(house: House, plan: Plan, part: Part, history: History) -> About:
    digests = {
        **{f"code {service}": code_hash(house, service) for service in CODE},
        "data": history.digest(),
        "source": part.offer.digest,
        "settings": settings_hash(house),
    }
    asked = (plan.strategy, plan.from_ns, plan.to_ns, plan.bars, part.offer.params)
    said = msgspec.json.encode((sorted(digests.items()), house.settings.venue.seed, asked))
    return About(
        run_id=blake2b(said, digest_size=HASH_BYTES).hexdigest(),
        strategy=plan.strategy,
        symbols=part.offer.symbols,
        timeframe=part.kind.timeframe,
        fills=part.own.fills,
        file=part.offer.file,
        params=part.offer.params,
        settings={name: text for name, text, _ in house.rows},
        digests=digests,
        first_bar=part.kind.warmup - 1,
    )
