"""Lays the decisions of a house and of its run together, event by event, and judges each pair.

What differs because the two no longer hold or remember the same follows an earlier difference, and
is no cause of its own.
"""

from collections.abc import Iterator
from itertools import zip_longest

import msgspec

from schema.trading import Decision
from schema.units import rescale
from services.backtest.parity_causes import Witnesses, plainly
from services.backtest.parity_course import TRADED, Act, Course

Acts = tuple[Act | None, Act | None]
SIZED = TRADED | {"adjust"}
PRICES = ("stop_px", "take_px", "limit_px", "trail_px", "trail_from_px")
CLOSE = 0.01
"""Of a size or a price: what is nearer may come from the moment at which it was asked."""


class Pair(msgspec.Struct):
    """What a house and its run decided on one event."""

    symbol: str
    event: str
    due_ns: int
    acts: Acts
    cause: str = ""  # why they differ; empty: they are the same
    why: str = ""
    follows: int = 0  # the number of the difference that led to it
    number: int = 0  # of a difference, from 1 on
    close: bool = False  # nearly the same, for it was asked later, or was worth something else

    @property
    def differs(self) -> bool:
        return bool(self.cause)


class Place(msgspec.Struct):
    """How far the two are apart in one symbol."""

    wants: list[tuple[str, float] | None] = msgspec.field(default_factory=lambda: [None, None])
    root: int = 0  # the difference that parted them; 0: they are together


def judged(witnesses: Witnesses, first: int) -> list[Pair]:
    """Return all pairs in the order of time; differences are numbered from `first` on."""
    places: dict[str, Place] = {}
    found = sorted(_paired(witnesses), key=lambda pair: (pair.due_ns, pair.symbol, pair.event))
    number = first
    for pair in found:
        place = places.setdefault(pair.symbol, Place())
        _judge(witnesses, pair, place)
        if pair.differs:
            pair.number = number
            number += 1
            place.root = place.root if pair.follows else pair.number
        for side, act in enumerate(pair.acts):
            _want(place, side, act)
    return found


def parted_ns(pairs: list[Pair], house: Course) -> int:
    """Return when the house next traded after a difference that others follow; 0 without one."""
    follower = next((pair for pair in pairs if pair.follows), None)
    if follower is None:
        return 0
    root_ns = next(pair.due_ns for pair in pairs if pair.number == follower.follows)
    traded = (act for act in house.acts if act.decision.action in TRADED)
    later = [act.due_ns for act in traded
             if act.due_ns >= root_ns and act.decision.symbol == follower.symbol]  # fmt: skip
    return min(later, default=0)


def _judge(witnesses: Witnesses, pair: Pair, place: Place) -> None:
    apart = place.wants[0] != place.wants[1]
    remembered = witnesses.remembered(pair.symbol, pair.due_ns)
    if not apart and not remembered:
        place.root = 0
    if _is_same(witnesses, pair):
        return
    if apart and place.root:
        pair.follows = place.root
        pair.cause, pair.why = "position", f"they hold different positions since no. {place.root}"
        return
    pair.cause, pair.why = witnesses.cause(pair.symbol, pair.acts)
    if pair.cause != "unexplained":
        return
    if remembered:
        pair.cause, pair.why, pair.follows = "memory", remembered, place.root
    elif why := witnesses.price(pair.symbol, pair.acts):
        pair.cause, pair.why = "price", why


def _paired(witnesses: Witnesses) -> Iterator[Pair]:
    sides = [_by_event(course) for course in (witnesses.house, witnesses.run)]
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        house, run = (side.get(key, []) for side in sides)
        for acts in _matched(house, run):
            due_ns = min(act.due_ns for act in acts if act is not None)
            yield Pair(key[0], key[1], due_ns, acts)


def _by_event(course: Course) -> dict[tuple[str, str], list[Act]]:
    found: dict[tuple[str, str], list[Act]] = {}
    for act in course.acts:
        found.setdefault((act.decision.symbol, act.event), []).append(act)
    return found


def _matched(house: list[Act], run: list[Act]) -> Iterator[Acts]:
    # One event may end a position and begin another one, or be refused to.
    left = [list(house), list(run)]
    for ends in (True, False):
        for own in [act for act in left[0] if act.ends is ends]:
            other = next((act for act in left[1] if act.ends is ends), None)
            if other is not None:
                left[0].remove(own)
                left[1].remove(other)
                yield own, other
    yield from zip_longest(*left)


def _is_same(witnesses: Witnesses, pair: Pair) -> bool:
    house, run = pair.acts
    if house is not None and run is not None:
        own, other = house.decision, run.decision
        if same(own, other):
            return True
        later = own.ts_event != other.ts_event
        pair.close = _is_close(own, other) and bool(later or witnesses.worth(pair.due_ns))
        return pair.close
    act, course = (house, witnesses.run) if house is not None else (run, witnesses.house)
    assert act is not None
    return _is_old_news(course, act)


def _is_old_news(course: Course, act: Act) -> bool:
    # A refusal that stays the same is not said at each timer: the other one said it before.
    one = act.decision
    if one.action != "refuse" or one.bar_open_ns:
        return False
    before = [d for d in course.said if d.symbol == one.symbol and d.ts_event <= act.due_ns]
    last = max(before, key=lambda d: d.ts_event, default=None)
    return (
        last is not None and last.action == "refuse" and plainly(last.reason) == plainly(one.reason)
    )


def same(house: Decision, run: Decision) -> bool:
    """Return whether two decisions ask for the same; how many lots that is hangs on the price."""
    if house.action != run.action:
        return False
    if house.action in {"exit", "refuse"}:
        return plainly(house.reason) == plainly(run.reason)
    if (house.kind, house.size) != (run.kind, run.size):
        return False
    later_ns = abs(house.ts_event - run.ts_event)
    return _prices(house, run) and abs(house.until_ns - run.until_ns) <= later_ns


def _is_close(house: Decision, run: Decision) -> bool:
    # A size or a stop that is made of the price, or of the worth, is another one a moment later.
    if house.action != run.action or house.kind != run.kind or house.action not in SIZED:
        return False
    later_ns = abs(house.ts_event - run.ts_event)
    if abs(house.until_ns - run.until_ns) > later_ns:
        return False
    pairs = [(house.size, run.size)]
    for name in PRICES:
        own, other = getattr(house, name), getattr(run, name)
        pairs.append((own / 10.0**house.px_exp, other / 10.0**run.px_exp))
    return all(abs(own - other) <= CLOSE * max(abs(own), abs(other)) for own, other in pairs)


def _prices(house: Decision, run: Decision) -> bool:
    exp = max(house.px_exp, run.px_exp)
    return all(
        rescale(getattr(house, name), house.px_exp, exp)
        == rescale(getattr(run, name), run.px_exp, exp)
        for name in PRICES
    )


def _want(place: Place, side: int, act: Act | None) -> None:
    if act is None:
        return
    one = act.decision
    if one.action in TRADED:
        place.wants[side] = (one.kind, one.size)
    elif one.action == "exit":
        place.wants[side] = None
