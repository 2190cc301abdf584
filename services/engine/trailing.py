"""A stop that follows the market: by its quotes, in the position's favour alone, by whole steps.

The best price since the position trails is kept in two places: in the books as far as the stop has
followed it, and in a window beyond that. A restart may forget the second, and never the first.
"""

import msgspec

from schema.head import Side
from schema.identity import strategy_tag
from schema.lifecycle import State
from schema.market import Instrument
from schema.trading import TRAILED, Decision
from schema.units import trigger_px
from services.engine.decisions import adjusted
from services.engine.line import Pass
from services.engine.orders import orders_of
from services.engine.sizing import in_px_exp
from services.engine.state import Slot, slot_key

PPM = 1_000_000
BPS = 10_000
TRAILS = "trail"
"""What wakes a slot whose stop may move again."""

SETTLED = frozenset({State.ACCEPTED})


def touched_px(turn: Pass, slot: Slot, instrument: Instrument, sign: int) -> int:
    """Return what a position could be closed at now; 0 where no quote tells it."""
    top = turn.windows.tops.get(slot.symbol)
    if top is None or min(top.bid, top.ask) <= 0:
        return 0
    return in_px_exp((top.bid if sign > 0 else top.ask, top.px_exp), instrument.px_exp)


def behind(slot: Slot | Decision, px: int, instrument: Instrument, sign: int) -> int:
    """Return where the stop stands that follows a price; 0 where it would be nowhere."""
    gap_px = slot.trail_px or -(-px * slot.trail_ppm // PPM)
    side: Side = "sell" if sign > 0 else "buy"
    found_px = px - sign * gap_px
    return trigger_px(found_px, instrument.tick, side, "stop") if found_px > 0 else 0


def tighter(one_px: int, other_px: int, sign: int) -> int:
    """Return the stop that gives up less; 0 is none."""
    if not one_px or not other_px:
        return one_px or other_px
    return max(one_px, other_px) if sign > 0 else min(one_px, other_px)


def mark(turn: Pass, slot: Slot, instrument: Instrument, held: int) -> int:
    """Keep the best price while a position trails, and return it; 0 while it does not."""
    key, sign = slot_key(slot.strategy, slot.symbol), 1 if held > 0 else -1
    px = touched_px(turn, slot, instrument, sign)
    if slot.qty * held <= 0:
        turn.windows.waters.pop(key, None)
        return 0
    moment, before_px = turn.windows.waters.get(key, ("", 0))
    best_px = tighter(slot.water_px, px, sign)
    if moment == slot.moment:
        best_px = tighter(best_px, before_px, sign)
    if best_px:
        turn.windows.waters[key] = (slot.moment, best_px)
    return best_px


def own_qty(turn: Pass, slot: Slot) -> int:
    """Return what a strategy holds by the books that it trades in, with decimals of its own."""
    ledger = turn.books.shadow if turn.shadows(slot.strategy) else turn.books.ledger
    holding = ledger.holding(slot.symbol, strategy_tag(slot.strategy))
    return holding.qty if holding is not None else 0


def follow(turn: Pass, slot: Slot, instrument: Instrument) -> Slot:
    """Move the stop of a slot behind the market where it is time; return the slot as it is then."""
    held = own_qty(turn, slot)
    water_px, sign = mark(turn, slot, instrument, held), 1 if held > 0 else -1
    if not water_px or (slot.trail_from_px and (water_px - slot.trail_from_px) * sign < 0):
        return slot
    stop_px = behind(slot, water_px, instrument, sign)
    step_px = (stop_px - slot.stop_px) * sign
    least = max(1, turn.terms.trail_step_bps * water_px)
    if not stop_px or (slot.stop_px and step_px * BPS < least):
        return slot
    if not _is_settled(turn, slot) or not _may_move(turn, slot):
        return slot
    turn.decide(adjusted(turn, slot, TRAILED, stop_px=stop_px, water_px=water_px))
    return turn.slot(slot.strategy, slot.symbol)


def begun(turn: Pass, slot: Slot, decision: Decision, instrument: Instrument) -> Decision:
    """Return a decision with the stop that its trail begins with, or has come to so far."""
    sign = 1 if decision.qty > 0 else -1
    if not (decision.trail_px or decision.trail_ppm):
        return decision
    if slot.trails and slot.qty * decision.qty > 0 and own_qty(turn, slot) * sign > 0:
        return msgspec.structs.replace(
            decision,
            stop_px=tighter(decision.stop_px, slot.stop_px, sign),
            water_px=slot.water_px,
        )
    if decision.trail_from_px:
        return decision
    waits_px = decision.trigger_px or decision.limit_px
    px = decision.rungs[-1][0] if decision.rungs else waits_px
    px = px or touched_px(turn, slot, instrument, sign)
    stop_px = behind(decision, px, instrument, sign) if px else 0
    return msgspec.structs.replace(decision, stop_px=tighter(decision.stop_px, stop_px, sign))


def _is_settled(turn: Pass, slot: Slot) -> bool:
    """Return whether nothing that protects the position is on its way, or at work."""
    return all(
        order.place.terminal
        or order.intent.leg == "entry"
        or (order.place.state in SETTLED and not order.cancel_asked and not order.triggered_ns)
        for order in orders_of(turn.books, slot.strategy, slot.symbol).values()
    )


def _may_move(turn: Pass, slot: Slot) -> bool:
    again_ns = slot.trailed_ns + turn.terms.trail_pause_ns
    if not slot.trailed_ns or turn.now_ns >= again_ns:
        return True
    turn.wake(f"{TRAILS} {slot_key(slot.strategy, slot.symbol)}", again_ns)
    return False
