"""What may go wrong in one seed, and how often: each draws its own odds, and some of them are none.

Every kind of fault has dice of its own, so that without one kind the others fall as before: that is
how a failing run is made small.
"""

from collections import Counter
from collections.abc import Iterable
from random import Random

import msgspec

from tests.sim.steps import Counts

RARE, SOME, MUCH = 0.002, 0.03, 0.12

CALM, KEPT = 0.4, 0.25
"""In so many seeds but so many kinds of faults happen: where all do, no order lives for long."""

ODDS: dict[str, tuple[float, ...]] = {
    # On the way to the exchange and back, of each request.
    "lost_request": (0, SOME, MUCH),
    "lost_answer": (0, SOME, MUCH),
    "late_request": (0, SOME, MUCH),
    "status_unknown": (0, SOME, MUCH),  # -1007: it was taken, and the exchange does not know
    "5xx_after_accept": (0, SOME, MUCH),
    "5xx_untaken": (0, SOME, MUCH),
    "garbage": (0, SOME, MUCH),
    "ban_429": (0, 0, SOME),
    "ban_418": (0, 0, RARE * 4),
    "busy_lane": (0, 0.2),
    # What the exchange does to orders and tells of them.
    "trade_before_cancel": (0, 0.3, 0.7),
    "hasty_cancel_answer": (0, 0.7),
    "end_before_cancel": (0, 0.1, 0.3),
    "rest_ends": (0, MUCH, 0.4),  # of each pass: what was triggered, or traded in part, and rests
    "stop_race": (0, 0.8, 0.8),  # of each cancel of such a one
    "lag": (0, 0.2, 0.5),
    "partial_fill": (0, SOME, MUCH, 0.3),  # of each pass: an order that rests trades in part
    "refused_cancel": (0, MUCH, 0.3),  # "unknown order", of one that it has
    "vanish": (0, 0, SOME),
    "late_reject": (0, 0, RARE, SOME),
    "cancel_by_hand": (0, 0, RARE, SOME),
    "hasty_end": (0, 0, 0, SOME),
    "venue_expires": (0, 0, RARE, SOME),
    "replace_halfway": (0, SOME, 0.3),  # of each replacement: the old one goes, no new one comes
    # The user stream, of each push.
    "lost_push": (0, SOME, 0.2),
    "doubled_push": (0, SOME, 0.2),
    "late_push": (0, SOME, 0.2),
    # The bus, of each frame and hearer.
    "bus_drop": (0, 0, RARE, RARE * 5),
    "bus_double": (0, 0, SOME),
    "bus_delay": (0, 0, SOME),
    # The house, of each pass, append or effect.
    "kill": (0, 0, RARE, RARE * 3),
    "kill_at_append": (0, 0, RARE, RARE * 5),
    "kill_at_effect": (0, 0, 0, SOME),
    "new_code": (0.3,),  # of each death
    "pause": (0, RARE, RARE * 5),
    "pause_in_send": (0, 0, SOME),
    "power_loss": (0, 0, RARE, RARE * 3),
    "clock_step": (0, 0, RARE),
    "absence": (0, 0, RARE),
    "feed_stops": (0, RARE),
    # The exchange as a whole, of each pass.
    "maintenance": (0, 0, RARE),
    "stream_dies": (0, 0, RARE, RARE * 2),
    "stream_mute": (0, 0, RARE, RARE * 2),
    "skew": (0, 0, RARE),
    "foreign": (0, 0, 0, 0, RARE * 2),
    # The operator, of each pass.
    "kill_switch": (0, 0, RARE, RARE * 2),
    "kill_in_send": (0, 0, SOME, MUCH),  # of each send: between the record and its first byte
    "kill_file": (0, 0, RARE, RARE * 2),
    "resume": (RARE * 4, SOME * 2),
}
"""Every kind of fault, and the odds that a seed may give it."""

FOCUSED = 0.35
FOCI: tuple[dict[str, float], ...] = (
    {"stop_race": 0.9},
    {"stop_race": 0.9, "lag": 0.5},
    {"rest_ends": 0.3, "partial_fill": SOME, "refused_cancel": 0.3},
    {"trade_before_cancel": 0.8, "hasty_cancel_answer": 0.8},
    {"partial_fill": MUCH, "refused_cancel": 0.5, "end_before_cancel": 0.3},
    {"hasty_end": SOME},
    {"lost_request": 0.3, "lost_answer": 0.3, "lost_push": 0.3},
    {"late_request": 0.3, "trade_before_cancel": 0.3, "kill_at_effect": SOME},
)
"""In some seeds all is well but for one thing, which then meets orders in all states."""


class Plan(msgspec.Struct, frozen=True):
    """One run, and with it all that happens in it."""

    seed: int
    flips: bool = False
    steps: int = 240
    without: tuple[str, ...] = ()
    odds: tuple[tuple[str, float], ...] = ()  # in place of those that the seed draws

    @property
    def text(self) -> str:
        """Return the plan as a line that `plan_of` reads."""
        parts = [str(self.seed), *(["flips"] if self.flips else []), f"steps={self.steps}"]
        parts += [f"without={','.join(self.without)}"] if self.without else []
        odds = ",".join(f"{name}:{p:g}" for name, p in self.odds)
        return " ".join([*parts, *([f"odds={odds}"] if odds else [])])


def plan_of(text: str) -> Plan:
    """Return the plan that a line tells; ValueError when it tells none."""
    seed, *options = text.split()
    named = dict(option.partition("=")[::2] for option in options)
    if unknown := set(named) - {"flips", "steps", "without", "odds"}:
        raise ValueError(f"{text!r}: unknown {', '.join(sorted(unknown))}")
    without = tuple(filter(None, named.get("without", "").split(",")))
    pairs = [one.partition(":") for one in named.get("odds", "").split(",") if one]
    odds = tuple((name, float(p)) for name, _, p in pairs)
    if strange := {*without, *dict(odds)} - set(ODDS):
        raise ValueError(f"{text!r}: no fault is called {', '.join(sorted(strange))}")
    steps = int(named.get("steps", Plan(0).steps))
    return Plan(int(seed), "flips" in named, steps, without, odds)


class Dice:
    """All chance of a run: by the plan's seed, apart for every kind of fault."""

    def __init__(self, plan: Plan, counts: Counts) -> None:
        self._seed = plan.seed
        self._counts = counts
        draw = Random(f"odds {plan.seed}")
        drawn = {name: draw.choice(odds) for name, odds in ODDS.items()}
        if draw.random() < CALM:
            drawn = {name: p if draw.random() < KEPT else 0 for name, p in drawn.items()}
        if draw.random() < FOCUSED:
            drawn = dict.fromkeys(ODDS, 0.0) | draw.choice(FOCI)
        drawn |= dict(plan.odds)
        self.odds = {name: 0 if name in plan.without else p for name, p in drawn.items()}
        self._dice: dict[str, Random] = {}
        self.healed = False

    def of(self, name: str) -> Random:
        """Return the dice of one kind of chance."""
        if name not in self._dice:
            self._dice[name] = Random(f"{name} {self._seed}")
        return self._dice[name]

    def hits(self, name: str) -> bool:
        """Return whether a fault happens now; it is counted."""
        odds = self.odds[name]
        if not odds or self.healed or self.of(name).random() >= odds:
            return False
        self._counts.fault(name)
        return True

    def first(self, names: Iterable[str]) -> str:
        """Return the first of some faults that happens now, or nothing."""
        return next((name for name in names if self.hits(name)), "")


def never(counts: Counter[str], least: int, wanted: Iterable[str]) -> list[str]:
    """Return what occurred less often than wanted."""
    return [f"{name}: {counts[name]}" for name in wanted if counts[name] < least]
