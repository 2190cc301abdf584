"""What a check tells of the targets of a strategy: nonsense, habits, and what is never done."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from schema.strategy import Offer
from schema.units import iso
from services.backtest.findings import FAILED, OK, WARNING, Finding, at, shown
from services.backtest.rehearsal import Rehearsal
from services.backtest.witness import ACTS, Call
from services.engine.loading import Loaded
from services.engine.nonsense import SIZED
from services.engine.target_lots import passed_by

BUSY_PART = 2
REFUSED_SHOWN = 3
OVER = 1.001
"""More than its worth by rounding alone is no more than its worth."""


def of_targets(
    offer: Offer, loaded: Loaded, run: Rehearsal, calls: Sequence[Call]
) -> list[Finding]:
    """Tell what is wrong with what it wants."""
    found = [*_failed(run), *_never_asked(loaded, run, calls), *_shorts(offer, calls)]
    found += _wrong_sides(calls)
    if not any(one.level == FAILED for one in found):
        found += [*_habits(calls), *_sizes(calls)]
    found += _without_range(loaded)
    if not found:
        acts = Counter(call.action for call in calls)
        told = f"{acts['enter']} entries, {acts['exit']} exits in {len(calls)} calls"
        return [Finding("targets", OK, told)]
    return found


def _failed(run: Rehearsal) -> Iterator[Finding]:
    for at_ns, message in run.failed:
        told = f"at {iso(at_ns)} {message.reason}: {message.detail}"
        yield Finding("targets", FAILED, told, "Mend it; the house would pause it there")


def _never_asked(loaded: Loaded, run: Rehearsal, calls: Sequence[Call]) -> Iterator[Finding]:
    if calls or run.failed:
        return
    kind = loaded.kind
    told = (
        f"it was never asked: {run.bars} bars were heard, and it declares warmup {kind.warmup} of "
        f"{kind.timeframe}" + (f" and also {dict(kind.also)}" if kind.also else "")
    )
    yield Finding("targets", FAILED, told, "Check it on a longer stretch of time: --since 90d")


def _shorts(offer: Offer, calls: Sequence[Call]) -> Iterator[Finding]:
    if offer.short:
        return
    for call in calls:
        target = call.target if call.answer else None
        if target is not None and target.kind in SIZED and target.size < 0:
            told = (
                f"at {at(call)} it wants a short, {shown(call.answer)}, and `short` is not set: "
                "this is spot"
            )
            todo = (
                "Return Target.flat() there, or set `short = true` (it sells what is held beside)"
            )
            yield Finding("targets", FAILED, told, todo)
            return


def _habits(calls: Sequence[Call]) -> Iterator[Finding]:
    if not calls:
        return
    bars = sum(call.event == "on_bar" for call in calls)
    acts = sum(call.action in ACTS for call in calls)
    if not any(call.action == "enter" for call in calls):
        told = f"it never enters in {len(calls)} calls"
        todo = "Check it on a longer stretch of time, or with other parameters"
        yield Finding("targets", WARNING, told, todo)
    elif bars and acts * BUSY_PART > bars:
        told = f"it trades at {acts} of {bars} bars: each time it pays a fee"
        yield Finding("targets", WARNING, told, "Return None where nothing has changed")
    refused = Counter(call.reason for call in calls if call.action == "refuse")
    if refused:
        most = "; ".join(f"{n} x {why}" for why, n in refused.most_common(REFUSED_SHOWN))
        told = f"the engine refuses some of its targets: {most}"
        yield Finding("targets", WARNING, told, "Mend what it asks for, or give it a larger budget")


def _sizes(calls: Sequence[Call]) -> Iterator[Finding]:
    for call in calls:
        target = call.target if call.answer else None
        if target is None or target.kind not in {"qty", "notional"}:
            continue
        money = abs(target.size) * (call.price if target.kind == "qty" else 1.0)
        if money > OVER * max(call.purse.equity, 0.0):
            told = (
                f"at {at(call)} it wants {money:.2f} and has {call.purse.equity:.2f}: it gets less"
            )
            yield Finding("targets", WARNING, told, "Say Target.weight, or give it a larger budget")
            return


def _wrong_sides(calls: Sequence[Call]) -> Iterator[Finding]:
    wants = [
        (call, target)
        for call in calls
        if call.answer and not call.purse.position and (target := call.target) is not None
        if target.kind in SIZED and target.size
    ]
    wrong = [(call, what) for call, target in wants if (what := passed_by(target, call.price))]
    if wrong:
        call, what = wrong[0]
        told = (
            f"its {what} is on the wrong side of the price at {len(wrong)} of {len(wants)} "
            f"entries; at {at(call)}, price {call.price:.8g}: {shown(call.answer)}"
        )
        todo = "A stop of a long lies below the price and its take above; of a short the other way"
        yield Finding("targets", FAILED if 2 * len(wrong) > len(wants) else WARNING, told, todo)


def _without_range(loaded: Loaded) -> Iterator[Finding]:
    fields = msgspec.structs.asdict(loaded.params)
    odd = [
        name
        for name, value in fields.items()
        if name not in loaded.ranges and type(value) in {int, float}
    ]
    if odd:
        told = f"no range is written behind {', '.join(odd)}"
        yield Finding("parameters", WARNING, told, "Write it as a comment: fast: int = 10  # 5..50")
