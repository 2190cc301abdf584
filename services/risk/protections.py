"""The protections: what makes entries rest for a while, as pure rules on trips and on equity.

Each holds what was earned against what was paid for it, never a sum of ratios, and tells its
numbers. A protection that was cleared by a person counts anew from there. A lock is said anew when
it would end later, and never holds an exit or a stop.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from schema.locks import ANY, Locks
from schema.settings import Settings
from schema.settings_protection import ProtectionSettings
from schema.trading import Protection
from schema.units import DAY_NS, MINUTE_NS, MS_NS
from services.risk.money import plain
from services.risk.trips import Trip, Trips, newest

BPS = 10_000


class Rule(msgspec.Struct, frozen=True):
    """One protection of the settings; times in ns of market time."""

    name: str
    own: ProtectionSettings
    lookback_ns: int
    stop_ns: int
    unlock_ns: int | None  # since midnight UTC

    @property
    def kind(self) -> str:
        return self.own.kind

    def until(self, begin_ns: int) -> int:
        """Return when entries may go on after a moment, on a full minute; 0: they never rest."""
        if self.unlock_ns is not None:
            return begin_ns + (self.unlock_ns - begin_ns - 1) % DAY_NS + 1
        return -(-(begin_ns + self.stop_ns) // MINUTE_NS) * MINUTE_NS if self.stop_ns else 0

    def scope(self, trip: Trip) -> tuple[str, str]:
        """Return the symbol and the side that a trip stops."""
        symbol = trip.symbol if self.own.only_per_pair or self.kind in OF_PAIRS else ANY
        return symbol, trip.side if self.own.only_per_side else ANY


class TripEnd(msgspec.Struct, frozen=True):
    """A trip that has just ended, and all that was before it."""

    trip: Trip
    trips: Trips
    locks: Locks


class Fall(msgspec.Struct, frozen=True):
    """The account's equity now, and the highest that it was; money in MONEY_EXP."""

    highest: int
    worth: int

    @property
    def bps(self) -> int:
        return (self.highest - self.worth) * BPS // self.highest if self.highest > 0 else 0


OF_PAIRS = frozenset({"cooldown", "low_profit_pairs"})
"""What always stops a symbol by itself."""


def rules_of(settings: Settings) -> tuple[Rule, ...]:
    """Return the protections that are on, by name."""
    return tuple(_rule(name, own) for name, own in sorted(settings.protection.items()) if own.on)


def _rule(name: str, own: ProtectionSettings) -> Rule:
    hours, _, minutes = own.unlock_at.partition(":")
    unlock_ns = (int(hours) * 60 + int(minutes)) * MINUTE_NS if own.unlock_at else None
    return Rule(name, own, own.lookback_ms * MS_NS, own.stop_duration_ms * MS_NS, unlock_ns)


def horizon_of(rules: Iterable[Rule]) -> int:
    """Return how far back any protection looks."""
    return max((rule.lookback_ns for rule in rules), default=0)


def after_trips(rules: Sequence[Rule], trips: Trips, locks: Locks, now_ns: int) -> list[Protection]:
    """Return what the trips that the last fill has ended lead to."""
    found: dict[tuple[str, str, str], Protection] = {}
    for trip in trips.ended:
        end = TripEnd(trip, trips, locks)
        for rule in rules:
            reason = REASONS[rule.kind](rule, end) if rule.kind in REASONS else ""
            said = _said(rule, locks, rule.scope(trip), trip.closed_ns, reason, now_ns)
            if said is not None:
                found[said.name, said.symbol, said.side] = said
    return list(found.values())


def after_fall(rule: Rule, locks: Locks, fall: Fall, now_ns: int) -> Protection | None:
    """Return what a fall of the account's equity leads to."""
    own = rule.own
    if fall.bps < own.max_allowed_drawdown_bps:
        return None
    reason = (
        f"drawdown_bps={fall.bps} max_allowed_drawdown_bps={own.max_allowed_drawdown_bps} "
        f"highest={plain(fall.highest)} equity={plain(fall.worth)} lookback_ms={own.lookback_ms}"
    )
    return _said(rule, locks, (ANY, ANY), now_ns, reason, now_ns)


def _said(
    rule: Rule, locks: Locks, scope: tuple[str, str], begin_ns: int, reason: str, now_ns: int
) -> Protection | None:
    symbol, side = scope
    if not reason or begin_ns <= locks.cleared_ns(symbol, side):
        return None
    until_ns = rule.until(begin_ns)
    if until_ns <= max(now_ns, locks.protected_until(symbol, side, rule.name)):
        return None
    return Protection(
        ts_event=now_ns,
        name=rule.name,
        symbol=symbol,
        until_ns=until_ns,
        reason=reason,
        side=side,
        since_ns=begin_ns,
    )


def _stoploss_guard(rule: Rule, end: TripEnd) -> str:
    own, least = rule.own, rule.own.required_profit_bps
    if not (end.trip.stopped and end.trip.earned_less(least)):
        return ""
    counted = [trip for trip in _looked_at(rule, end) if trip.stopped and trip.earned_less(least)]
    if len(counted) < own.trade_limit:
        return ""
    return f"stops={len(counted)} trade_limit={own.trade_limit} {_terms(own, counted)}"


def _low_profit_pairs(rule: Rule, end: TripEnd) -> str:
    own, counted = rule.own, _looked_at(rule, end)
    gain, paid = sum(trip.gain for trip in counted), sum(trip.paid for trip in counted)
    if len(counted) < own.trade_limit or gain * BPS >= own.required_profit_bps * paid:
        return ""
    return f"trips={len(counted)} trade_limit={own.trade_limit} {_terms(own, counted)}"


def _cooldown(rule: Rule, end: TripEnd) -> str:
    return f"closed by {end.trip.ended} stop_duration_ms={rule.own.stop_duration_ms}"


def _looked_at(rule: Rule, end: TripEnd) -> list[Trip]:
    symbol, side = rule.scope(end.trip)
    trips = end.trips.stopped if symbol == ANY else end.trips.recent.get(symbol, [])
    after_ns = end.trip.closed_ns - rule.lookback_ns
    found = newest(trips, max(after_ns, end.locks.cleared_ns(symbol, side)))
    return [trip for trip in found if side in {ANY, trip.side}]


def _terms(own: ProtectionSettings, counted: Sequence[Trip]) -> str:
    gain, paid = sum(trip.gain for trip in counted), sum(trip.paid for trip in counted)
    return (
        f"gain={plain(gain)} paid={plain(paid)} required_profit_bps={own.required_profit_bps} "
        f"lookback_ms={own.lookback_ms}"
    )


REASONS: dict[str, Callable[[Rule, TripEnd], str]] = {
    "stoploss_guard": _stoploss_guard,
    "low_profit_pairs": _low_profit_pairs,
    "cooldown": _cooldown,
}
"""Why a trip that has ended stops entries; empty: it does not. `max_drawdown` asks for no trip."""
