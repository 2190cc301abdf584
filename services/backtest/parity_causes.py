"""Why a house decided otherwise than its run, from what stands in the journals about that time."""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import msgspec

from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from schema.strategy import StrategyState
from schema.trading import Decision, StrategyFailed, StrategyPaused, StrategyResumed
from schema.units import MS_NS, SECOND_NS, iso, rescale, to_text
from services.backtest.parity_course import Act, Course
from services.backtest.parity_day import BarKey, Day
from services.backtest.parity_run import Ran

NUMBERS = re.compile(r"[0-9][0-9.,:]*")
SIDES = ("open", "high", "low", "close")
Cause = tuple[str, str]
"""Its name, and what is known of it."""


class Witnesses(msgspec.Struct):
    """All that may tell why."""

    day: Day
    house: Course
    run: Course
    ran: Ran
    bars: dict[BarKey, str] = {}  # those that differ, and how
    start: Mapping[str, bytes] = {}  # what was remembered at the start, by symbol

    def cause(self, symbol: str, acts: tuple[Act | None, Act | None]) -> Cause:
        """Return why two answers to one event differ; nothing known: unexplained."""
        house, run = acts
        act = house or run
        assert act is not None
        found = self._stopped(symbol, act.due_ns, house) or self._gated(symbol, house, run)
        found = found or self._seen(symbol, act)
        if found is None and house and run and house.decision.action == run.decision.action:
            if text := self.price(symbol, acts):  # A size or a stop is made of it.
                found = "price", text
            elif text := self.worth(act.due_ns):
                found = "worth", text
        return found or ("unexplained", "nothing here tells why")

    def price(self, symbol: str, acts: tuple[Act | None, Act | None]) -> str:
        """Return how the market had moved when the later of two was asked; nothing: it had not."""
        house, run = acts
        if house is None or run is None:
            return ""
        times = house.decision.ts_event, run.decision.ts_event
        own, other = (self._mid(symbol, at_ns) for at_ns in times)
        if own == other:
            return ""
        late_ms = (times[0] - times[1]) // MS_NS
        return f"asked {late_ms} ms later, at {float(own):.12g} instead of {float(other):.12g}"

    def worth(self, at_ns: int) -> str:
        """Return how the two differ in what they had earned by a time; nothing: they do not."""
        own, other = (course.earned(at_ns) for course in (self.house, self.run))
        return f"it had earned {float(own - other):+.8g} more than the run" if own != other else ""

    def _mid(self, symbol: str, at_ns: int) -> Fraction:
        return (self.ran.touch(symbol, at_ns, 1) + self.ran.touch(symbol, at_ns, -1)) / 2

    def remembered(self, symbol: str, before_ns: int) -> str:
        """Return what the two remember differently before a time; nothing: the same."""
        sides = [_state(course.states, symbol, before_ns) for course in (self.house, self.run)]
        sides = [one or self.start.get(symbol, b"") for one in sides]
        if sides[0] == sides[1]:
            return ""
        own, other = (_unpacked(one) for one in sides)
        names = sorted(name for name in {*own, *other} if own.get(name) != other.get(name))
        told = [f"{name} {own.get(name)} in the house, {other.get(name)} in the run"
                for name in names]  # fmt: skip
        return "; ".join(told)

    def _stopped(self, symbol: str, at_ns: int, house: Act | None) -> Cause | None:
        latch = _latch(self.house, at_ns)
        refused = house is not None and house.decision.action == "refuse"
        if house is None or refused:
            for down in self.day.downs:
                if down.holds(at_ns):
                    return "down", down.text
            if text := self._late(symbol, at_ns):
                return "late", text
            if isinstance(latch, StrategyFailed):
                return "failed", f"{latch.reason}: {latch.detail}"
            if isinstance(latch, StrategyPaused):
                return "paused", f"by {latch.by}: {latch.reason}"
        again = _latch(self.run, at_ns)
        if isinstance(again, StrategyFailed):
            return "failed in the run", f"{again.reason}: {again.detail}"
        told = _told(self.house, symbol, at_ns, "hold") if house is None else None
        if told is not None and " bars" in told.reason:
            return "warm-up", told.reason
        return None

    def _late(self, symbol: str, at_ns: int) -> str:
        for (name, timeframe, open_ns), late_ns in self.day.late.items():
            if name == symbol and open_ns + TIMEFRAMES_NS[timeframe] == at_ns:
                late_s = late_ns // SECOND_NS
                return f"its bar of {timeframe} was heard {late_s} s of market time too late"
        return ""

    def _gated(self, symbol: str, house: Act | None, run: Act | None) -> Cause | None:
        if house is not None and house.decision.action == "refuse":
            return "gate", house.decision.reason
        if run is not None and run.decision.action == "refuse":
            return "gate of the run", run.decision.reason
        if house is None and run is not None:
            told = _told(self.house, symbol, run.due_ns, "refuse") or self._beside(run.due_ns)
            if told is not None:
                return "gate", f"{told.reason}, said at {iso(told.ts_event)}"
        return None

    def _beside(self, at_ns: int) -> Decision | None:
        """Return a refusal of another symbol at the same time: a gate is often one for all."""
        acts = (act for act in self.house.acts if act.decision.action == "refuse")
        return next((act.decision for act in acts if act.due_ns == at_ns), None)

    def _seen(self, symbol: str, act: Act) -> Cause | None:
        """Return what it was shown otherwise; of several bars the newest."""
        found: list[tuple[int, str]] = []
        for (other, frame), count in self.ran.needs.items():
            step_ns = TIMEFRAMES_NS[frame]
            for (name, timeframe, open_ns), text in self.bars.items():
                near = act.due_ns - (count + 1) * step_ns <= open_ns <= act.due_ns - step_ns
                if (name, timeframe) == (other, frame) and near:
                    found.append((open_ns, text))
        return ("bar", max(found)[1]) if found else None


def differing(day: Day, ran: Ran) -> dict[BarKey, str]:
    """Return the bars that a house heard otherwise than the shards have them."""
    spans = _spans(day.bars)
    found = {}
    for key, bar in ran.heard.items():
        heard = day.bars.get(key)
        first_ns, last_ns = spans.get(key[:2], (1, 0))
        if heard is None and first_ns <= key[2] <= last_ns:
            found[key] = f"the house did not hear the bar {key[1]} of {key[0]}"
        elif heard is not None and (text := _difference(heard, bar)):
            found[key] = text
    return found


def plainly(reason: str) -> str:
    """Return a reason without its numbers, which differ a little from time to time."""
    return NUMBERS.sub("#", reason)


def _spans(bars: Mapping[BarKey, Bar]) -> dict[tuple[str, str], tuple[int, int]]:
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for symbol, timeframe, open_ns in bars:
        first_ns, last_ns = found.get((symbol, timeframe), (open_ns, open_ns))
        found[symbol, timeframe] = min(first_ns, open_ns), max(last_ns, open_ns)
    return found


def _difference(heard: Bar, kept: Bar) -> str:
    exp = max(heard.px_exp, kept.px_exp)
    for side in SIDES:
        own, other = (rescale(getattr(bar, side), bar.px_exp, exp) for bar in (heard, kept))
        if own != other:
            texts = to_text(own, exp), to_text(other, exp)
            return f"{side} of its bar {texts[0]} as the house heard it, {texts[1]} in the shard"
    exp = max(heard.qty_exp, kept.qty_exp)
    own, other = (rescale(bar.volume, bar.qty_exp, exp) for bar in (heard, kept))
    if own == other:
        return ""
    return f"volume of its bar {to_text(own, exp)} heard, {to_text(other, exp)} in the shard"


def _latch(course: Course, at_ns: int) -> StrategyFailed | StrategyPaused | None:
    found: StrategyFailed | StrategyPaused | None = None
    for one in course.latches:
        if one.ts_event > at_ns:
            break
        found = None if isinstance(one, StrategyResumed) else one
    return found


def _told(course: Course, symbol: str, at_ns: int, action: str) -> Decision | None:
    """Return what was last said of not trading, unless something was decided since."""
    said = (one for one in course.said if one.symbol == symbol and one.ts_event <= at_ns)
    last = max(said, key=lambda one: one.ts_event, default=None)
    return last if last is not None and last.action == action else None


def _state(states: list[tuple[int, StrategyState]], symbol: str, before_ns: int) -> bytes:
    found = (
        one.state for due_ns, one in reversed(states) if one.symbol == symbol and due_ns < before_ns
    )
    return next(found, b"")


def _unpacked(state: bytes) -> dict[str, Any]:
    if not state:
        return {}
    found = msgspec.msgpack.decode(state)
    return found if isinstance(found, dict) else {"state": found}


def words_of(acts: tuple[Act | None, Act | None]) -> Iterator[dict[str, Any] | None]:
    """Yield both answers as JSON holds them."""
    for act in acts:
        if act is None:
            yield None
            continue
        one = act.decision
        prices = {"stop": one.stop_px, "take": one.take_px, "limit": one.limit_px}
        yield {
            "action": one.action,
            "reason": one.reason,
            "kind": one.kind,
            "size": one.size,
            **{name: to_text(px, one.px_exp) for name, px in prices.items() if px},
            "notes": dict(one.notes),
        }
