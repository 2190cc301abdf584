"""Round trips: from where a position leaves zero to where it comes back to it, or goes through.

A trip may be long or short, and grow and shrink on its way. What is too little for the exchange to
take counts as nothing, and belongs to the trip that left it.
"""

from typing import NamedTuple

import msgspec

from schema.house import RunTrade
from schema.ledger import Holding
from schema.market import Instrument
from schema.orders import Fill
from schema.trading import TRAILED
from schema.units import floor_scale, floor_to, notional, rescale

MONEY_EXP = 8
TAG_CHARS = 60


class Tags(NamedTuple):
    """Why an order was sent: as the reason of a trip's begin, and of its end."""

    entry: str
    exit: str


class Leg(msgspec.Struct):
    """What was traded on one side of a trip; exact, in the decimals of its fills."""

    qty: int = 0
    money: int = 0

    def add(self, qty: int, money: int) -> None:
        """Count a fill, or a part of one."""
        self.qty += qty
        self.money += money


class Trip(msgspec.Struct):
    """A trip under way."""

    sign: int
    opened_ns: int
    opened_bar: int
    tag: str
    entry: Leg
    exit: Leg


class Lane:
    """One symbol's position, and the trips that it made."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.done: list[RunTrade] = []
        self.trip: Trip | None = None
        self._before: tuple[int, int] = (0, 0)
        self._left: tuple[int, int] = (0, 0)

    def holds(self, holding: Holding | None, px: int) -> bool:
        """Return whether a position is more than dust, which no exchange takes."""
        return holding is not None and tradable(holding, self.instrument, px)

    def follow(self, fill: Fill, holding: Holding, tags: Tags, bar: int) -> None:
        """Take a fill that the holding has just booked."""
        was, now = rescale(*self._before, holding.qty_exp), holding.qty
        self._before = (now, holding.qty_exp)
        if self.trip is None:
            if was * now >= 0 and abs(now) < abs(was):
                self._amend(fill, holding)
            else:
                self._open(fill, tags, bar, fill.qty)
            return
        if (fill.side == "buy") == (self.trip.sign > 0):
            self.trip.entry.add(fill.qty, fill.quote_qty)
            return
        through = was * now < 0
        closed = _share(fill, abs(was), holding.qty_exp) if through else fill.qty
        self.trip.exit.add(closed, fill.quote_qty * closed // fill.qty)
        if not through and self.holds(holding, fill.px):
            return
        later = _fee_of(fill, fill.qty - closed, holding) if through else 0
        self._close(fill, holding, tags, bar, later)
        if through and self.holds(holding, fill.px):
            self._open(fill, tags, bar, fill.qty - closed)

    def _open(self, fill: Fill, tags: Tags, bar: int, qty: int) -> None:
        self.trip = Trip(
            sign=1 if fill.side == "buy" else -1,
            opened_ns=fill.ts_event,
            opened_bar=bar,
            tag=tags.entry,
            entry=Leg(qty, fill.quote_qty * qty // fill.qty),
            exit=Leg(),
        )

    def _close(self, fill: Fill, holding: Holding, tags: Tags, bar: int, later: int) -> None:
        trip = self.trip
        assert trip is not None
        gain, fees = self._since(holding, later)
        self.trip = None
        self.done.append(
            RunTrade(
                symbol=fill.symbol,
                side="long" if trip.sign > 0 else "short",
                opened_ns=trip.opened_ns,
                closed_ns=fill.ts_event,
                opened_bar=trip.opened_bar,
                closed_bar=bar,
                qty=trip.entry.qty,
                qty_exp=fill.qty_exp,
                entry_px=_average(trip.entry, fill),
                exit_px=_average(trip.exit, fill),
                gain=gain,
                fees=fees,
                entry_tag=trip.tag,
                exit_tag=tags.exit,
            )
        )

    def _amend(self, fill: Fill, holding: Holding) -> None:
        # The rest of an exit whose first part left too little to be a position.
        if self.done:
            last = self.done.pop()
            gain, fees = self._since(holding, 0)
            whole = msgspec.structs.replace(last, gain=last.gain + gain, fees=last.fees + fees)
            self.done.append(msgspec.structs.replace(whole, closed_ns=fill.ts_event))

    def _since(self, holding: Holding, later: int) -> tuple[int, int]:
        """Return what was earned after fees, and paid in fees, since the last trip ended."""
        paid = floor_scale(holding.fees - later, holding.quote_exp, MONEY_EXP)
        earned = floor_scale(holding.realized, holding.quote_exp, MONEY_EXP) - paid
        gain, fees = earned - self._left[0], paid - self._left[1]
        self._left = (earned, paid)
        return gain, fees


def tags_of(leg: str, reason: str) -> Tags:
    """Return the tags of an order: a strategy's own words, or what the order was for."""
    why = reason[:TAG_CHARS] or leg
    by_leg = leg in {"stop", "target"} and reason != TRAILED
    return Tags(entry=why, exit=leg if by_leg else why)


def tradable(holding: Holding, instrument: Instrument, px: int) -> bool:
    """Return whether an exchange takes an order that closes a position at a price."""
    whole = floor_scale(abs(holding.qty), holding.qty_exp, instrument.qty_exp)
    qty = floor_to(whole, instrument.lot)
    if qty == 0 or qty < instrument.min_qty:
        return False
    exp = instrument.px_exp + instrument.qty_exp
    worth = notional(px, qty, exp, instrument.quote_exp)
    return px <= 0 or worth >= instrument.min_notional


def _share(fill: Fill, qty: int, qty_exp: int) -> int:
    return min(fill.qty, floor_scale(qty, qty_exp, fill.qty_exp))


def _fee_of(fill: Fill, qty: int, holding: Holding) -> int:
    """Return the part of a fill's fee that a part of it owes, in the holding's money."""
    if fill.fee_asset != fill.symbol.partition("/")[2]:
        return 0
    fee = rescale(fill.fee, fill.fee_exp, holding.quote_exp)
    return fee - fee * (fill.qty - qty) // fill.qty


def _average(leg: Leg, fill: Fill) -> float:
    if leg.qty == 0:
        return 0.0
    return float(leg.money * 10**fill.qty_exp / (leg.qty * 10**fill.quote_exp))
