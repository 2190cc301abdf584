"""What was decided and traded in a stretch, named so that a house and a run can be laid together.

A decision is named by the event that it answers, an order by the decision that it belongs to; the
ids that an exchange gives are other ones in each, and name nothing here.
"""

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from schema.head import Message
from schema.identity import strategy_tag, tag_of
from schema.orders import Fill, OrderDenied, OrderRejected, OrderSubmitted
from schema.setting_types import TIMEFRAMES_NS
from schema.strategy import ShadowFill, StrategyState
from schema.streams import STREAMS
from schema.trading import (
    Decision,
    OrderIntent,
    StrategyFailed,
    StrategyPaused,
    StrategyResumed,
)
from services.backtest.parity_day import Dues

FORECAST = STREAMS["predictor.forecast"].number
COMPARED = frozenset({"enter", "resize", "adjust", "exit", "refuse"})
TRADED = frozenset({"enter", "resize"})
FOREIGN = "closed by the gateway"
GroupKey = tuple[str, str, bool]
"""Symbol, event of the decision that began it, and whether it closes what that one opened."""


class Act(msgspec.Struct, frozen=True):
    """One decision; `event` names what it answers, `owner` the decision that its orders are of."""

    decision: Decision
    event: str
    owner: str
    due_ns: int  # when that happened

    @property
    def ends(self) -> bool:
        return self.decision.action == "exit"


class Part(msgspec.Struct, frozen=True):
    """One execution, exact."""

    at_ns: int
    sign: int  # 1 bought, -1 sold
    qty: Fraction
    money: Fraction
    fee: Fraction  # in the quote asset
    fee_qty: Fraction  # in the base asset


class Sent(msgspec.Struct):
    """One order, and when it left."""

    key: GroupKey
    wished_ns: int
    sign: int
    waits: bool  # for a price; else it takes the one that there is
    submitted_ns: int = 0


class Group(msgspec.Struct):
    """The orders by which a decision opens a position, or by which that one is closed."""

    parts: list[Part] = []
    sent: Sent | None = None  # the order that was filled first, or was wished first
    refusals: list[str] = []

    @property
    def wished_ns(self) -> int:
        return self.sent.wished_ns if self.sent is not None else 0

    @property
    def submitted_ns(self) -> int:
        return self.sent.submitted_ns if self.sent is not None else 0

    @property
    def waits(self) -> bool:
        return self.sent is not None and self.sent.waits

    @property
    def qty(self) -> Fraction:
        return sum((part.qty for part in self.parts), Fraction(0))

    @property
    def money(self) -> Fraction:
        return sum((part.money for part in self.parts), Fraction(0))

    @property
    def average(self) -> Fraction:
        return self.money / self.qty if self.parts else Fraction(0)

    @property
    def filled_ns(self) -> int:
        return self.parts[0].at_ns if self.parts else 0

    def fees(self, mark: Fraction) -> Fraction:
        """Return what was paid in fees, those in the base asset at a price."""
        return sum((part.fee + part.fee_qty * mark for part in self.parts), Fraction(0))

    def gain(self, mark: Fraction) -> Fraction:
        """Return what it adds to the profit until a last price, fees taken off."""
        moved = (part.sign * (part.qty * mark - part.money) for part in self.parts)
        return sum(moved, Fraction(0)) - self.fees(mark)


class Course(msgspec.Struct):
    """One strategy's stretch, as its words tell it."""

    strategy: str
    timeframe: str
    foreseen: str  # the timeframe of forecasts
    span_ns: tuple[int, int]
    dues: Dues = {}
    acts: list[Act] = []
    before: list[int] = []  # when decisions were made that come before the stretch
    groups: dict[GroupKey, Group] = {}
    states: list[tuple[int, StrategyState]] = []  # and when that happened which it is of
    latches: list[StrategyFailed | StrategyPaused | StrategyResumed] = []
    said: list[Decision] = []  # all of them, holds and refusals to order as well
    _owner: dict[str, str] = {}  # by symbol, of the slot
    _wants: dict[str, int] = {}
    _held: dict[str, Fraction] = {}
    _orders: dict[str, Sent] = {}
    _names: dict[str, str] = {}  # of moments that an exchange named

    def hear(self, words: Iterable[Message]) -> "Course":
        """Take all words, in the order in which they were said."""
        for word in words:
            self._take(word)
        return self

    def earned(self, until_ns: int) -> Fraction:
        """Return what was taken in, less what was paid, in the stretch until a time."""
        found = Fraction(0)
        for group in self.groups.values():
            for part in group.parts:
                if part.at_ns < until_ns:
                    found -= part.sign * part.money + part.fee
        return found

    def count_between(self, from_ns: int, until_ns: int) -> int:
        """Return how many decisions of a time come before the stretch."""
        return sum(from_ns <= at_ns < until_ns for at_ns in self.before)

    def _take(self, word: Message) -> None:
        match word:
            case Decision():
                self._decided(word)
            case OrderIntent():
                self._intended(word)
            case OrderSubmitted(client_order_id=order_id) if order_id in self._orders:
                self._orders[order_id].submitted_ns = word.ts_event
            case OrderDenied() | OrderRejected():
                self._refused(word)
            case Fill():
                self._filled(word)
            case ShadowFill():
                self._thought(word)
            case StrategyState():
                self.states.append((self.dues.get(word.cause, word.ts_event), word))
            case StrategyFailed() | StrategyPaused() | StrategyResumed():
                self.latches.append(word)

    def _decided(self, one: Decision) -> None:
        symbol = one.symbol
        slot = self._owner.get(symbol, "")
        event, due_ns = self._event(one, slot)
        if one.action in TRADED:
            slot = self._owner[symbol] = event
            self._wants[symbol] = one.qty
        elif one.action == "exit":
            self._wants[symbol] = 0
        self.said.append(one)
        if one.action not in COMPARED or not event:
            return
        if due_ns <= self.span_ns[0]:
            self.before.append(due_ns)
        elif due_ns < self.span_ns[1]:
            self.acts.append(Act(one, event, slot, due_ns))

    def _event(self, one: Decision, slot: str) -> tuple[str, int]:
        """Return what a decision answers, and when that was."""
        if one.bar_open_ns:
            foreseen = one.moment.startswith("forecast ") and one.action != "exit"
            foreseen = foreseen or (one.action == "exit" and one.cause[0] == FORECAST)
            frame = self.foreseen if foreseen else self.timeframe
            close_ns = one.bar_open_ns + TIMEFRAMES_NS[frame]
            return f"{'forecast' if foreseen else 'bar'} {one.bar_open_ns}", close_ns
        if one.action == "exit":
            return f"end of {slot}", one.ts_event
        name = self._named(one.moment)
        if one.action == "adjust" and name == slot:
            return "", one.ts_event  # The engine's own: a share of the worth is another one by now.
        word, _, number = name.partition(" ")
        return name, int(number) if word == "timer" else one.ts_event

    def _named(self, moment: str) -> str:
        word, _, rest = moment.partition(" ")
        if word == "denied" and rest in self._orders:
            _, owner, closes = self._orders[rest].key
            return f"denial of {'the end of ' * closes}{owner}"
        return self._names.get(moment, moment)

    def _intended(self, one: OrderIntent) -> None:
        key = (one.symbol, self._owner.get(one.symbol, ""), one.leg != "entry")
        sent = self._orders[one.client_order_id] = Sent(
            key=key,
            wished_ns=one.ts_event,
            sign=1 if one.side == "buy" else -1,
            waits=one.order_type != "market",
        )
        group = self._group(key)
        group.sent = group.sent or sent

    def _refused(self, one: OrderDenied | OrderRejected) -> None:
        sent = self._orders.get(one.client_order_id)
        if sent is not None:
            self._group(sent.key).refusals.append(f"{one.code} {one.detail}".strip())

    def _filled(self, fill: Fill) -> None:
        sent = self._orders.get(fill.client_order_id)
        foreign = tag_of(fill.client_order_id) != strategy_tag(self.strategy)
        if sent is not None:
            key = sent.key
        else:
            key = (fill.symbol, FOREIGN if foreign else f"order {fill.client_order_id}", True)
        part = part_of(fill)
        if foreign:
            held = self._held.get(fill.symbol, Fraction(0))
            if part.sign * held >= 0:
                return
            part = _share(part, min(part.qty, abs(held)))
        group = self._group(key)
        if sent is not None and not group.parts:
            group.sent = sent
        number = len(group.parts) + 1
        self._names[f"fill {fill.venue_trade_id}"] = f"fill {number} of {key[1]} {key[2]:d}"
        self._add(key, part)

    def _thought(self, fill: ShadowFill) -> None:
        sign = 1 if fill.side == "buy" else -1
        closes = sign * self._wants.get(fill.symbol, 0) <= 0
        qty, px = Fraction(fill.qty, 10**fill.qty_exp), Fraction(fill.px, 10**fill.px_exp)
        fee = Fraction(fill.fee, 10**fill.quote_exp)
        part = Part(fill.ts_event, sign, qty, qty * px, fee, Fraction(0))
        self._add((fill.symbol, self._owner.get(fill.symbol, ""), closes), part)

    def _add(self, key: GroupKey, part: Part) -> None:
        symbol = key[0]
        self._held[symbol] = self._held.get(symbol, Fraction(0)) + part.sign * part.qty
        if self.span_ns[0] < part.at_ns < self.span_ns[1]:
            self._group(key).parts.append(part)

    def _group(self, key: GroupKey) -> Group:
        return self.groups.setdefault(key, Group())


def part_of(fill: Fill) -> Part:
    """Return an execution as exact numbers."""
    base, _, quote = fill.symbol.partition("/")
    fee = Fraction(fill.fee, 10**fill.fee_exp)
    return Part(
        fill.ts_event,
        1 if fill.side == "buy" else -1,
        Fraction(fill.qty, 10**fill.qty_exp),
        Fraction(fill.quote_qty, 10**fill.quote_exp),
        fee if fill.fee_asset == quote else Fraction(0),
        fee if fill.fee_asset == base else Fraction(0),
    )


def _share(part: Part, qty: Fraction) -> Part:
    share = qty / part.qty
    return msgspec.structs.replace(
        part, qty=qty, money=part.money * share, fee=part.fee * share, fee_qty=part.fee_qty * share
    )
