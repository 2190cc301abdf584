"""Asks a strategy, and makes of its answer a decision: trade or no trade, and why."""

from collections.abc import Callable

import msgspec

from schema.identity import strategy_tag
from schema.instruments import check
from schema.ledger import equity
from schema.market import Instrument
from schema.trading import Decision, StrategyFailed
from services.engine.acting import can_steer, exit_of, order_of, scene_of, steer_slot
from services.engine.books import after
from services.engine.boundary import Failure, ask
from services.engine.gates import closed
from services.engine.hearing import mark_of, newest_closes, price_of
from services.engine.line import Pass, trace_of
from services.engine.portfolio import marks, money_exp
from services.engine.sizing import CASH_SHARE, as_float, in_px_exp, least_money, lots_for, trigger
from services.engine.steer import Move, is_under_way
from services.engine.strategy import Strategy, Target, View

FAILED = "strategy failed"


class Asked(msgspec.Struct, frozen=True):
    """One question to a strategy; `moment` names it in the ids of the orders that it leads to."""

    strategy: Strategy
    symbol: str
    moment: str
    call: Callable[[View], Target | None]
    bar_open_ns: int = 0


def decide(turn: Pass, asked: Asked) -> None:
    """Ask a strategy, and say what it decided."""
    name = asked.strategy.name
    latch = turn.books.latches.get(name)
    failed = name in turn.failed or (latch is not None and latch.what == FAILED)
    if failed or _was_asked(turn, asked):
        return
    view = _view(turn, asked)
    if isinstance(view, str):
        turn.tell(_hold(turn, asked, view))
        return
    answer = ask(lambda: asked.call(view), view.price)
    notes = asked.strategy.take_notes()
    if isinstance(answer, Failure):
        turn.failed.add(name)
        turn.said.append(_failed(turn, name, answer))
    elif answer is not None:
        _answered(turn, asked, answer, view, notes)


def _was_asked(turn: Pass, asked: Asked) -> bool:
    slot = turn.slot(asked.strategy.name, asked.symbol)
    return slot.moment == asked.moment


def _view(turn: Pass, asked: Asked) -> View | str:
    name, symbol = asked.strategy.name, asked.symbol
    instrument = turn.windows.instruments.get(symbol)
    slot = turn.slot(name, symbol)
    if instrument and is_under_way(scene_of(turn, slot, instrument)):
        return "what was decided before is still under way"
    price = price_of(turn.windows, symbol)
    if price is None:
        return "no price is known yet"
    worth = _worth(turn)
    if worth is None:
        return "the worth of the account is not known: a price is missing"
    holding = turn.books.ledger.holding(symbol, strategy_tag(name))
    position = as_float(holding.qty, holding.qty_exp) if holding else 0.0
    cost = as_float(holding.cost, holding.quote_exp) if holding else 0.0
    long = position > 0 and slot.qty > 0
    mark = mark_of(turn.windows, symbol)
    least_px = in_px_exp(mark, instrument.px_exp) if instrument else 0
    return View(
        symbol=symbol,
        now_ns=turn.now_ns,
        price=price,
        position=position if long else 0.0,
        average=cost / position if long else 0.0,
        equity=worth,
        least=least_money(instrument, least_px),
        step_ns=turn.terms.step_ns,
        closes=newest_closes(turn.windows, symbol),
    )


def _worth(turn: Pass) -> float | None:
    exp = money_exp(turn)
    found = equity(turn.books.ledger, turn.terms.quote, exp, marks(turn))
    return None if found is None else as_float(found, exp)


def _answered(
    turn: Pass, asked: Asked, target: Target, view: View, notes: tuple[tuple[str, str], ...]
) -> None:
    name = asked.strategy.name
    if target.kind == "flat" and view.long:
        slot = turn.slot(name, asked.symbol)
        turn.decide(exit_of(turn, slot, target.why, notes, asked.bar_open_ns))
        steer_slot(turn, name, asked.symbol)
    elif target.kind != "enter" or view.long:
        turn.tell(_hold(turn, asked, target.why, notes))
    elif why_not := closed(turn, name, asked.symbol):
        turn.tell(_refusal(turn, asked, why_not, notes), always=asked.bar_open_ns > 0)
    else:
        _enter(turn, asked, target, notes)


def _enter(turn: Pass, asked: Asked, target: Target, notes: tuple[tuple[str, str], ...]) -> None:
    assert can_steer(turn), "the gates are open, and ask at least as much"
    name, symbol = asked.strategy.name, asked.symbol
    instrument = turn.windows.instruments[symbol]
    top = turn.windows.tops[symbol]
    ask_px = in_px_exp((top.ask, top.px_exp), instrument.px_exp)
    cash = turn.books.ledger.balance(instrument.quote)
    money = min(target.notional, as_float(cash.amount, cash.exp) * CASH_SHARE)
    decision = Decision(
        ts_event=turn.now_ns,
        trace=turn.trace or trace_of(name, asked.moment),
        strategy=name,
        symbol=symbol,
        action="enter",
        reason=target.why,
        bar_open_ns=asked.bar_open_ns,
        notes=notes,
        moment=asked.moment,
        qty=lots_for(max(0.0, money), ask_px, instrument),
        stop_px=trigger(target.stop, instrument),
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        until_ns=target.until_ns,
    )
    _enter_if_it_passes(turn, asked, decision, instrument)


def _enter_if_it_passes(
    turn: Pass, asked: Asked, decision: Decision, instrument: Instrument
) -> None:
    slot = after(turn.slot(decision.strategy, decision.symbol), decision)
    move = Move("enter", qty=decision.qty, why=decision.reason)
    intent = order_of(turn, slot, instrument, move)
    denial = check(instrument, intent)
    if denial is not None:
        why = f"{denial.code} {denial.detail}"
        turn.tell(_refusal(turn, asked, why, decision.notes), always=asked.bar_open_ns > 0)
        return
    changes = {"client_order_id": intent.client_order_id}
    turn.decide(msgspec.structs.replace(decision, **changes))
    turn.said.append(intent)


def _hold(turn: Pass, asked: Asked, why: str, notes: tuple[tuple[str, str], ...] = ()) -> Decision:
    return Decision(
        ts_event=turn.now_ns,
        trace=turn.trace or trace_of(asked.strategy.name, asked.moment),
        strategy=asked.strategy.name,
        symbol=asked.symbol,
        action="hold",
        reason=why,
        bar_open_ns=asked.bar_open_ns,
        notes=notes,
        moment=asked.moment,
    )


def _refusal(turn: Pass, asked: Asked, why: str, notes: tuple[tuple[str, str], ...]) -> Decision:
    held_back = _hold(turn, asked, why, notes)
    return msgspec.structs.replace(held_back, action="refuse")


def _failed(turn: Pass, name: str, failure: Failure) -> StrategyFailed:
    return StrategyFailed(
        ts_event=turn.now_ns,
        trace=turn.trace,
        strategy=name,
        reason=failure.reason,
        detail=failure.detail,
    )
