"""What a strategy wants of a symbol, and what a decision makes of it."""

import msgspec

from schema.trading import Decision
from services.engine.state import Slot


def after(slot: Slot, decision: Decision) -> Slot:
    """Return what a slot becomes by a decision; one that holds or refuses changes nothing."""
    match decision.action:
        case "enter" | "resize":
            return _wanting(slot, decision)
        case "adjust":
            return _adjusted(slot, decision)
        case "exit":
            return flat(slot, decision.reason)
    return slot


def _adjusted(slot: Slot, decision: Decision) -> Slot:
    followed = decision.water_px not in {0, slot.water_px}
    return msgspec.structs.replace(
        slot,
        qty=decision.qty,
        stop_px=decision.stop_px,
        stop_limit_px=decision.stop_limit_px,
        take_px=decision.take_px,
        until_ns=decision.until_ns,
        # What the engine does by itself is not why there is a position.
        why=slot.why if followed or decision.taken > slot.taken else decision.reason,
        trail_px=decision.trail_px,
        trail_ppm=decision.trail_ppm,
        trail_from_px=decision.trail_from_px,
        water_px=decision.water_px,
        trailed_ns=decision.ts_event if followed else slot.trailed_ns,
        takes=decision.takes,
        taken=decision.taken,
    )


def flat(slot: Slot, why: str) -> Slot:
    """Return a slot whose target is over."""
    return msgspec.structs.replace(
        slot,
        qty=0,
        had=0,
        grows=False,
        limit_px=0,
        stop_px=0,
        take_px=0,
        until_ns=0,
        why=why,
        trigger_px=0,
        stop_limit_px=0,
        time_in_force="GTC",
        post_only=False,
        trail_px=0,
        trail_ppm=0,
        trail_from_px=0,
        water_px=0,
        trailed_ns=0,
        good_till_ns=0,
        rungs=(),
        takes=(),
        taken=0,
    )


def _wanting(slot: Slot, decision: Decision) -> Slot:
    return Slot(
        strategy=decision.strategy,
        symbol=decision.symbol,
        moment=decision.moment,
        qty=decision.qty,
        had=slot.qty if decision.action == "resize" else 0,
        grows=decision.action == "enter" or abs(decision.qty) > abs(slot.qty),
        kind=decision.kind,
        size=decision.size,
        limit_px=decision.limit_px,
        stop_px=decision.stop_px,
        take_px=decision.take_px,
        px_exp=decision.px_exp,
        qty_exp=decision.qty_exp,
        until_ns=decision.until_ns,
        since_ns=decision.ts_event,
        why=decision.reason,
        trace=decision.trace,
        trigger_px=decision.trigger_px,
        stop_limit_px=decision.stop_limit_px,
        time_in_force=decision.time_in_force,
        post_only=decision.post_only,
        trail_px=decision.trail_px,
        trail_ppm=decision.trail_ppm,
        trail_from_px=decision.trail_from_px,
        water_px=decision.water_px,
        trailed_ns=slot.trailed_ns if decision.water_px else 0,
        good_till_ns=decision.good_till_ns,
        rungs=decision.rungs,
        takes=decision.takes,
        taken=decision.taken,
    )


def without_entry(slot: Slot) -> Slot:
    """Return a slot whose entry came to nothing."""
    if slot.had == 0:
        return flat(slot, slot.why)
    # What was there before stays, and its next target is another one.
    return msgspec.structs.replace(
        slot, qty=slot.had, had=0, grows=False, kind="", size=0.0, rungs=(), good_till_ns=0
    )
