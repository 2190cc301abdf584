"""What the differences cost, each by its cause; the parts add up to the whole to the last unit.

Each execution counts with what it adds to the profit until the last price of the stretch, so the
profit is the sum of them, and so is the difference of two profits.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import msgspec

from schema.setting_types import TIMEFRAMES_NS
from schema.units import MS_NS
from services.backtest.parity_causes import Witnesses
from services.backtest.parity_course import TRADED, Act, Group, GroupKey
from services.backtest.parity_pairs import Pair

CAUSES = ("signal", "latency", "fill", "fee")
BPS, PX_PLACES = 10_000, 6
SMALL_BPS, SMALL_RATE_BPS = Fraction(1, 2), Fraction(1, 100)
"""Of what was traded: less than this a lot, or a rounding, may be."""

GROUPED = TRADED | {"exit"}
CROSSED = "the next bar had closed by then"
NOTHING = Group()


class Line(msgspec.Struct):
    """One difference."""

    at_ns: int
    symbol: str
    event: str
    sort: str  # one of CAUSES
    money: Fraction
    house: dict[str, Any]
    run: dict[str, Any]
    why: str
    small: bool = False  # it is hardly worth a line


class Sums(msgspec.Struct):
    """The money of a stretch."""

    house: Fraction = Fraction(0)
    run: Fraction = Fraction(0)
    by: dict[str, Fraction] = msgspec.field(
        default_factory=lambda: dict.fromkeys(CAUSES, Fraction(0))
    )

    def add(self, other: "Sums") -> None:
        """Add the money of another stretch."""
        self.house += other.house
        self.run += other.run
        for name, money in other.by.items():
            self.by[name] += money


def settled(witnesses: Witnesses, pairs: list[Pair]) -> tuple[Sums, list[Line]]:
    """Return the money of a stretch, and the lines of what was decided alike and went otherwise."""
    own, other = witnesses.house.groups, witnesses.run.groups
    parted, answers = _parted(pairs), _answers(pairs)
    sums, lines = Sums(), list[Line]()
    for key in dict.fromkeys([*own, *other]):
        house, run, mark = (
            own.get(key, NOTHING),
            other.get(key, NOTHING),
            witnesses.ran.mark(key[0]),
        )
        if not house.parts and not run.parts:
            continue
        sums.house += house.gain(mark)
        sums.run += run.gain(mark)
        if _is_parted(key, parted):
            sums.by["signal"] += house.gain(mark) - run.gain(mark)
            continue
        pair = answers.get(key)
        for line in _lines(witnesses, key, (house, run), pair):
            sums.by[line.sort] += line.money
            if line.why:
                lines.append(line)
    return sums, lines


def _parted(pairs: list[Pair]) -> set[GroupKey]:
    found = set()
    for pair in pairs:
        for act in pair.acts if pair.differs else ():
            if act is not None and act.decision.action != "refuse":
                closes = act.decision.action not in TRADED  # Another stop closes otherwise.
                found.add((pair.symbol, act.owner, closes))
    return found


def _is_parted(key: GroupKey, parted: set[GroupKey]) -> bool:
    symbol, owner, _ = key
    return key in parted or (symbol, owner, False) in parted or " " not in owner


def _answers(pairs: list[Pair]) -> dict[GroupKey, Pair]:
    found = {}
    for pair in pairs:
        act = pair.acts[0] or pair.acts[1]
        assert act is not None
        if not pair.differs and act.decision.action in GROUPED:
            found[pair.symbol, act.owner, act.ends] = pair
    return found


def _lines(
    witnesses: Witnesses, key: GroupKey, groups: tuple[Group, Group], pair: Pair | None
) -> Iterator[Line]:
    """Yield latency, fill and fee of one decision that both made."""
    house, run = groups
    mark = witnesses.ran.mark(key[0])
    fee = run.fees(mark) - house.fees(mark)
    touches = tuple(_touch(witnesses, key[0], group) for group in groups)
    moved = _moved(house, run, *touches)
    rest = house.gain(mark) - run.gain(mark) - fee - moved
    first_ns = house.wished_ns or run.wished_ns or house.filled_ns or run.filled_ns
    due_ns = pair.due_ns if pair is not None else first_ns
    head = (due_ns, key[0], f"{'end of ' * key[2]}{key[1]}")
    acts = pair.acts if pair is not None else (None, None)
    times = [
        {**_times(group, due_ns, act), "price": text_of(px)}
        for group, act, px in zip(groups, acts, touches, strict=True)
    ]
    late = _late(witnesses, house, due_ns, moved)
    small = _is_small(moved, groups) and CROSSED not in late
    yield Line(*head, "latency", moved, times[0], times[1], late, small)
    filled = _filled(house, run, rest)
    small = _is_small(rest, groups) and _is_small(house.qty - run.qty, groups, of_qty=True)
    yield Line(*head, "fill", rest, _fills(house), _fills(run), filled, small)
    fees = ({"fee": text_of(house.fees(mark))}, {"fee": text_of(run.fees(mark))})
    paid = _paid(house, run, mark) if fee else ""
    yield Line(*head, "fee", fee, *fees, paid, _is_same_rate(house, run, mark))


def _is_small(amount: Fraction, groups: tuple[Group, Group], *, of_qty: bool = False) -> bool:
    whole = max(group.qty if of_qty else group.money for group in groups)
    return abs(amount) * BPS < SMALL_BPS * whole * (10 if of_qty else 1)


def _is_same_rate(house: Group, run: Group, mark: Fraction) -> bool:
    if not house.money or not run.money:
        return False
    rates = [group.fees(mark) / group.money * BPS for group in (house, run)]
    return abs(rates[0] - rates[1]) < SMALL_RATE_BPS


def _touch(witnesses: Witnesses, symbol: str, group: Group) -> Fraction:
    """Return what the market offered when a group was filled."""
    if not group.parts:
        return Fraction(0)
    return witnesses.ran.touch(symbol, group.filled_ns, group.parts[0].sign)


def _moved(house: Group, run: Group, own: Fraction, other: Fraction) -> Fraction:
    """Return what it cost that the market had moved between the two."""
    if not house.parts or not run.parts or house.waits or run.waits:
        return Fraction(0)  # An order that waits for its price is late in neither.
    return house.qty * house.parts[0].sign * (other - own)


def _times(group: Group, due_ns: int, act: Act | None) -> dict[str, Any]:
    times = {
        "decided_ms": act.decision.ts_event if act is not None else group.wished_ns,
        "submitted_ms": group.submitted_ns,
        "filled_ms": group.filled_ns,
    }
    found: dict[str, Any] = {
        name: (at_ns - due_ns) // MS_NS if at_ns else None for name, at_ns in times.items()
    }
    return found


def _late(witnesses: Witnesses, house: Group, due_ns: int, moved: Fraction) -> str:
    step_ns = TIMEFRAMES_NS[witnesses.house.timeframe]
    crossed = not house.waits and house.submitted_ns >= due_ns + step_ns
    told = []
    if moved:
        told.append("the price had moved when it was ordered")
    if crossed:
        told.append(CROSSED)
    return ", and ".join(told)


def _fills(group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {"qty": text_of(group.qty), "fills": len(group.parts)}
    if group.parts:
        found["average"] = text_of(round(group.average, PX_PLACES))
    if group.refusals:
        found["refused"] = group.refusals[-1]
    return found


def _filled(house: Group, run: Group, rest: Fraction) -> str:
    if not rest and house.qty == run.qty:
        return ""
    told = []
    for name, one, other in (("house", house, run), ("run", run, house)):
        if other.parts and not one.parts:
            why = f": {one.refusals[-1]}" if one.refusals else ""
            told.append(f"nothing was filled in the {name}{why}")
    if house.parts and run.parts and house.average != run.average:
        bps = (house.average - run.average) / run.average * BPS
        told.append(f"average {float(bps):+.2f} bps")
    if house.parts and run.parts and house.qty != run.qty:
        told.append(f"quantity {text_of(house.qty - run.qty)} apart")
    return ", ".join(told) or "the amounts are rounded otherwise"


def _paid(house: Group, run: Group, mark: Fraction) -> str:
    rates = [group.fees(mark) / group.money * BPS for group in (house, run) if group.money]
    return "fees of " + " and ".join(f"{float(rate):.2f} bps" for rate in rates)


def text_of(amount: Fraction) -> str:
    """Return an amount as decimal text, exactly; one that has no end, to twenty decimals."""
    places = 20
    whole = round(amount * 10**places)
    sign, digits = "-" * (whole < 0), str(abs(whole)).rjust(places + 1, "0")
    text = f"{sign}{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    return text if text != "-0" else "0"
