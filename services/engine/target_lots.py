"""What a strategy asks for, in whole lots and ticks: a target made into a decision."""

import msgspec

from schema.head import Side
from schema.instruments import check, leaves_an_exit, market_step
from schema.market import Instrument
from schema.trading import Decision, OrderIntent, Rung
from services.engine.decisions import Notes
from services.engine.ladders import counted, merged, split
from services.engine.line import Pass, trace_of
from services.engine.plain import told
from services.engine.quantity import Wish, signed_qty
from services.engine.roster import Cast
from services.engine.sizing import limit, trigger
from services.engine.state import Slot
from services.engine.strategy import Target
from services.engine.trailing import begun, own_qty
from services.engine.view import View

PPM_OF_BPS = 100


class Answer(msgspec.Struct, frozen=True):
    """What a strategy said of one event."""

    cast: Cast
    view: View
    target: Target
    noted: tuple[tuple[str, object], ...]
    moment: str  # names the decision in the ids of its orders
    bar_open_ns: int

    @property
    def notes(self) -> Notes:
        """What it noted, as it is said beside a decision."""
        return tuple((name, told(value)) for name, value in self.noted)


def passed_by(target: Target, price: float, *, held: bool = False) -> str:
    """Return what the market has passed before the position is there: stop or take; else nothing.

    A stop that was right a bar ago may be above the market now, which is no defect.
    """
    entry, sign = price if held else entry_of(target, price), 1 if target.size > 0 else -1
    if target.stop and (target.stop - entry) * sign >= 0:
        return "stop"
    # Of several takes those that are passed may be done.
    take = target.take if held else take_of(target)
    return "take" if take and (take - entry) * sign <= 0 else ""


def entry_of(target: Target, price: float) -> float:
    """Return what an entry is meant at: of a ladder the rung that is reached last."""
    sign = 1 if target.size > 0 else -1
    last = min((px * sign for px, _ in target.ladder), default=0.0) * sign
    return target.trigger or target.limit or last or price


def take_of(target: Target) -> float:
    """Return the nearest price at which something is closed with a gain; 0: none."""
    sign = 1 if target.size > 0 else -1
    return target.take or min((px * sign for px, _ in target.takes), default=0.0) * sign


def decision_of(turn: Pass, slot: Slot, answer: Answer, instrument: Instrument) -> Decision:
    """Return what a target of a size comes to, whatever may be in its way."""
    cast, target = answer.cast, answer.target
    side: Side = "buy" if target.size > 0 else "sell"
    against: Side = "sell" if target.size > 0 else "buy"
    plain = Decision(
        ts_event=turn.now_ns,
        trace=turn.trace or trace_of(cast.name, answer.moment),
        strategy=cast.name,
        symbol=cast.symbol,
        action="enter",
        reason=target.why,
        bar_open_ns=answer.bar_open_ns,
        notes=answer.notes,
        moment=answer.moment,
        qty=signed_qty(turn, cast.offer, Wish.of(cast.symbol, target), instrument),
        stop_px=trigger(target.stop, instrument, against) if target.stop else 0,
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        until_ns=target.expires,
        limit_px=limit(target.limit, instrument, side) if target.limit else 0,
        take_px=limit(target.take, instrument, against) if target.take else 0,
        shadow=cast.shadow,
        kind=target.kind,
        size=target.size,
        trigger_px=trigger(target.trigger, instrument, side) if target.trigger else 0,
        stop_limit_px=limit(target.stop_limit, instrument, against) if target.stop_limit else 0,
        time_in_force=target.tif,
        post_only=target.post_only,
    )
    if not (target.trail or target.trail_bps or target.good_till or target.ladder or target.takes):
        return plain
    return begun(turn, slot, _extended(turn, slot, answer, plain, instrument), instrument)


def _extended(
    turn: Pass, slot: Slot, answer: Answer, plain: Decision, instrument: Instrument
) -> Decision:
    """Return a decision with what few targets have: a trail, a time of its entry, ladders."""
    target, sign = answer.target, 1 if answer.target.size > 0 else -1
    against: Side = "sell" if sign > 0 else "buy"
    steps = [(limit(px, instrument, against), share) for px, share in target.takes]
    takes = counted(sorted(steps, key=lambda step: step[0] * sign))
    goes_on = slot.taken > 0 and takes == slot.takes and own_qty(turn, slot) * sign > 0
    rungs, note = _rungs(plain, target, instrument) if target.ladder else ((), ())
    return msgspec.structs.replace(
        plain,
        qty=plain.qty if rungs or not target.ladder else 0,
        trail_px=_distance(target.trail, instrument),
        trail_ppm=max(1, round(target.trail_bps * PPM_OF_BPS)) if target.trail_bps else 0,
        trail_from_px=limit(target.trail_from, instrument, against) if target.trail_from else 0,
        good_till_ns=target.good_till,
        rungs=rungs,
        takes=takes,
        taken=slot.taken if goes_on else 0,
        notes=(*plain.notes, *note),
    )


def _distance(gap: float, instrument: Instrument) -> int:
    # Rounded up: a stop that is nearer than was said would fire earlier.
    return max(1, limit(gap, instrument, "sell")) if gap else 0


def _rungs(
    plain: Decision, target: Target, instrument: Instrument
) -> tuple[tuple[Rung, ...], Notes]:
    side: Side = "buy" if target.size > 0 else "sell"
    sign = 1 if target.size > 0 else -1
    steps = sorted(target.ladder, key=lambda step: -step[0] * sign)
    lots = split(abs(plain.qty), [share for _, share in steps], max(1, market_step(instrument)))
    wanted = [(limit(px, instrument, side), qty) for (px, _), qty in zip(steps, lots, strict=True)]
    found = merged(wanted, lambda rung: _is_enough(plain, rung, side, instrument))
    if len(found) == len(wanted) or not found:
        return found, ()
    told_of = f"{len(found)} of {len(wanted)} rungs: the others are below the smallest order"
    return found, (("ladder", told_of),)


def _is_enough(plain: Decision, rung: Rung, side: Side, instrument: Instrument) -> bool:
    px, qty = rung
    intent = OrderIntent(
        ts_event=plain.ts_event,
        client_order_id="",
        strategy=plain.strategy,
        symbol=plain.symbol,
        side=side,
        order_type="limit_maker" if plain.post_only else "limit",
        qty=qty,
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        limit_px=px,
        protect_px=plain.stop_px,
    )
    return check(instrument, intent) is None and leaves_an_exit(instrument, intent) is None
