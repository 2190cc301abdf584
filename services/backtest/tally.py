"""What became of a run, counted from what its cores said: orders, denials, fills, round trips.

It keeps a ledger of its own, by the rules of the house, and so can be held against the engine's.
What the strategy is worth opens with its budget: what it earned and lost is added, fees are taken
off, and what it holds is valued at the bar's close.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from schema.head import Message
from schema.house import RunTrade
from schema.ledger import Ledger, book, deposit
from schema.market import Bar, Instrument
from schema.orders import Deposit, Fill, OrderDenied, OrderRejected, OrderSubmitted
from schema.trading import Decision, StrategyFailed
from schema.units import floor_scale
from services.backtest.trips import MONEY_EXP, Lane, Tags, tags_of

__all__ = ["MONEY_EXP", "Tally"]

HASH_BYTES = 16
FAILURES_MAX = 20
FAILURE_CHARS = 500
REASON_CHARS = 80
NUMBER = re.compile(r"\d+(\.\d+)?")
UNKNOWN = Tags("", "")


class Worth(msgspec.Struct):
    """How one symbol's position is valued: `settled` + qty * price, scaled to money."""

    settled: int = 0
    qty: int = 0
    px: int = 0
    over: int = 1  # rounded down as the ledger does it, then to MONEY_EXP decimals
    by: int = 1

    def at_mark(self) -> int:
        """Return what trading in the symbol has come to, at its last price."""
        if not self.qty:
            return self.settled
        return self.settled + self.px * self.qty // self.over * self.by


class Tally:
    """Hears all that is said; samples what the strategy is worth at each bar's close.

    `budget` has MONEY_EXP decimals. The samples and prices before the first bar come first, and a
    bar that is sampled again replaces its sample.
    """

    def __init__(self, instruments: Sequence[Instrument], budget: int, start_ns: int) -> None:
        self.ledger = Ledger()
        self.budget = budget
        self.equity = [budget]
        self.at_ns = [start_ns]
        self.prices: dict[str, list[int]] = {one.symbol: [0] for one in instruments}
        self.lanes = {one.symbol: Lane(one) for one in instruments}
        self.step_ns = 0
        self.denials: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.failures: list[str] = []
        self.orders = self.fills = self.traded = self.exposed = 0
        self._worths = {one.symbol: Worth() for one in instruments}
        self._alone = len(self.lanes) == 1
        self._is_exposed = self._last_exposed = False
        self._tags: dict[str, Tags] = {}
        self._trips: list[RunTrade] = []
        self._hash = blake2b(digest_size=HASH_BYTES)
        self._counts: dict[type[Message], Callable[[Any], None]] = {
            Fill: self._fill,
            Deposit: self._deposit,
            OrderSubmitted: self._submit,
            OrderDenied: self._deny,
            Decision: self._decide,
            OrderRejected: self._reject,
            StrategyFailed: self._fail,
        }

    def witness(self, message: Message) -> None:
        """Count one message."""
        count = self._counts.get(type(message))
        if count is not None:
            count(message)

    def follow(self, instrument: Instrument) -> None:
        """Count as dust from now on what an instrument's filters leave."""
        self.lanes[instrument.symbol].instrument = instrument

    def sample(self, bar: Bar) -> None:
        """Take the strategy's worth at a bar's close."""
        at_ns, worth, prices = self.at_ns, self._worths[bar.symbol], self.prices[bar.symbol]
        worth.px = bar.close
        if bar.ts_event == at_ns[-1] and len(at_ns) > 1:
            self.equity.pop()
            at_ns.pop()
            self.exposed -= self._last_exposed
            prices.pop()
        elif not self._alone:
            self._carry(bar.symbol)
        if not prices[0]:
            self.step_ns = bar.ts_event - bar.open_ns
            prices[:] = [px or bar.open for px in prices]
        prices.append(bar.close)
        at_ns.append(bar.ts_event)
        self.equity.append(self.budget + worth.at_mark() if self._alone else self.worth())
        self._last_exposed = self._is_exposed
        self.exposed += self._last_exposed

    def worth(self) -> int:
        """Return what the strategy is worth at the last prices."""
        return self.budget + sum([one.at_mark() for one in self._worths.values()])

    @property
    def bars(self) -> int:
        """How many times of a bar's close were sampled."""
        return len(self.at_ns) - 1

    @property
    def trips(self) -> list[RunTrade]:
        """The round trips that are over, in the order of their ends."""
        return self._trips

    @property
    def gains(self) -> list[int]:
        """What each round trip earned after fees."""
        return [trip.gain for trip in self.trips]

    @property
    def fees(self) -> int:
        """What was paid in fees, in the quote asset."""
        found = (self.ledger.holding(symbol) for symbol in self.lanes)
        return sum(floor_scale(one.fees, one.quote_exp, MONEY_EXP) for one in found if one)

    def fingerprint(self) -> str:
        """Return a hash of every fill and every sample."""
        whole = self._hash.copy()
        whole.update(msgspec.msgpack.encode((self.at_ns, self.equity, self.trips)))
        return whole.hexdigest()

    def _carry(self, symbol: str) -> None:
        # The others keep their prices until their own bar of this time comes.
        for name, prices in self.prices.items():
            if name != symbol:
                prices.append(prices[-1])

    def _fill(self, fill: Fill) -> None:
        if not book(self.ledger, fill):
            return
        self._hash.update(msgspec.msgpack.encode(fill))
        self.fills += 1
        self.traded += floor_scale(fill.quote_qty, fill.quote_exp, MONEY_EXP)
        holding, lane = self.ledger.holding(fill.symbol), self.lanes[fill.symbol]
        assert holding is not None
        ended = len(lane.done)
        lane.follow(fill, holding, self._tags.get(fill.client_order_id, UNKNOWN), self.bars)
        self._is_exposed = any(one.trip is not None for one in self.lanes.values())
        self._value(fill.symbol)
        if len(lane.done) > ended:
            self._trips += lane.done[ended:]
        elif ended and self._trips:
            self._renew(lane)

    def _deposit(self, message: Deposit) -> None:
        deposit(self.ledger, message)

    def _submit(self, message: OrderSubmitted) -> None:
        self.orders += 1
        intent = message.intent
        self._tags[message.client_order_id] = tags_of(intent.leg, intent.reason)

    def _deny(self, message: OrderDenied) -> None:
        self.denials[message.code] += 1

    def _decide(self, message: Decision) -> None:
        if message.action == "refuse":
            code = message.reason.partition(" ")[0]
            coded = code.isupper() and code.replace("_", "").isalpha()
            why = code if coded else NUMBER.sub("N", message.reason)[:REASON_CHARS]
            self.refusals[why] += 1

    def _reject(self, message: OrderRejected) -> None:
        self.denials[f"rejected {message.code}"] += 1

    def _fail(self, message: StrategyFailed) -> None:
        if len(self.failures) < FAILURES_MAX:
            self.failures.append(f"{message.reason}: {message.detail}"[:FAILURE_CHARS])

    def _renew(self, lane: Lane) -> None:
        last = lane.done[-1]
        for place in range(len(self._trips) - 1, -1, -1):
            if self._trips[place].symbol == last.symbol:
                self._trips[place] = last
                return

    def _value(self, symbol: str) -> None:
        holding, worth = self.ledger.holding(symbol), self._worths[symbol]
        assert holding is not None
        money = holding.realized - holding.fees - holding.cost
        worth.settled = floor_scale(money, holding.quote_exp, MONEY_EXP)
        worth.qty = holding.qty
        exp = min(holding.quote_exp, MONEY_EXP)
        lost = holding.px_exp + holding.qty_exp - exp
        worth.over, worth.by = 10 ** max(0, lost), 10 ** (MONEY_EXP - exp + max(0, -lost))
