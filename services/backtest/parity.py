"""A day of a house held against its backtest: the same decisions, or each difference named."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from statistics import median
from typing import Any

import msgspec

from bus.errors import HouseError
from bus.house import House
from schema.head import Message
from schema.strategy import Offer
from schema.units import MINUTE_NS, MS_NS, iso
from services.backtest.parity_causes import Witnesses, differing, words_of
from services.backtest.parity_course import Course, Group
from services.backtest.parity_day import Day, Dues, Stretch, again, stretches
from services.backtest.parity_money import CAUSES, Line, Sums, settled, text_of
from services.backtest.parity_pairs import Pair, judged, parted_ns
from services.backtest.parity_run import Ran, run_again
from services.engine.loading import LoadError, load

PARTS_MAX = 24
"""So often a stretch is begun anew at most: each time it is played once more."""

NEAR_NS = 180 * MINUTE_NS
"""So much is played first, to see whether the two part early."""


class Difference(msgspec.Struct):
    """One line of the report."""

    number: int
    at_ns: int
    at: str
    symbol: str
    event: str
    sort: str  # signal | latency | fill | fee
    cause: str  # of a signal
    why: str
    money: str
    follows: int  # the difference that led to it; 0: none did
    house: dict[str, Any] | None
    run: dict[str, Any] | None
    small: bool = False  # less than half a hundredth of a percent of what was traded


class Played(msgspec.Struct):
    """One stretch of the day, and from where on it is compared."""

    from_ns: int
    until_ns: int
    start_ns: int
    digest: str
    file: str
    params: dict[str, Any]
    symbols: tuple[str, ...]
    by: str
    worth: float
    left_out: int  # decisions before the start
    tape: str
    note: str = ""


class Report(msgspec.Struct):
    """All that is known of a day."""

    strategy: str
    day: str
    world: str
    from_ns: int
    until_ns: int
    notes: list[str] = []
    stretches: list[Played] = []
    decisions: dict[str, int] = msgspec.field(
        default_factory=lambda: {"house": 0, "run": 0, "same": 0, "close": 0}
    )
    causes: dict[str, int] = {}
    latency_ms: dict[str, dict[str, float]] = {}
    money: dict[str, str] = {}
    differences: list[Difference] = []

    @property
    def alike(self) -> bool:
        """Whether all decisions are the same."""
        return not any(one.sort == "signal" for one in self.differences)


class _Sheet:
    """A report while it is made."""

    def __init__(self, house: House, day: Day, date: str) -> None:
        self._house, self._day = house, day
        self.report = Report(day.strategy, date, house.world, day.from_ns, day.until_ns)
        self.sums = Sums()
        self._waits: dict[str, list[int]] = {}

    def play(self, stretch: Stretch) -> None:
        """Compare one stretch, in parts: once the two are apart, it is begun anew."""
        if not stretch.start_ns:
            self._leave(stretch)
            return
        part: Stretch | None = stretch
        for _ in range(PARTS_MAX - 1):
            part = self._part(part) if part is not None else None
        if part is not None:
            self._keep(part, *self._judged(part, run_again(self._house, self._day, part)))

    def _part(self, stretch: Stretch) -> Stretch | None:
        """Compare the first part of a stretch, and return what is left of it."""
        for until_ns in sorted(
            {min(stretch.start_ns + NEAR_NS, stretch.until_ns), stretch.until_ns}
        ):
            near = msgspec.structs.replace(stretch, until_ns=until_ns)
            ran = run_again(self._house, self._day, near)
            witnesses, pairs = self._judged(near, ran)
            parted = parted_ns(pairs, witnesses.house)
            rest = again(self._day, stretch, parted + 1) if parted else None
            if rest is not None and 0 < rest.start_ns < until_ns:
                near.until_ns = rest.from_ns = rest.start_ns + 1
                self._keep(near, *self._judged(near, ran.cut(near.until_ns)))
                return rest
        self._keep(stretch, witnesses, pairs)
        return None

    def _judged(self, stretch: Stretch, ran: Ran) -> tuple[Witnesses, list[Pair]]:
        other = self._course(stretch, {}).hear(ran.words)
        witnesses = Witnesses(self._day, self._own(stretch), other, ran)
        witnesses.bars = differing(self._day, witnesses.ran)
        witnesses.start = stretch.memory
        first = 1 + sum(one.sort == "signal" for one in self.report.differences)
        return witnesses, judged(witnesses, first)

    def _own(self, stretch: Stretch) -> Course:
        words = (word.message for word in self._day.words)
        return self._course(stretch, self._day.dues).hear(_of(words, stretch))

    def _course(self, stretch: Stretch, dues: Dues) -> Course:
        span_ns = (stretch.start_ns or stretch.until_ns, stretch.until_ns)
        foreseen = self._house.settings.predictor.timeframe
        return Course(self._day.strategy, _timeframe(stretch.offer), foreseen, span_ns, dues=dues)

    def _leave(self, stretch: Stretch) -> None:
        played = _played(stretch, self._own(stretch))
        played.note = "it held something all the while: there is no moment to begin at"
        self.report.stretches.append(played)

    def _keep(self, stretch: Stretch, witnesses: Witnesses, pairs: list[Pair]) -> None:
        played = _played(stretch, witnesses.house)
        played.tape = witnesses.ran.tape
        self.report.stretches.append(played)
        sums, lines = settled(witnesses, pairs)
        self.sums.add(sums)
        counts = self.report.decisions
        counts["house"] += len(witnesses.house.acts)
        counts["run"] += len(witnesses.run.acts)
        counts["same"] += sum(not pair.differs for pair in pairs)
        counts["close"] += sum(pair.close and not pair.differs for pair in pairs)
        self.report.differences += [_signal(pair) for pair in pairs if pair.differs]
        self.report.differences += [_other(line) for line in lines]
        self._wait(witnesses)

    def _wait(self, witnesses: Witnesses) -> None:
        for act in witnesses.house.acts:
            if act.event.startswith(("bar", "timer", "forecast")):
                self._waits.setdefault("decided", []).append(act.decision.ts_event - act.due_ns)
        for group in witnesses.house.groups.values():
            for name, at_ns in _steps(group):
                self._waits.setdefault(name, []).append(at_ns - group.wished_ns)

    def done(self) -> Report:
        """Return the report, whole."""
        report = self.report
        report.differences.sort(key=lambda one: (one.at_ns, one.symbol, CAUSES.index(one.sort)))
        sorts = Counter(one.sort for one in report.differences)
        report.causes = {name: sorts[name] for name in CAUSES}
        report.latency_ms = {
            name: {"median": median(waits) / MS_NS, "most": max(waits) / MS_NS}
            for name, waits in self._waits.items()
        }
        sums = self.sums
        money: dict[str, Fraction] = {"house": sums.house, "run": sums.run}
        money |= {"difference": sums.house - sums.run, **sums.by}
        assert sum(sums.by.values()) == sums.house - sums.run, "the parts are the whole"
        report.money = {name: text_of(amount) for name, amount in money.items()}
        return report


def compare(house: House, day: Day, date: str) -> Report:
    """Play a day again, stretch by stretch, and return what differs."""
    parts = stretches(day)
    if not parts:
        raise HouseError(
            f"{day.strategy} did not run between {iso(day.from_ns)} and {iso(day.until_ns)}",
            "Ask for another day: `rrr strategy list` tells since when it runs",
        )
    sheet = _Sheet(house, day, date)
    for part in parts:
        if not part.offer.symbols:
            raise HouseError(
                f"{day.strategy} does not trade {day.symbol}",
                "Leave --symbol out, or name another one",
            )
        sheet.play(part)
    if not any(part.start_ns for part in parts):
        raise HouseError(
            f"{day.strategy} held something at every full minute of that day: there is none from "
            "which on it could be played again",
            "Ask for another day, or for one of its symbols with --symbol",
        )
    return sheet.done()


def _of(words: Iterable[Message], stretch: Stretch) -> Iterable[Message]:
    symbols = stretch.offer.symbols
    return (word for word in words if getattr(word, "symbol", symbols[0]) in symbols)


def _timeframe(offer: Offer) -> str:
    try:
        return load(offer).kind.timeframe
    except LoadError as error:
        raise HouseError(
            f"{offer.file}, as it ran then, does not load any more: {error}",
            "What it imports of this house has changed: check out the code of that day",
        ) from error


def _played(stretch: Stretch, own: Course) -> Played:
    offer = stretch.offer
    return Played(
        from_ns=stretch.from_ns,
        until_ns=stretch.until_ns,
        start_ns=stretch.start_ns,
        digest=offer.digest,
        file=offer.file,
        params=dict(offer.params),
        symbols=offer.symbols,
        by=stretch.by,
        worth=stretch.worth,
        left_out=own.count_between(stretch.from_ns, stretch.start_ns or stretch.until_ns),
        tape="",
    )


def _signal(pair: Pair) -> Difference:
    house, run = words_of(pair.acts)
    return Difference(
        number=pair.number,
        at_ns=pair.due_ns,
        at=iso(pair.due_ns),
        symbol=pair.symbol,
        event=pair.event,
        sort="signal",
        cause=pair.cause,
        why=pair.why,
        money="",
        follows=pair.follows,
        house=house,
        run=run,
    )


def _other(line: Line) -> Difference:
    return Difference(
        number=0,
        at_ns=line.at_ns,
        at=iso(line.at_ns),
        symbol=line.symbol,
        event=line.event,
        sort=line.sort,
        cause="",
        why=line.why,
        money=text_of(line.money),
        follows=0,
        house=line.house,
        run=line.run,
        small=line.small,
    )


def _steps(group: Group) -> Iterable[tuple[str, int]]:
    if group.parts and group.submitted_ns and not group.waits:
        yield "submitted", group.submitted_ns
        yield "filled", group.filled_ns


__all__ = ["Ran", "Report", "compare"]
