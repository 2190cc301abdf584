"""What the protections remember, and when they are asked: after a fill, and at each look."""

import msgspec

from schema.head import Message
from schema.ledger import Ledger
from schema.locks import ANY, Locks, fold_lock
from schema.settings import Settings
from schema.trading import DayOpened, EquityMarked, PairLocked, Protection
from schema.units import rescale
from services.risk.curve import Curve
from services.risk.money import MONEY_EXP
from services.risk.protections import Fall, after_fall, after_trips, horizon_of, rules_of
from services.risk.trips import FOLDED, Trips, fold_trips

MARKS = (DayOpened, EquityMarked)
PROTECTED = FOLDED | {PairLocked, Protection, *MARKS}
"""What the protections remember something of."""

ACCOUNT = "account"


class Protections(msgspec.Struct):
    """The part of the books that protections judge by, and what they and a person have locked."""

    trips: Trips = msgspec.field(default_factory=Trips)
    locks: Locks = msgspec.field(default_factory=Locks)
    curve: Curve = msgspec.field(default_factory=Curve)  # as it stands on the stream


class Equity(msgspec.Struct, frozen=True):
    """What the account is worth, and how much of it was moved in; money in MONEY_EXP."""

    worth: int
    moved: int


class Guards:
    """The protections that are on."""

    def __init__(self, settings: Settings) -> None:
        self.rules = rules_of(settings)
        self.trips_ns = horizon_of(rule for rule in self.rules if rule.kind != "max_drawdown")
        self.falls = tuple(rule for rule in self.rules if rule.kind == "max_drawdown")
        self.falls_ns = horizon_of(self.falls)

    def fold(self, part: Protections, ledger: Ledger, message: Message) -> None:
        """Book one message, after the ledger has."""
        if type(message) in FOLDED:
            fold_trips(part.trips, ledger, message, self.trips_ns)
        elif isinstance(message, PairLocked | Protection):
            fold_lock(part.locks, message)
        elif isinstance(message, MARKS) and _was_seen(message):
            worth = rescale(message.equity - message.deposits, message.quote_exp, MONEY_EXP)
            part.curve.add(message.ts_event, worth, self.falls_ns)

    def after_fill(self, part: Protections, now_ns: int) -> list[Protection]:
        """Return what the trips that a fill has ended lead to."""
        if not part.trips.ended:
            return []
        return after_trips(self.rules, part.trips, part.locks, now_ns)

    def at_look(
        self, part: Protections, seen: Curve, equity: Equity, now_ns: int
    ) -> list[Protection]:
        """Return what the account's equity leads to; `seen` is what was measured since a start."""
        if not (self.falls and equity.moved):
            return []  # Before anything was put in there is nothing to fall from.
        seen.add(now_ns, equity.worth - equity.moved, self.falls_ns)
        found = []
        for rule in self.falls:
            since_ns = max(now_ns - rule.lookback_ns, self._begin(part.locks, rule.name))
            tops = [curve.highest(since_ns) for curve in (part.curve, seen)]
            known = [top for top in tops if top is not None]
            if not known:
                continue
            fall = Fall(max(known) + equity.moved, equity.worth)
            said = after_fall(rule, part.locks, fall, now_ns)
            found += [said] if said is not None else []
        return found

    def _begin(self, locks: Locks, name: str) -> int:
        # What entries have rested for, or a person has cleared, is not counted again.
        return max(locks.protected_ns(ANY, ANY, name), locks.cleared_ns(ANY, ANY))


def _was_seen(message: DayOpened | EquityMarked) -> bool:
    # A peak with a reason was worked out of another one, when money was moved.
    worked_out = isinstance(message, EquityMarked) and (
        message.scope != ACCOUNT or (message.kind == "peak" and message.reason)
    )
    return bool(message.deposits) and not worked_out
