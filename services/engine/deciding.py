"""Asks a strategy about an event, through its boundary, and follows its answer."""

from functools import partial
from typing import Any

import msgspec

from schema.strategy import StrategyFell, StrategyState
from schema.trading import StrategyFailed
from services.engine.boundary import Failure, Guard, ask
from services.engine.decisions import no_trade
from services.engine.line import Pass
from services.engine.roster import FAILED, Cast
from services.engine.state import Slot, slot_key
from services.engine.strategy import Target
from services.engine.target_lots import Answer
from services.engine.targets import follow
from services.engine.view import View
from services.engine.viewing import view_of


class Question(msgspec.Struct, frozen=True):
    """One event for one strategy; `moment` names it in the ids of the orders that it leads to."""

    event: str  # the method
    about: Any  # its first argument
    moment: str
    bar_open_ns: int = 0


def decide(turn: Pass, guard: Guard, cast: Cast, question: Question) -> None:
    """Ask a strategy, and say what it decided and what it remembers."""
    slot = turn.slot(cast.name, cast.symbol, cast.slot_key)
    if slot.moment == question.moment or _has_failed(turn, cast.name):
        return
    view = view_of(turn, cast)
    if isinstance(view, str):
        _wait(turn, slot, question, view)
        return
    answer = _asked(turn, guard, cast, question, view)
    if isinstance(answer, Failure):
        _fell(turn, cast, question, answer)
        return
    if cast.packed is not None:
        turn.said.append(
            StrategyState(
                ts_event=turn.now_ns, strategy=cast.name, symbol=cast.symbol, state=cast.packed
            )
        )
    if answer is not None:
        moment, open_ns = question.moment, question.bar_open_ns
        follow(turn, slot, Answer(cast, view, answer, cast.notes, moment, open_ns))


def _has_failed(turn: Pass, name: str) -> bool:
    latch = turn.books.latches.get(name)
    return name in turn.failed or (latch is not None and latch.what == FAILED)


def fell_key(strategy: str, symbol: str, moment: str) -> str:
    """Return the key of a call that is known not to answer."""
    return f"{strategy} {symbol} {moment}"


def _asked(
    turn: Pass, guard: Guard, cast: Cast, question: Question, view: View
) -> Target | Failure | None:
    before = cast.followed()
    known = turn.windows.fell
    if known:
        key = fell_key(cast.name, cast.symbol, question.moment)
        if key in known:
            return Failure(*known.pop(key))
    call = partial(cast.call, question.event, question.about, view)
    answer = ask(guard, cast.name, call)
    if type(answer) is Failure:
        cast.unlearn(before)
    return answer


def _fell(turn: Pass, cast: Cast, question: Question, failure: Failure) -> None:
    turn.failed |= {cast.name}
    cast.forget()
    turn.said.append(
        StrategyFell(
            strategy=cast.name,
            symbol=cast.symbol,
            moment=question.moment,
            reason=failure.reason,
            detail=failure.detail,
        )
    )
    turn.said.append(failed_of(turn, cast.name, failure))


def failed_of(turn: Pass, name: str, failure: Failure) -> StrategyFailed:
    """Return the message that a strategy is asked no more."""
    return StrategyFailed(
        ts_event=turn.now_ns,
        trace=turn.trace,
        strategy=name,
        reason=failure.reason,
        detail=failure.detail,
    )


def _wait(turn: Pass, slot: Slot, question: Question, why: str) -> None:
    if turn.is_news(slot_key(slot.strategy, slot.symbol), "hold", why):
        moment, open_ns = question.moment, question.bar_open_ns
        turn.said.append(no_trade(turn, slot, "hold", why, moment, (), open_ns))
