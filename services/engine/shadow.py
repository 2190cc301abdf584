"""A shadow: decides like everybody, orders nothing, and is filled in its own books at the touch."""

from schema.identity import strategy_tag
from schema.market import Instrument
from schema.strategy import ShadowFill
from schema.units import floor_scale, notional_at_most
from services.engine.decisions import exit_of
from services.engine.line import Pass
from services.engine.sizing import BPS, in_px_exp, least_lots
from services.engine.state import Slot, Top, slot_key


def shade(turn: Pass, slot: Slot, instrument: Instrument) -> None:
    """Do in a shadow's books what orders would have done at the exchange."""
    top = turn.windows.tops.get(slot.symbol)
    if top is None or min(top.bid, top.ask) <= 0:
        return
    held = _held(turn, slot, instrument)
    ends = _ends(turn, slot, top, instrument, held) if slot.qty else ""
    if ends:
        turn.decide(exit_of(turn, slot, ends))
        slot = turn.slot(slot.strategy, slot.symbol)
    missing = slot.qty - held
    if missing and not _waits(slot, top, instrument, missing):
        leg = "entry" if slot.qty * missing > 0 else "stop" if ends == "stop" else "exit"
        _tell(turn, leg, _filled(turn, slot, top, instrument, missing))
    if slot.until_ns > turn.now_ns:
        turn.wake(f"slot {slot_key(slot.strategy, slot.symbol)}", slot.until_ns)


def _held(turn: Pass, slot: Slot, instrument: Instrument) -> int:
    holding = turn.books.shadow.holding(slot.symbol, strategy_tag(slot.strategy))
    if holding is None:
        return 0
    return floor_scale(holding.qty, holding.qty_exp, instrument.qty_exp)


def _ends(turn: Pass, slot: Slot, top: Top, instrument: Instrument, held: int) -> str:
    if 0 < slot.until_ns <= turn.now_ns:
        return "the time is over"
    if not held:
        latch = turn.books.latches.get(slot.strategy)
        if latch:
            return f"the entry is not wanted any more: {latch.what}"
        once = slot.time_in_force != "GTC" and _waits(slot, top, instrument, slot.qty)
        return "the entry was not filled at once" if once else ""
    sign = 1 if held > 0 else -1
    px = in_px_exp((top.bid if held > 0 else top.ask, top.px_exp), instrument.px_exp)
    if slot.take_px and (px - slot.take_px) * sign >= 0:
        return "take"
    return "stop" if slot.stop_px and (px - slot.stop_px) * sign <= 0 else ""


def _waits(slot: Slot, top: Top, instrument: Instrument, missing: int) -> bool:
    grows = slot.qty * missing > 0
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
