"""A stretch of a house's day, played again: its bars, its forecasts, its source, its settings."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from heapq import merge
from operator import attrgetter
from pathlib import Path

import msgspec
import numpy as np

from bus.house import House
from schema.forecast import Forecast
from schema.head import Message
from schema.market import Bar, Instrument
from schema.setting_types import TIMEFRAMES_NS, WEEK_MS
from schema.settings import Settings
from schema.strategy import Offer, StrategiesOffered, StrategyState
from schema.units import DAY_NS, MS_NS, SECOND_NS, ceil_scale
from services.backtest.columns import Columns, rescaled
from services.backtest.desk import DeskExchange, replayed
from services.backtest.filters import read_versions
from services.backtest.history import History, in_order
from services.backtest.parity_day import BarKey, Day, Stretch
from services.backtest.plan import SNAPSHOT_S
from services.backtest.play import Cast, Play, Scene
from services.backtest.shelf import read_shelf
from services.backtest.stage import Stage
from services.engine.boundary import Bare
from services.engine.core import Engine
from services.engine.loading import load
from services.engine.strategy import Strategy
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.venue.account import EXP, Terms, opening_of
from services.venue.columns import DAY_MS, Facts
from services.venue.listing import open_market
from services.venue.market import Market

KNOWN_BARS = 256
LEAD_NS = SECOND_NS // 2
"""So long before its begin a run opens, to know its account by then; no timer lies within."""

ALIKE_MIN = 0.9
"""From this share of equal closes on, the market of the settings is the one that was traded on."""

OWN, PRINTED = "the venue's own", "made of the minutes"
_at = attrgetter("ts_event")


class Ran(msgspec.Struct, frozen=True):
    """What a stretch came to when it was played again."""

    words: tuple[Message, ...]
    heard: dict[BarKey, Bar]
    until_ns: int
    needs: dict[tuple[str, str], int]
    tape: str
    market: Market
    history: History

    def cut(self, until_ns: int) -> "Ran":
        """Return what it had come to by an earlier time."""
        words = tuple(word for word in self.words if word.ts_event < until_ns)
        heard = {key: bar for key, bar in self.heard.items() if bar.ts_event < until_ns}
        return msgspec.structs.replace(self, words=words, heard=heard, until_ns=until_ns)

    def mark(self, symbol: str) -> Fraction:
        """Return the last close."""
        columns = self.history.base[symbol]
        _, last = columns.between(0, self.until_ns)
        return Fraction(int(columns.close[max(0, last - 1)]), 10**columns.px_exp)

    def touch(self, symbol: str, at_ns: int, sign: int) -> Fraction:
        """Return what the market asked of a buyer at a time, or bid a seller."""
        facts = next(one for one in self.market.facts.values() if one.symbol == symbol)
        top = self.market.top(facts.id, at_ns // MS_NS)
        return Fraction((top.ask if sign > 0 else top.bid)[0], 10**facts.px_exp)


def needs_of(offer: Offer, kind: type[Strategy]) -> dict[tuple[str, str], int]:
    """Return how many bars a strategy sees, by symbol and timeframe."""
    found: dict[tuple[str, str], int] = {}
    for symbol in offer.symbols:
        found[symbol, kind.timeframe] = kind.warmup
        for name, bars in kind.also.items():
            other, _, frame = name.rpartition(" ")
            found[other or symbol, frame] = bars
    return found


def run_again(house: House, day: Day, stretch: Stretch) -> Ran:
    """Play a stretch from where nothing was held."""
    offer = msgspec.structs.replace(stretch.offer, budget=stretch.worth)
    needs = needs_of(offer, load(offer).kind)
    settings, start_ns, stop_ns = _once(house.settings), stretch.start_ns, stretch.until_ns
    known_ns = max(0, start_ns - _known_span_ns(settings, needs))
    history = _history(house.db_dir, settings, needs, (known_ns, stop_ns))
    span_ns = start_ns, stop_ns
    market, tape = _market(house, history, span_ns, simulated=day.simulated)
    history.facts = {facts.symbol: facts for facts in market.facts.values()}
    terms = _terms(settings, stretch)
    listed = [one for one in history.instruments(start_ns) if one.symbol in history.base]
    stale_ns = settings.ingest.stale_data_ms * MS_NS
    exchange = DeskExchange(market, terms, start_ns - LEAD_NS)
    for one in history.known(start_ns):
        exchange.follow(one)
    scene = Scene(exchange, tuple(listed), frozenset(offer.symbols), stale_ns)
    words: list[Message] = []
    engine, gateway = Engine(settings, house.world, Bare()), Gateway(settings, house.world)
    cast = Cast((engine, Risk(settings), gateway), engine, gateway)
    show = Play(scene, cast, Stage(cast.all, words.append), start_ns - LEAD_NS)
    for symbol, memory in stretch.memory.items():
        said = StrategyState(ts_event=start_ns, strategy=offer.name, symbol=symbol, state=memory)
        engine.apply(said)
    for core in cast.all:
        for rest in stretch.dust:
            core.apply(rest)
    show.begin(StrategiesOffered(offers=(offer,)))
    # What it had to hear before this moment it has heard: it begins in the middle of its work.
    engine.state.windows.settled_ns = start_ns
    tracks = history.tracks(needs)
    for bar in in_order(tracks, max(history.first_ns, known_ns), start_ns):
        show.teach(bar)
    foreseen = [one for one in day.forecasts if start_ns < one.ts_event < stop_ns]
    bars, changes = in_order(tracks, start_ns, stop_ns - 1), history.changes(start_ns, stop_ns - 1)
    heard = _hear(show, merge(changes, bars, foreseen, key=_at))
    show.wait(stop_ns)
    return Ran(tuple(words), heard, stop_ns, needs, tape, market, history)


def _hear(show: Play, said: Iterator[Bar | Forecast | Instrument]) -> dict[BarKey, Bar]:
    heard: dict[BarKey, Bar] = {}
    for one in said:
        if isinstance(one, Bar):
            heard[one.symbol, one.timeframe, one.open_ns] = one
            show.close(one)
        else:
            show.hear(one)
    return heard


def _terms(settings: Settings, stretch: Stretch) -> Terms:
    opening = opening_of(settings.venue.balances)
    for rest in stretch.dust:
        base = rest.symbol.partition("/")[0]
        qty = ceil_scale(rest.qty, rest.qty_exp, EXP) if rest.side == "buy" else 0
        opening[base] = opening.get(base, 0) + qty
    return Terms(settings.venue.maker_bps, settings.venue.taker_bps, opening)


def _once(settings: Settings) -> Settings:
    # No word gets lost here, so nothing is asked again; the rest is as the house has it.
    replace = msgspec.structs.replace
    gateway = replace(settings.gateway, poll_ms=WEEK_MS, reconcile_ms=WEEK_MS)
    engine = replace(settings.engine, snapshot_s=SNAPSHOT_S)
    return replace(settings, gateway=gateway, engine=engine)


def _known_span_ns(settings: Settings, needs: dict[tuple[str, str], int]) -> int:
    enough = [2 * max(bars, KNOWN_BARS) * TIMEFRAMES_NS[name] for (_, name), bars in needs.items()]
    return max(settings.ingest.history_days * DAY_NS, *enough)


def _history(
    shards: Path,
    settings: Settings,
    needs: dict[tuple[str, str], int],
    span_ns: tuple[int, int],
) -> History:
    wanted = {symbol for symbol, _ in needs}
    symbols = settings.ingest.symbols or settings.venue.symbol
    ordered = [symbol for symbol in symbols if symbol in wanted]
    ordered += sorted(wanted.difference(ordered))
    base = {symbol: read_shelf(shards, symbol, *span_ns) for symbol in ordered}
    return History(base, read_versions((shards,), ordered))


def _market(
    house: House, history: History, span_ns: tuple[int, int], *, simulated: bool
) -> tuple[Market, str]:
    """Return the market that orders meet, and where it comes from.

    The local venue is a function of its settings, so its own tape is there again, trade by trade;
    of an exchange there are only the minutes.
    """
    if simulated:
        own, _ = open_market(house, span_ns[0])
        known = {facts.symbol for facts in own.facts.values()}
        if known.issuperset(history.base) and _is_alike(own, history, span_ns):
            return own, OWN
    return replayed(history, house.settings.venue.seed), PRINTED


def _is_alike(market: Market, history: History, span_ns: tuple[int, int]) -> bool:
    shares: list[float] = []
    for facts in market.facts.values():
        if facts.symbol in history.base:
            shares += _shares(market, facts, history.base[facts.symbol], span_ns)
    return bool(shares) and min(shares) >= ALIKE_MIN


def _shares(
    market: Market, facts: Facts, columns: Columns, span_ns: tuple[int, int]
) -> Sequence[float]:
    first, last = columns.between(*span_ns)
    if first == last:
        return []
    day_ns = DAY_MS * MS_NS
    days = range(span_ns[0] // day_ns, (span_ns[1] - 1) // day_ns + 1)
    parts = [market.bars(facts.id, day) for day in days]
    closes = np.concatenate([rescaled(part.close, facts.px_exp, columns.px_exp) for part in parts])
    opens = np.concatenate([part.open_ms for part in parts]) * MS_NS
    known = dict(zip(opens.tolist(), closes.tolist(), strict=True))
    open_ns, close = columns.open_ns[first:last].tolist(), columns.close[first:last].tolist()
    same = [known.get(at) == px for at, px in zip(open_ns, close, strict=True)]
    return [sum(same) / len(same)]
