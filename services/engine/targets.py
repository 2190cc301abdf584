"""From a strategy's target to a decision: enter, resize, adjust, exit, or why nothing is done."""

import msgspec

from schema.head import Side
from schema.instruments import check, leaves_an_exit
from schema.market import Instrument
from schema.trading import Decision
from schema.units import to_text
from services.engine.acting import order_of, steer_slot
from services.engine.decisions import exit_of, no_trade
from services.engine.gates import closed, opposed
from services.engine.line import Pass
from services.engine.orders import orders_of
from services.engine.quantity import touch_px
from services.engine.scene import Move
from services.engine.sizing import in_px_exp, least_lots
from services.engine.slots import after
from services.engine.state import Slot
from services.engine.strategy import Target
from services.engine.target_lots import Answer, decision_of, entry_of, passed_by, take_of


def follow(turn: Pass, slot: Slot, answer: Answer) -> None:
    """Say what becomes of a target, and begin with it."""
    if answer.target.kind == "keep":
        _hold(turn, slot, answer, answer.target.why)
    elif answer.target.kind == "flat" or answer.target.size == 0:
        _flatten(turn, slot, answer)
    elif passed := _passed(answer):
        _over(turn, slot, answer, passed)
    else:
        _want(turn, slot, answer)


def _passed(answer: Answer) -> str:
    target, view = answer.target, answer.view
    if not (target.stop or target.take or target.takes):
        return ""
    # What is held has its entry behind it: its stop may have followed beyond the limit.
    return passed_by(target, view.price, held=view.position * target.size > 0)


def _over(turn: Pass, slot: Slot, answer: Answer, what: str) -> None:
    target = answer.target
    if slot.qty * target.size > 0:
        turn.decide(exit_of(turn, slot, what, answer.notes, answer.bar_open_ns))
        steer_slot(turn, slot.strategy, slot.symbol)
        return
    if slot.qty:  # It wants the other side: what it has, it wants no more.
        turn.decide(exit_of(turn, slot, target.why, answer.notes, answer.bar_open_ns))
        steer_slot(turn, slot.strategy, slot.symbol)
    price = entry_of(target, answer.view.price)
    px = target.stop if what == "stop" else take_of(target)
    _refuse(turn, slot, answer, f"its {what} {px:g} is passed at {price:g}")


def _flatten(turn: Pass, slot: Slot, answer: Answer) -> None:
    if slot.qty == 0:
        _hold(turn, slot, answer, answer.target.why)
        return
    turn.decide(exit_of(turn, slot, answer.target.why, answer.notes, answer.bar_open_ns))
    steer_slot(turn, slot.strategy, slot.symbol)


def _want(turn: Pass, slot: Slot, answer: Answer) -> None:
    instrument = turn.windows.instruments.get(slot.symbol)
    if instrument is None:
        _refuse(turn, slot, answer, f"{slot.symbol} is not known yet")
        return
    if _is_same(slot, answer.target):
        _hold(turn, slot, answer, answer.target.why)
        return
    decision = decision_of(turn, slot, answer, instrument)
    if decision.qty < 0 and not answer.cast.offer.short:
        _refuse(turn, slot, answer, "a short: `short` of the strategy is not set, and this is spot")
    elif slot.qty * decision.qty > 0 and not _too_small(turn, decision, instrument):
        _change(turn, slot, answer, decision, instrument)
    else:
        _enter(turn, slot, answer, decision, instrument)


def _is_same(slot: Slot, target: Target) -> bool:
    return (
        target.kind == slot.kind == "qty"
        and target.size == slot.size
        and slot.qty * target.size > 0
        and not (target.limit or target.stop or target.take or target.expires or target.trigger)
        and not (slot.limit_px or slot.stop_px or slot.take_px or slot.until_ns or slot.trigger_px)
        and not (target.trail or target.trail_bps or target.ladder or target.takes)
        and not (slot.trails or slot.rungs or slot.takes)
    )


def _enter(
    turn: Pass, slot: Slot, answer: Answer, decision: Decision, instrument: Instrument
) -> None:
    if why_not := _obstacle(turn, decision, instrument):
        if slot.qty:  # It wants the other side, or next to nothing: no more what it has.
            turn.decide(exit_of(turn, slot, decision.reason, answer.notes, answer.bar_open_ns))
            steer_slot(turn, slot.strategy, slot.symbol)
        _refuse(turn, slot, answer, why_not)
        return
    _go(turn, slot, answer, decision, instrument)


def _change(
    turn: Pass, slot: Slot, answer: Answer, decision: Decision, instrument: Instrument
) -> None:
    waits = answer.view.position == 0  # The entry still does: another one takes its place.
    other = _is_other_size(turn, slot, answer.target, decision.qty)
    why_not = ""
    if other or (waits and _entry_of(decision) != _entry_of(slot)):
        if waits or abs(decision.qty) > abs(slot.qty):
            why_not = _obstacle(turn, decision, instrument)
        if not why_not:
            _resize(turn, slot, answer, decision, instrument)
            return
    moved = _ends_of(decision) != _ends_of(slot)
    if moved:
        turn.decide(msgspec.structs.replace(decision, action="adjust", qty=slot.qty))
        steer_slot(turn, slot.strategy, slot.symbol)
    if why_not:
        _refuse(turn, slot, answer, why_not)
    elif not moved:
        _hold(turn, slot, answer, answer.target.why)


def _entry_of(wanted: Decision | Slot) -> tuple[object, ...]:
    plain = wanted.limit_px, wanted.trigger_px, wanted.time_in_force, wanted.post_only
    # How large a rung is hangs on the size alone, and that is looked at by itself.
    return *plain, wanted.good_till_ns, tuple(px for px, _ in wanted.rungs)


def _ends_of(wanted: Decision | Slot) -> tuple[object, ...]:
    plain = wanted.stop_px, wanted.stop_limit_px, wanted.take_px, wanted.until_ns
    return *plain, wanted.trail_px, wanted.trail_ppm, wanted.trail_from_px, wanted.takes


def _resize(
    turn: Pass, slot: Slot, answer: Answer, decision: Decision, instrument: Instrument
) -> None:
    if answer.view.position == 0:
        _go(turn, slot, answer, decision, instrument)
        return
    turn.decide(msgspec.structs.replace(decision, action="resize", taken=0))
    steer_slot(turn, slot.strategy, slot.symbol)


def _is_other_size(turn: Pass, slot: Slot, target: Target, qty: int) -> bool:
    if target.kind == slot.kind and target.size == slot.size:
        if slot.taken:  # What its takes have closed is not bought again.
            return False
        return target.kind != "qty" and _differs(turn, slot, qty)
    return qty != slot.qty if target.kind == "qty" else _differs(turn, slot, qty)


def _differs(turn: Pass, slot: Slot, qty: int) -> bool:
    return abs(qty - slot.qty) * 100 > turn.terms.resize_pct * abs(slot.qty)


def _go(turn: Pass, slot: Slot, answer: Answer, decision: Decision, instrument: Instrument) -> None:
    """Decide, and order at once where nothing is in the way."""
    if turn.shadows(slot.strategy) or _is_busy(turn, slot, answer) or decision.rungs:
        turn.decide(decision)
        steer_slot(turn, slot.strategy, slot.symbol)
        return
    wanted = after(slot, decision)
    side: Side = "buy" if decision.qty > 0 else "sell"
    move = Move("enter", qty=abs(decision.qty), side=side, why=decision.reason)
    intent = order_of(turn, wanted, instrument, move)
    if denial := check(instrument, intent) or leaves_an_exit(instrument, intent):
        _refuse(turn, slot, answer, f"{denial.code} {denial.detail}")
        return
    turn.decide(msgspec.structs.replace(decision, client_order_id=intent.client_order_id))
    turn.order(intent)


def _is_busy(turn: Pass, slot: Slot, answer: Answer) -> bool:
    orders = orders_of(turn.books, slot.strategy, slot.symbol).values()
    return answer.view.position != 0 or any(not order.place.terminal for order in orders)


def _obstacle(turn: Pass, decision: Decision, instrument: Instrument) -> str:
    strategy, symbol = decision.strategy, decision.symbol
    if any(0 < end_ns <= turn.now_ns for end_ns in (decision.until_ns, decision.good_till_ns)):
        return "its time is over before it begins"
    opponent = "" if decision.shadow else opposed(turn, strategy, instrument, decision.qty)
    why_not = closed(turn, strategy, symbol, decision.qty) or opponent
    return why_not or _too_small(turn, decision, instrument) or _triggers(turn, decision)


def _triggers(turn: Pass, decision: Decision) -> str:
    """Return that the market has passed what the entry was to wait for; else nothing."""
    top, sign = turn.windows.tops.get(decision.symbol), 1 if decision.qty > 0 else -1
    if top is None or not decision.trigger_px:
        return ""
    px = in_px_exp((top.ask if sign > 0 else top.bid, top.px_exp), decision.px_exp)
    if (px - decision.trigger_px) * sign < 0:
        return ""
    return f"its trigger is passed: {to_text(decision.trigger_px, decision.px_exp)}"


def _too_small(turn: Pass, decision: Decision, instrument: Instrument) -> str:
    px = touch_px(turn, decision.symbol, instrument, buys=decision.qty > 0)
    least = least_lots(instrument, px)
    if abs(decision.qty) >= least:
        return ""
    return f"QUANTITY_BELOW_MINIMUM qty={abs(decision.qty)} min={least}"


def _hold(turn: Pass, slot: Slot, answer: Answer, why: str) -> None:
    if turn.is_news(answer.cast.slot_key, "hold", why):
        turn.said.append(
            no_trade(turn, slot, "hold", why, answer.moment, answer.notes, answer.bar_open_ns)
        )


def _refuse(turn: Pass, slot: Slot, answer: Answer, why: str) -> None:
    if turn.is_news(answer.cast.slot_key, "refuse", why) or answer.bar_open_ns:
        turn.said.append(
            no_trade(turn, slot, "refuse", why, answer.moment, answer.notes, answer.bar_open_ns)
        )
