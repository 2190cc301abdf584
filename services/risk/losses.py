"""The losses that end new risk: of a day, a week, a strategy, and below the peak of equity.

A day's loss is counted from midnight UTC and over twenty-four hours, and the worse one holds. A
limit that was reached stays so: a day's until a later day in which the loss is smaller again, that
of the drawdown until a person releases it, from where it is counted anew.
"""

from collections.abc import Iterator, Mapping

from schema.head import Message
from schema.identity import tag_of
from schema.instruments import Denial
from schema.trading import DayOpened, LimitBreached, LimitReleased
from schema.units import DAY_NS, SECOND_NS
from services.risk import marks
from services.risk.case import Case
from services.risk.marks import WEEK_NS, mark_before
from services.risk.money import Limits, plain
from services.risk.stakes import Stakes, Worth
from services.risk.standing import ACCOUNT, key_of, latch
from services.risk.state import Books, Windows
from services.risk.terms import written

DAILY, WEEKLY, DRAWDOWN, STRATEGY = "daily_loss", "weekly_loss", "max_drawdown_pct", "strategy_loss"
CODES = {
    DAILY: "DAILY_LOSS_LIMIT",
    WEEKLY: "WEEKLY_LOSS_LIMIT",
    DRAWDOWN: "MAX_DRAWDOWN",
    STRATEGY: "STRATEGY_LOSS_LIMIT",
}
HARD = frozenset({DAILY, DRAWDOWN})
"""What halts all trading where `risk.hard` says so."""

PAUSE_NS = SECOND_NS
"""Once in so long, at most, the account is looked at."""

Loss = tuple[str, str, int, int]
"""A limit's name and scope, how much of it is taken, and what is allowed."""


def look(
    worth: Worth, stakes: Stakes, books: Books, windows: Windows, limits: Limits, now_ns: int
) -> list[Message]:
    """Measure what was lost, and return what there is to say of it."""
    windows.looked_ns, windows.equity = now_ns, worth.equity
    said = marks.due(worth, stakes.earned, books, windows, limits, now_ns)
    opened = any(isinstance(message, DayOpened) for message in said)
    _measure(worth, stakes.earned, books, windows, now_ns, opened=opened)
    if books.latched or _is_reached(windows, limits):
        found = list(losses(books, windows, limits))
        said += [*_released(found, books, now_ns), *_reached(found, books, now_ns)]
    return said


def _is_reached(windows: Windows, limits: Limits) -> bool:
    """Return whether a limit may be reached; each is looked at only then."""
    return (
        windows.loss >= limits.daily_loss
        or windows.week_loss >= limits.weekly_loss
        or windows.drawdown_bps >= limits.drawdown_bps
        or any(lost >= limits.least_strategy_loss for lost in windows.losses.values())
    )


def _measure(
    worth: Worth,
    earned: Mapping[str, int],
    books: Books,
    windows: Windows,
    now_ns: int,
    *,
    opened: bool,
) -> None:
    kept, anchor = books.marks, books.anchor
    in_day = 0 if opened or anchor is None else anchor.equity - anchor.deposits - worth.earned
    windows.loss = max(in_day, _over(books, DAILY, DAY_NS, worth, now_ns))
    windows.week_loss = _over(books, WEEKLY, WEEK_NS, worth, now_ns)
    fallen = windows.high - worth.equity
    windows.drawdown_bps = fallen * 10_000 // windows.high if windows.high > 0 else 0
    windows.lost = None
    day, days = now_ns // DAY_NS, kept.days
    windows.losses = {
        tag: days[tag].equity - amount
        for tag, amount in earned.items()
        if tag in days and days[tag].at_ns // DAY_NS == day
    }


def _over(books: Books, name: str, span_ns: int, worth: Worth, now_ns: int) -> int:
    """Return what was lost in so long until now."""
    mark = mark_before(books.marks, now_ns - span_ns, books.marks.since_ns.get(name, 0))
    return mark.earned - worth.earned if mark is not None else 0


def losses(books: Books, windows: Windows, limits: Limits) -> Iterator[Loss]:
    """Yield every limit on what may be lost, and how much of it is taken."""
    yield DAILY, ACCOUNT, windows.loss, limits.daily_loss
    yield WEEKLY, ACCOUNT, windows.week_loss, limits.weekly_loss
    yield DRAWDOWN, ACCOUNT, windows.drawdown_bps, limits.drawdown_bps
    for tag, lost in windows.losses.items():
        name = books.pace.names.get(tag, tag)
        yield STRATEGY, name, lost, limits.strategy_losses.get(name, limits.strategy_loss)


def shown(name: str, n: int) -> str:
    """Return a loss as a person reads it."""
    return written(n, 2) if name == DRAWDOWN else plain(n)


def _reached(found: list[Loss], books: Books, now_ns: int) -> list[LimitBreached]:
    return [
        LimitBreached(
            ts_event=now_ns,
            limit_name=name,
            scope=scope,
            observed=shown(name, lost),
            limit=shown(name, most),
            latched=True,
        )
        for name, scope, lost, most in found
        if lost >= most and key_of(name, scope) not in books.latched
    ]


def _released(found: list[Loss], books: Books, now_ns: int) -> list[LimitReleased]:
    if not books.latched:
        return []
    lost = {key_of(name, scope): (lost, most) for name, scope, lost, most in found}
    said = []
    for key, breach in books.latched.items():
        now, most = lost.get(key, (0, 1))
        later = now_ns // DAY_NS > breach.ts_event // DAY_NS
        if later and now < most and breach.limit_name in {DAILY, WEEKLY, STRATEGY}:
            said.append(released(breach, now_ns, by="risk", reason="a new day"))
    return said


def released(breach: LimitBreached, now_ns: int, *, by: str, reason: str) -> LimitReleased:
    """Return the release of a limit that was reached."""
    return LimitReleased(
        ts_event=now_ns, limit_name=breach.limit_name, scope=breach.scope, by=by, reason=reason
    )


def anew(
    breach: LimitBreached, worth: Worth, stakes: Stakes, books: Books, limits: Limits, now_ns: int
) -> list[Message]:
    """Return the marks that a loss is counted from after a person's release."""
    hour = marks.marked(worth, limits, now_ns)
    match breach.limit_name:
        case "daily_loss":
            return [marks.day_opened(worth, limits, now_ns)]
        case "max_drawdown_pct":
            return [marks.marked(worth, limits, now_ns, kind="peak", reason="released")]
        case "strategy_loss":
            names = books.pace.names
            return [
                marks.of_strategy(tag, earned, limits, now_ns)
                for tag, earned in stakes.earned.items()
                if names.get(tag, tag) == breach.scope
            ]
    return [hour]


def fold_reached(books: Books, message: LimitBreached | LimitReleased) -> None:
    """Book a limit that was reached, or released; a person's release counts from its moment on."""
    latch(books.latched, message)
    if isinstance(message, LimitReleased) and message.by != "risk":
        books.marks.since_ns[key_of(message.limit_name, message.scope)] = message.ts_event


def forgive(windows: Windows, breach: LimitBreached, worth: Worth, books: Books) -> None:
    """Count a loss from here, until the next look measures it."""
    windows.lost = None
    match breach.limit_name:
        case "daily_loss":
            windows.loss = 0
        case "weekly_loss":
            windows.week_loss = 0
        case "max_drawdown_pct":
            windows.high, windows.drawdown_bps = worth.equity, 0
        case "strategy_loss":
            for tag in windows.losses:
                if books.pace.names.get(tag, tag) == breach.scope:
                    windows.losses[tag] = 0


def loss_is_bearable(case: Case) -> Denial | None:
    """Refuse new risk after what was lost is enough."""
    windows, limits, strategy = case.windows, case.limits, case.intent.strategy
    if case.books.latched and (refused := _latched(case)):
        return refused
    mine = windows.losses.get(tag_of(case.intent.client_order_id), 0) if windows.losses else 0
    most = limits.strategy_losses.get(strategy, limits.strategy_loss)
    if (
        windows.loss < limits.daily_loss
        and windows.week_loss < limits.weekly_loss
        and windows.drawdown_bps < limits.drawdown_bps
        and mine < most
    ):
        return None
    of_account = [one for one in losses(case.books, windows, limits) if one[1] == ACCOUNT]
    for name, _, lost, allowed in (*of_account, (STRATEGY, strategy, mine, most)):
        if lost >= allowed:
            return Denial(CODES[name], f"loss={shown(name, lost)} {name}={shown(name, allowed)}")
    return None


def _latched(case: Case) -> Denial | None:
    latched = case.books.latched
    for key in (DAILY, WEEKLY, DRAWDOWN, key_of(STRATEGY, case.intent.strategy)):
        if (breach := latched.get(key)) is not None:
            name, most = breach.limit_name, breach.limit
            return Denial(CODES[name], f"loss={breach.observed} {name}={most} latched=yes")
    return None
