"""A shadow: decides like everybody, orders nothing, and is filled in its own books at the touch."""

from schema.identity import strategy_tag
from schema.instruments import market_step
from schema.market import Instrument
from schema.strategy import ShadowFill
from schema.trading import STOPPED, TRAILED
from schema.units import floor_scale, notional_at_most
from services.engine.decisions import adjusted, exit_of
from services.engine.ladders import reached_part
from services.engine.line import Pass
from services.engine.scene import Move, Scene
from services.engine.sizing import BPS, in_px_exp, least_lots
from services.engine.state import Slot, Top, slot_key
from services.engine.trailing import follow

STOPS = frozenset({STOPPED, TRAILED})


def shade(turn: Pass, slot: Slot, instrument: Instrument) -> None:
    """Do in a shadow's books what orders would have done at the exchange."""
    top = turn.windows.tops.get(slot.symbol)
    if top is None or min(top.bid, top.ask) <= 0:
        return
    held = _held(turn, slot, instrument)
    if slot.trails:
        slot = follow(turn, slot, instrument)
    ends = _ends(turn, slot, top, instrument, held) if slot.qty else ""
    if ends:
        turn.decide(exit_of(turn, slot, ends))
    elif part := _part(slot, top, instrument, held):
        turn.decide(adjusted(turn, slot, part.why, qty=part.qty, taken=part.taken))
    slot = turn.slot(slot.strategy, slot.symbol)
    missing = _wanted(slot, top, instrument, held) - held
    if missing and not _waits(slot, top, instrument, missing, turn.now_ns):
        leg = "entry" if slot.qty * missing > 0 else "stop" if ends in STOPS else "exit"
        _tell(turn, leg, _filled(turn, slot, top, instrument, missing))
    if times_ns := [at_ns for at_ns in (slot.until_ns, slot.good_till_ns) if at_ns > turn.now_ns]:
        turn.wake(f"slot {slot_key(slot.strategy, slot.symbol)}", min(times_ns))


def _wanted(slot: Slot, top: Top, instrument: Instrument, held: int) -> int:
    """Return what is wanted by now: of a ladder the rungs whose price the market has come to."""
    if not slot.rungs:
        return slot.qty
    sign = 1 if slot.qty > 0 else -1
    touch = in_px_exp((top.ask if sign > 0 else top.bid, top.px_exp), instrument.px_exp)
    there = sum(lots for px, lots in slot.rungs if (touch - px) * sign <= 0)
    most = abs(slot.qty)
    return sign * min(most, max(there, held * sign))


def _part(slot: Slot, top: Top, instrument: Instrument, held: int) -> Move | None:
    if slot.qty * held <= 0 or not slot.takes:
        return None
    bid_px = in_px_exp((top.bid, top.px_exp), instrument.px_exp)
    ask_px = in_px_exp((top.ask, top.px_exp), instrument.px_exp)
    step, least = max(1, market_step(instrument)), least_lots(instrument, bid_px)
    scene = Scene(slot, {}, held, least, bid_px, ask_px, now_ns=0, ttl_ns=0, step=step)
    parts = reached_part(scene)
    return parts[0] if parts else None


def _held(turn: Pass, slot: Slot, instrument: Instrument) -> int:
    holding = turn.books.shadow.holding(slot.symbol, strategy_tag(slot.strategy))
    if holding is None:
        return 0
    return floor_scale(holding.qty, holding.qty_exp, instrument.qty_exp)


def _ends(turn: Pass, slot: Slot, top: Top, instrument: Instrument, held: int) -> str:
    if 0 < slot.until_ns <= turn.now_ns:
        return "the time is over"
    if not held:
        if 0 < slot.good_till_ns <= turn.now_ns:
            return "its time is over"
        latch = turn.books.latches.get(slot.strategy)
        if latch:
            return f"the entry is not wanted any more: {latch.what}"
        once = slot.time_in_force != "GTC" and _waits(slot, top, instrument, slot.qty)
        return "the entry was not filled at once" if once else ""
    sign = 1 if held > 0 else -1
    px = in_px_exp((top.bid if held > 0 else top.ask, top.px_exp), instrument.px_exp)
    if slot.take_px and (px - slot.take_px) * sign >= 0:
        return "take"
    part = _part(slot, top, instrument, held)
    if part is not None and part.kind == "done":
        return part.why
    return slot.stop_name if slot.stop_px and (px - slot.stop_px) * sign <= 0 else ""


def _waits(slot: Slot, top: Top, instrument: Instrument, missing: int, now_ns: int = 0) -> bool:
    grows = slot.qty * missing > 0
    if grows and (slot.taken or 0 < slot.good_till_ns <= now_ns):
        return True
    touch = in_px_exp((top.ask if missing > 0 else top.bid, top.px_exp), instrument.px_exp)
    if abs(missing) < least_lots(instrument, touch) and slot.qty:
        return True
    sign = 1 if missing > 0 else -1
    away = slot.limit_px > 0 and (touch - slot.limit_px) * sign > 0
    early = slot.trigger_px > 0 and (touch - slot.trigger_px) * sign < 0
    return grows and (away or early)


def _tell(turn: Pass, leg: str, fill: ShadowFill) -> None:
    key = slot_key(fill.strategy, fill.symbol)
    turn.moved |= {key}
    turn.said.append(fill)
    # The strategy hears of it as of a real one: once it is booked.
    turn.windows.thought.setdefault(key, []).append((leg, fill))
    turn.wake(f"shadow {key}", turn.now_ns)


def _filled(turn: Pass, slot: Slot, top: Top, instrument: Instrument, missing: int) -> ShadowFill:
    px = in_px_exp((top.ask if missing > 0 else top.bid, top.px_exp), instrument.px_exp)
    exp = instrument.px_exp + instrument.qty_exp
    money = notional_at_most(px, abs(missing) * turn.terms.fee_bps, exp, instrument.quote_exp)
    return ShadowFill(
        ts_event=turn.now_ns,
        trace=turn.trace or slot.trace,
        strategy=slot.strategy,
        symbol=slot.symbol,
        side="buy" if missing > 0 else "sell",
        px=px,
        qty=abs(missing),
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        fee=-(-money // BPS),
        quote_exp=instrument.quote_exp,
        reason=slot.why,
    )
