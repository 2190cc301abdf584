"""What the engine says of a decision: to trade, or why not."""

from typing import Any

import msgspec

from schema.trading import Decision
from services.engine.line import Pass, trace_of
from services.engine.state import Slot

Notes = tuple[tuple[str, str], ...]


def exit_of(turn: Pass, slot: Slot, why: str, notes: Notes = (), bar_open_ns: int = 0) -> Decision:
    """Return the decision that a slot's target is over."""
    return Decision(
        ts_event=turn.now_ns,
        trace=turn.trace or slot.trace,
        strategy=slot.strategy,
        symbol=slot.symbol,
        action="exit",
        reason=why,
        bar_open_ns=bar_open_ns,
        notes=notes,
        moment=slot.moment,
        px_exp=slot.px_exp,
        qty_exp=slot.qty_exp,
        shadow=turn.shadows(slot.strategy),
    )


def resized(turn: Pass, slot: Slot, qty: int) -> Decision:
    """Return the decision that a target comes to another quantity by now."""
    return adjusted(turn, slot, slot.why, qty=qty)


def adjusted(turn: Pass, slot: Slot, why: str, **changes: Any) -> Decision:
    """Return the decision of the engine's own that a target goes on, with these changes."""
    decision = Decision(
        ts_event=turn.now_ns,
        trace=turn.trace or slot.trace,
        strategy=slot.strategy,
        symbol=slot.symbol,
        action="adjust",
        reason=why,
        moment=slot.moment,
        qty=slot.qty,
        stop_px=slot.stop_px,
        px_exp=slot.px_exp,
        qty_exp=slot.qty_exp,
        until_ns=slot.until_ns,
        limit_px=slot.limit_px,
        take_px=slot.take_px,
        kind=slot.kind,
        size=slot.size,
        trigger_px=slot.trigger_px,
        stop_limit_px=slot.stop_limit_px,
        time_in_force=slot.time_in_force,
        post_only=slot.post_only,
        shadow=turn.shadows(slot.strategy),
        trail_px=slot.trail_px,
        trail_ppm=slot.trail_ppm,
        trail_from_px=slot.trail_from_px,
        water_px=slot.water_px,
        good_till_ns=slot.good_till_ns,
        rungs=slot.rungs,
        takes=slot.takes,
        taken=slot.taken,
    )
    return msgspec.structs.replace(decision, **changes)


def no_trade(
    turn: Pass, slot: Slot, action: str, why: str, moment: str, notes: Notes, bar_open_ns: int
) -> Decision:
    """Return the decision to hold, or that a target is refused."""
    return Decision(
        ts_event=turn.now_ns,
        trace=turn.trace or trace_of(slot.strategy, moment),
        strategy=slot.strategy,
        symbol=slot.symbol,
        action=action,
        reason=why,
        bar_open_ns=bar_open_ns,
        notes=notes,
        moment=moment,
        shadow=turn.shadows(slot.strategy),
    )
