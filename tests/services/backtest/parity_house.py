"""A house that trades an hour and a half of the synthetic market, and what it says of it.

The shipped cores play it, so that its day is what a run must come to; what a test plants is the
only difference between the two.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from bus.clock import ManualClock
from bus.house import House
from bus.journals import DiskJournals
from bus.record import JournalWriter
from schema.forecast import Forecast
from schema.head import Message
from schema.house import Command
from schema.market import Bar
from schema.orders import Fill
from schema.strategy import Offer, StrategiesOffered
from schema.streams import home
from schema.trading import Decision, OrderIntent
from schema.units import DAY_NS, MINUTE_NS, MS_NS
from services.backtest.columns import Columns, columns_of, money_of
from services.backtest.desk import DeskExchange
from services.backtest.history import History, in_order
from services.backtest.play import Cast, Play, Scene
from services.backtest.stage import Stage
from services.engine.boundary import Bare
from services.engine.bundle import digest_of
from services.engine.core import Engine
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.venue.account import Terms, opening_of
from services.venue.listing import open_market
from tests.services.rrr.lab_desk import write

DAY, DATE = 19_500, "2023-05-23"
DAY_BEGIN_NS = DAY * DAY_NS
FROM_NS = DAY_BEGIN_NS - 30 * MINUTE_NS  # It is at work when the day begins.
UNTIL_NS = DAY_BEGIN_NS + 60 * MINUTE_NS
KNOWN_NS = 2 * 60 * MINUTE_NS
SYMBOL, NAME = "BTC/USDT", "flip"
SOURCE = '''"""Long after a bar that rose, for as long as bars rise."""

from services.engine.strategy import Bar, Params, State, Strategy, Target, View


class Flip(Strategy):
    """Follows the last bar."""

    timeframe, warmup = "1m", 5

    class Params(Params):
        size: float = 0.2  # 0.01..1

    class State(State):
        bars: int = 0

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        self.state.bars += 1
        self.note(bars=self.state.bars)
        if bar.close <= bar.open or self.state.bars % 7 == 0:
            return Target.flat("fell")
        return Target.weight(self.params.size, stop=round(bar.close * 0.98, 2), why="rose")
'''
OTHER = SOURCE.replace("bar.close <= bar.open", "bar.close >= bar.open")
SEER = SOURCE.replace("on_bar(self, bar: Bar", "on_forecast(self, seen: object").replace(
    "bar.close <= bar.open", "view.forecast.probability_up < 0.5"
).replace("round(bar.close", "round(view.price")  # fmt: skip

Told = list[Message | None]
"""All that was said, in its order; None: here the engine began another life."""

Hears = Callable[[int, Bar], Bar | None]
Doings = dict[int, Callable[["Trading"], None]]


def offer(text: str = SOURCE, **changes: Any) -> Offer:
    """Return the strategy as a house is offered it."""
    files = ((NAME, text),)
    made = Offer(
        name=NAME, file=f"strategies/{NAME}.py", digest=digest_of(files), files=files,
        symbols=(SYMBOL,), budget=1000.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


class Trading:
    """A house under way."""

    def __init__(self, house: House) -> None:
        market: Any = open_market(house, FROM_NS)[0]
        self.told: Told = []
        self.history = History({SYMBOL: _minutes(market)})
        self.history.facts = {facts.symbol: facts for facts in market.facts.values()}
        settings, venue = house.settings, house.settings.venue
        terms = Terms(venue.maker_bps, venue.taker_bps, opening_of(venue.balances))
        listed = tuple(one for one in self.history.instruments(FROM_NS) if one.symbol == SYMBOL)
        desk = DeskExchange(market, terms, FROM_NS)
        self.engine, gateway = Engine(settings, house.world, Bare()), Gateway(settings, house.world)
        cast = Cast((self.engine, Risk(settings), gateway), self.engine, gateway)
        self.stage = Stage(cast.all, self.told.append)
        scene = Scene(desk, listed, frozenset({SYMBOL}), DAY_NS)
        self.show = Play(scene, cast, self.stage, FROM_NS - 1)
        self.told += listed

    def command(self, verb: str, *args: str) -> None:
        """Do what a person asks of the engine."""
        asked = Command(request_id=f"no. {len(self.told)}", verb=verb, args=args, by="me")
        assert self.stage.tell(self.engine, asked, self.show.now_ns) == []
        assert self.stage.answers[-1].ok, self.stage.answers[-1].text

    def trade(
        self, offered: Offer, at: Doings, hears: Hears, forecasts: Sequence[Forecast]
    ) -> Told:
        """Trade all the time; `at` is done before the bar of a minute of the day."""
        self.show.begin(StrategiesOffered(offers=(offered,)))
        for bar in minutes(self.history, 0, FROM_NS - 1):
            self.show.teach(bar)
        foreseen = {one.ts_event: one for one in forecasts}
        for bar in minutes(self.history, FROM_NS - 1, UNTIL_NS):
            number = (bar.open_ns - DAY_BEGIN_NS) // MINUTE_NS
            if number in at:
                self.show.wait(bar.ts_event - MS_NS)
                at[number](self)
            heard = hears(number, bar)
            self.told.append(heard or bar)
            if heard is not None:
                self.show.close(heard)
            if bar.ts_event in foreseen:
                self.told.append(foreseen[bar.ts_event])
                self.show.hear(foreseen[bar.ts_event])
        return self.told


def trade(
    house: House,
    offered: Offer | None = None,
    *,
    at: Doings | None = None,
    hears: Hears = lambda _, bar: bar,
    forecasts: Sequence[Forecast] = (),
) -> Told:
    """Return what a house says while it trades."""
    return Trading(house).trade(offered or offer(), at or {}, hears, forecasts)


def keep(house: House, told: Told) -> None:
    """Write what was said into the journals, and the bars as they were into the shard."""
    clock, epoch = ManualClock(FROM_NS - MINUTE_NS), 1
    journals, writers = DiskJournals(house.journal_dir, clock), dict[str, JournalWriter]()
    for message in told:
        if message is None:
            epoch += 1
            writers.clear()
            continue
        stream = home(type(message))
        assert stream is not None
        clock.now_ns = max(clock.now_ns + 1_000, message.ts_event)
        if stream.name not in writers:
            writers[stream.name] = journals.writer(stream, epoch, "code")
        writers[stream.name].append([message])
    for writer in writers.values():
        writer.close("done")
    market, _ = open_market(house, FROM_NS)
    history = History({SYMBOL: _minutes(market)})
    write(house, "market", minutes(history, 0, UNTIL_NS)).close()


def round_trip(told: Told, number: int) -> list[Message]:
    """Return all that a house said of one entry of the day until the next one."""
    mine = [one for one in told if one is not None and one.ts_event >= DAY_BEGIN_NS]
    enters = [place for place, one in enumerate(mine) if _enters(one)]
    part = mine[enters[number] : enters[number + 1]]
    assert any(isinstance(one, Decision) and one.action == "exit" for one in part)
    return [one for one in part if not isinstance(one, Bar)]


def first(kind: type[Any], said: Iterable[Message | None]) -> Any:
    """Return the first message of a kind."""
    return next(one for one in said if isinstance(one, kind))


def instead(told: Told, changes: dict[int, Message]) -> Told:
    """Return what was said, with other messages in place of some, by their identity."""
    return [changes.get(id(one), one) for one in told]


def later(said: Iterable[Message], by_ns: int, ticks: int) -> dict[int, Message]:
    """Return an entry that was decided late, at a price that had moved."""
    found: dict[int, Message] = {}
    for one in said:
        if isinstance(one, Decision) and one.action == "exit":
            break
        changes: dict[str, Any] = {"ts_event": one.ts_event + by_ns}
        if isinstance(one, OrderIntent) and one.leg == "entry":
            changes["ref_px"] = one.ref_px + ticks
        if isinstance(one, Fill):
            exp = one.px_exp + one.qty_exp - one.quote_exp
            changes["px"] = one.px + ticks
            changes["quote_qty"] = one.quote_qty + ticks * one.qty // 10**exp
        found[id(one)] = msgspec.structs.replace(one, **changes)
    return found


def minutes(history: History, start_ns: int, stop_ns: int) -> list[Bar]:
    """Return the bars that close within a stretch."""
    return list(in_order(history.tracks([(SYMBOL, "1m")]), start_ns, stop_ns))


def _enters(message: Message) -> bool:
    return isinstance(message, Decision) and message.action == "enter"


def _minutes(market: Any) -> Columns:
    facts = next(facts for facts in market.facts.values() if facts.symbol == SYMBOL)
    days = [market.bars(facts.id, DAY - 1), market.bars(facts.id, DAY)]
    names = ("open_ms", "open", "high", "low", "close", "volume", "count")
    columns = [np.concatenate([getattr(day, name) for day in days]) for name in names]
    open_ns = columns[0] * MS_NS
    own = (open_ns >= FROM_NS - KNOWN_NS) & (open_ns < UNTIL_NS)
    open_ns, *prices, count = (column[own] for column in (open_ns, *columns[1:]))
    money, money_exp = money_of(prices[3], prices[4], open_ns, (facts.px_exp, facts.qty_exp))
    exps = facts.px_exp, facts.qty_exp, money_exp
    return columns_of("1m", [open_ns, *prices, money, count], exps)
