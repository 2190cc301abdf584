"""From what is missing in a slot to what is said: decisions that end a target, orders, cancels."""

import msgspec

from schema.identity import client_order_id
from schema.instruments import check
from schema.market import Instrument
from schema.trading import CancelIntent, Decision, OrderIntent
from services.engine.books import orders_of
from services.engine.decisions import exit_of, resized
from services.engine.gates import closed, peer_answers
from services.engine.hearing import mark_of
from services.engine.line import Pass, trace_of
from services.engine.quantity import again, touch_px
from services.engine.resting import is_latched, needs_nothing
from services.engine.shadow import shade
from services.engine.sizing import in_px_exp, least_lots
from services.engine.state import Slot, slot_key
from services.engine.steer import Move, Scene, steer
from services.engine.worth import held_of

ROUNDS = 3
"""A target that ends becomes flat, and what that leaves to do is done at once."""


def can_steer(turn: Pass) -> bool:
    """Return whether an order would be answered, nothing older waits, and the slots are ours.

    A gateway without its user stream, say, is DEGRADED, and can still protect and close.
    """
    closes_itself = turn.books.kill[0] == "FLATTEN"
    settled = turn.now_ns >= turn.windows.settled_ns
    return settled and not closes_itself and peer_answers(turn.windows, "gateway")


def steer_all(turn: Pass) -> None:
    """Do what is missing in every slot."""
    for slot in list(turn.books.slots.values()):
        steer_slot(turn, slot.strategy, slot.symbol)


def steer_symbol(turn: Pass, symbol: str) -> None:
    """Do what is missing in the slots of one symbol."""
    for slot in list(turn.books.slots.values()):
        if slot.symbol == symbol:
            steer_slot(turn, slot.strategy, symbol)


def steer_slot(turn: Pass, strategy: str, symbol: str) -> None:
    """Do what is missing in one slot."""
    key = slot_key(strategy, symbol)
    instrument = turn.windows.instruments.get(symbol)
    if instrument is None or key in turn.moved:
        return
    slot = turn.slot(strategy, symbol, key)
    if turn.shadows(strategy):
        shade(turn, slot, instrument)
    elif can_steer(turn) and not needs_nothing(turn, slot, instrument):
        _steer(turn, slot, instrument)


def _steer(turn: Pass, slot: Slot, instrument: Instrument) -> None:
    for _ in range(ROUNDS):
        moves = steer(scene_of(turn, slot, instrument))
        ends = [move for move in moves if move.kind == "done"]
        if not ends:
            break
        turn.decide(exit_of(turn, slot, ends[0].why))
        slot = turn.slot(slot.strategy, slot.symbol)
    for move in moves:
        _act(turn, slot, instrument, move)
    _wake(turn, slot, moves)


def order_of(turn: Pass, slot: Slot, instrument: Instrument, move: Move) -> OrderIntent:
    """Return the order of a move; its id counts the orders of the slot's decision."""
    enters, stops, buys = move.kind == "enter", move.kind == "stop", move.side == "buy"
    limit_px = slot.limit_px if enters else 0
    return OrderIntent(
        ts_event=turn.now_ns,
        trace=turn.trace or slot.trace or trace_of(slot.strategy, slot.moment),
        client_order_id=_new_id(turn, slot),
        strategy=slot.strategy,
        symbol=slot.symbol,
        side=move.side,
        order_type="stop" if stops else "limit" if limit_px else "market",
        qty=move.qty,
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        limit_px=limit_px,
        stop_px=slot.stop_px if stops else 0,
        reduce_only=not enters,
        ref_px=touch_px(turn, slot.symbol, instrument, buys=enters and buys),
        valid_until_ns=turn.now_ns + turn.terms.ttl_ns,
        leg="entry" if enters else move.kind,
        parent="" if enters else slot.entry,
        reason=move.why or slot.why,
    )


def scene_of(turn: Pass, slot: Slot, instrument: Instrument) -> Scene:
    """Return a slot as it stands."""
    mark = in_px_exp(mark_of(turn.windows, slot.symbol), instrument.px_exp)
    least, top = least_lots(instrument, mark), turn.windows.tops.get(slot.symbol)
    return Scene(
        slot=slot,
        orders=orders_of(turn.books, slot.strategy, slot.symbol),
        held=held_of(turn, slot, instrument, least),
        least=least,
        bid_px=in_px_exp((top.bid, top.px_exp) if top else None, instrument.px_exp),
        ask_px=in_px_exp((top.ask, top.px_exp) if top else None, instrument.px_exp),
        now_ns=turn.now_ns,
        ttl_ns=turn.terms.ttl_ns,
        latched=is_latched(turn, slot.strategy),
    )


def _new_id(turn: Pass, slot: Slot) -> str:
    leg = slot.legs
    while True:
        made = client_order_id(turn.terms.world, slot.strategy, slot.symbol, slot.moment, leg)
        if made not in turn.books.orders:
            return made
        leg += 1


def _act(turn: Pass, slot: Slot, instrument: Instrument, move: Move) -> None:
    if move.kind == "cancel":
        turn.said.append(_cancel_of(turn, slot, move))
    elif move.kind in {"enter", "exit", "stop"}:
        key = f"refused {slot_key(slot.strategy, slot.symbol)}"
        if turn.now_ns < turn.windows.wakes.get(key, 0):
            return
        if move.kind == "enter":
            wanted = again(turn, slot, instrument)
            left = wanted - (abs(slot.qty) - move.qty)
            move = msgspec.structs.replace(move, qty=max(0, left))
            if left > 0 and wanted != abs(slot.qty):
                turn.decide(resized(turn, slot, wanted if slot.qty > 0 else -wanted))
                slot = turn.slot(slot.strategy, slot.symbol)
        intent = order_of(turn, slot, instrument, move)
        why_not = _why_not(turn, instrument, intent)
        if why_not is None:
            turn.order(intent)
        else:
            _refuse(turn, intent, why_not)
            turn.wake(key, turn.now_ns + turn.terms.ttl_ns)


def _why_not(turn: Pass, instrument: Instrument, intent: OrderIntent) -> str | None:
    denial = check(instrument, intent)
    if denial is not None:
        return f"{denial.code} {denial.detail}"
    return closed(turn, intent.strategy, intent.symbol) if intent.leg == "entry" else None


def _cancel_of(turn: Pass, slot: Slot, move: Move) -> CancelIntent:
    return CancelIntent(
        ts_event=turn.now_ns,
        trace=turn.trace or slot.trace,
        client_order_id=move.order_id,
        strategy=slot.strategy,
        symbol=slot.symbol,
        reason=move.why,
    )


def _refuse(turn: Pass, intent: OrderIntent, why: str) -> None:
    reason = f"{intent.leg}: {why}"
    if turn.is_news(slot_key(intent.strategy, intent.symbol), "refuse", reason):
        turn.said.append(
            Decision(
                ts_event=turn.now_ns,
                trace=intent.trace,
                strategy=intent.strategy,
                symbol=intent.symbol,
                action="refuse",
                reason=reason,
            )
        )


def _wake(turn: Pass, slot: Slot, moves: list[Move]) -> None:
    times_ns = [move.at_ns for move in moves if move.at_ns > turn.now_ns]
    if times_ns:
        turn.wake(f"slot {slot_key(slot.strategy, slot.symbol)}", min(times_ns))
