"""What losses are measured from: where a day began, the hours behind, the peak of equity.

All stand on `risk.event`, so that a restart knows them, whatever the prices are then. They are said
rarely: each hour, each day, and of a new peak once a minute. Money that is moved in or out moves
the peak in proportion: a withdrawal is no loss, and makes none that was before look larger.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from operator import attrgetter

from schema.head import Message
from schema.trading import DayOpened, EquityMarked
from schema.units import DAY_NS, MINUTE_NS, floor_scale
from services.risk.money import MONEY_EXP, Limits
from services.risk.stakes import Worth
from services.risk.state import Books, Mark, Marks, Windows

EMPTY = 100
"""An account that grows so many times by money moved in was all but empty before."""

HOUR_NS = 60 * MINUTE_NS
WEEK_NS = 7 * DAY_NS
_at_ns = attrgetter("at_ns")


def due(
    worth: Worth,
    earned: Mapping[str, int],
    books: Books,
    windows: Windows,
    limits: Limits,
    now_ns: int,
) -> list[Message]:
    """Return what is to be marked at a look at the account."""
    said: list[Message] = []
    if books.anchor is None or now_ns // DAY_NS > books.anchor.ts_event // DAY_NS:
        said.append(day_opened(worth, limits, now_ns))
    elif not books.marks.hours or now_ns // HOUR_NS > books.marks.hours[-1].at_ns // HOUR_NS:
        said.append(marked(worth, limits, now_ns))
    said += _of_peak(worth, books.marks.peak, windows, limits, now_ns)
    return [*said, *_of_strategies(earned, books.marks, limits, now_ns)]


def day_opened(worth: Worth, limits: Limits, now_ns: int) -> DayOpened:
    """Return what sets the anchor of the day's loss to what the account is worth."""
    return DayOpened(
        ts_event=now_ns,
        quote=limits.quote,
        equity=worth.equity,
        quote_exp=MONEY_EXP,
        deposits=worth.moved,
    )


def marked(
    worth: Worth, limits: Limits, now_ns: int, *, kind: str = "hour", reason: str = ""
) -> EquityMarked:
    """Return a mark of what the account is worth."""
    return EquityMarked(
        ts_event=now_ns,
        quote=limits.quote,
        equity=worth.equity,
        quote_exp=MONEY_EXP,
        deposits=worth.moved,
        kind=kind,
        reason=reason,
    )


def of_strategy(tag: str, earned: int, limits: Limits, now_ns: int) -> EquityMarked:
    """Return a mark of what a strategy has earned so far."""
    return EquityMarked(
        ts_event=now_ns,
        quote=limits.quote,
        equity=earned,
        quote_exp=MONEY_EXP,
        kind="strategy",
        scope=tag,
    )


def _of_strategies(
    earned: Mapping[str, int], marks: Marks, limits: Limits, now_ns: int
) -> list[Message]:
    said: list[Message] = []
    day = now_ns // DAY_NS
    for tag, amount in earned.items():
        mark = marks.days.get(tag)
        if mark is None:  # It had earned nothing before today, unless nothing was marked before.
            said.append(of_strategy(tag, 0 if marks.peak else amount, limits, now_ns))
        elif day > mark.at_ns // DAY_NS:
            said.append(of_strategy(tag, amount, limits, now_ns))
    return said


def _of_peak(
    worth: Worth, peak: Mark | None, windows: Windows, limits: Limits, now_ns: int
) -> list[Message]:
    if peak is None:
        windows.high = worth.equity
        return [marked(worth, limits, now_ns, kind="peak", reason="the first")]
    if moved := worth.moved - peak.deposits:
        windows.high = _moved(max(peak.equity, windows.high), worth.equity, moved)
        high = Worth(windows.high, worth.moved)
        return [marked(high, limits, now_ns, kind="peak", reason="money was moved")]
    windows.high = max(windows.high, peak.equity, worth.equity)
    if windows.high <= peak.equity or now_ns - peak.at_ns < MINUTE_NS:
        return []
    return [marked(Worth(windows.high, worth.moved), limits, now_ns, kind="peak")]


def _moved(top: int, equity: int, moved: int) -> int:
    """Return the peak that is as far above equity in proportion as the one before the move.

    Of an account that was all but empty nothing is left to compare: it begins anew.
    """
    before = equity - moved
    if before <= 0 or before * EMPTY <= equity:
        return equity
    return -(-top * equity // before)


def fold_mark(books: Books, message: DayOpened | EquityMarked) -> None:
    """Book a mark; no price is looked at."""
    equity = floor_scale(message.equity, message.quote_exp, MONEY_EXP)
    deposits = floor_scale(message.deposits, message.quote_exp, MONEY_EXP)
    mark = Mark(message.ts_event, equity, deposits)
    match message:
        case DayOpened():
            books.anchor = message
            _keep(books.marks, mark)
        case EquityMarked(kind="hour"):
            _keep(books.marks, mark)
        case EquityMarked(kind="peak"):
            books.marks.peak = mark
        case EquityMarked(kind="strategy", scope=tag):
            books.marks.days[tag] = mark


def _keep(marks: Marks, mark: Mark) -> None:
    """Keep the marks of a week, and the last one before."""
    marks.hours.append(mark)
    over = bisect_right(marks.hours, mark.at_ns - WEEK_NS, key=_at_ns) - 1
    if over > 0:
        del marks.hours[:over]


def mark_before(marks: Marks, at_ns: int, since_ns: int) -> Mark | None:
    """Return the last mark up to a time, or the first one; none from before `since_ns`."""
    hours = marks.hours
    at = max(0, bisect_right(hours, at_ns, key=_at_ns) - 1)
    if since_ns:
        at = max(at, bisect_left(hours, since_ns, key=_at_ns))
    return hours[at] if at < len(hours) else None
