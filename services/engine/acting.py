"""From what is missing in a slot to what is said: decisions that end a target, orders, cancels."""

import msgspec

from schema.identity import client_order_id, strategy_tag
from schema.instruments import check, leaves_an_exit, market_step
from schema.market import Instrument
from schema.trading import CancelIntent, Decision, OrderIntent, OrderType, TimeInForce
from services.engine.decisions import adjusted, exit_of, resized
from services.engine.gates import closed, peer_answers
from services.engine.hearing import mark_of
from services.engine.line import Pass, trace_of
from services.engine.orders import orders_of
from services.engine.quantity import again, touch_px
from services.engine.resting import is_latched, needs_nothing
from services.engine.scene import Move, Scene
from services.engine.shadow import shade
from services.engine.sizing import in_px_exp, least_lots, lots_held
from services.engine.state import Slot, slot_key
from services.engine.steer import steer
from services.engine.trailing import follow, mark, own_qty
from services.engine.worth import held_of

ROUNDS = 3
"""A target that ends becomes flat, and what that leaves to do is done at once."""

PAIR = ("stop", "target")
ORDERING = frozenset({"enter", "exit", *PAIR, "pair"})
ENDING = frozenset({"done", "part"})


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
    elif slot.trails:
        mark(turn, slot, instrument, own_qty(turn, slot))


def _steer(turn: Pass, slot: Slot, instrument: Instrument) -> None:
    if slot.trails:
        slot = follow(turn, slot, instrument)
    for _ in range(ROUNDS):
        moves = steer(scene_of(turn, slot, instrument))
        ends = [move for move in moves if move.kind in ENDING]
        if not ends:
            break
        turn.decide(_ended(turn, slot, ends[0]))
        slot = turn.slot(slot.strategy, slot.symbol)
    for move in moves:
        _act(turn, slot, instrument, move)
    _wake(turn, slot, moves)


def _ended(turn: Pass, slot: Slot, move: Move) -> Decision:
    if move.kind == "part":
        return adjusted(turn, slot, move.why, qty=move.qty, taken=move.taken)
    return exit_of(turn, slot, move.why)


def order_of(turn: Pass, slot: Slot, instrument: Instrument, move: Move) -> OrderIntent:
    """Return the order of a move; its id counts the orders of the slot's decision."""
    (order_id,) = _new_ids(turn, slot, 1)
    return _order(turn, slot, instrument, move, order_id)


def pair_of(
    turn: Pass, slot: Slot, instrument: Instrument, move: Move
) -> tuple[OrderIntent, OrderIntent]:
    """Return stop and target of a move, each of which names the other."""
    ids = _new_ids(turn, slot, 2)
    stop, target = (
        _order(turn, slot, instrument, msgspec.structs.replace(move, kind=leg), order_id)
        for leg, order_id in zip(PAIR, ids, strict=True)
    )
    return (
        msgspec.structs.replace(stop, oco=target.client_order_id),
        msgspec.structs.replace(target, oco=stop.client_order_id, order_type="limit_maker"),
    )


def _order(
    turn: Pass, slot: Slot, instrument: Instrument, move: Move, order_id: str
) -> OrderIntent:
    enters, buys = move.kind == "enter", move.side == "buy"
    order_type, limit_px, stop_px = _priced(slot, move)
    waits = enters and (limit_px or stop_px)
    return OrderIntent(
        ts_event=turn.now_ns,
        trace=turn.trace or slot.trace or trace_of(slot.strategy, slot.moment),
        client_order_id=order_id,
        strategy=slot.strategy,
        symbol=slot.symbol,
        side=move.side,
        order_type=order_type,
        qty=move.qty,
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        limit_px=limit_px,
        stop_px=stop_px,
        time_in_force=_tif_of(slot) if waits else "GTC",
        reduce_only=not enters,
        ref_px=touch_px(turn, slot.symbol, instrument, buys=enters and buys),
        valid_until_ns=turn.now_ns + turn.terms.ttl_ns,
        leg="entry" if enters else move.kind,
        parent="" if enters else slot.entry,
        reason=move.why or (slot.stop_name if move.kind == "stop" and slot.trails else slot.why),
        protect_px=slot.stop_px if enters else 0,
        replaces=move.replaces,
        expire_ns=slot.good_till_ns if waits else 0,
    )


def _tif_of(slot: Slot) -> TimeInForce:
    if slot.good_till_ns:
        return "GTD"
    return slot.time_in_force if slot.limit_px else "GTC"


def _priced(slot: Slot, move: Move) -> tuple[OrderType, int, int]:
    """Return what an order is, its limit and its trigger."""
    match move.kind:
        case "enter" if move.limit_px:
            return "limit_maker" if slot.post_only else "limit", move.limit_px, 0
        case "enter" if slot.trigger_px:
            waits: OrderType = "stop_limit" if slot.limit_px else "stop"
            return waits, slot.limit_px, slot.trigger_px
        case "enter" if slot.limit_px:
            return "limit_maker" if slot.post_only else "limit", slot.limit_px, 0
        case "stop":
            stops: OrderType = "stop_limit" if slot.stop_limit_px else "stop"
            return stops, slot.stop_limit_px, slot.stop_px
        case "target":
            return "limit", slot.take_px, 0
    return "market", 0, 0


def scene_of(turn: Pass, slot: Slot, instrument: Instrument) -> Scene:
    """Return a slot as it stands."""
    mark = in_px_exp(mark_of(turn.windows, slot.symbol), instrument.px_exp)
    least, top = least_lots(instrument, mark), turn.windows.tops.get(slot.symbol)
    held = held_of(turn, slot, instrument, least)
    return Scene(
        slot=slot,
        orders=orders_of(turn.books, slot.strategy, slot.symbol),
        held=held,
        least=least,
        bid_px=in_px_exp((top.bid, top.px_exp) if top else None, instrument.px_exp),
        ask_px=in_px_exp((top.ask, top.px_exp) if top else None, instrument.px_exp),
        now_ns=turn.now_ns,
        ttl_ns=turn.terms.ttl_ns,
        latched=is_latched(turn, slot.strategy),
        pairs=_takes_pair(turn, slot, instrument, held),
        replaces=instrument.cancel_replace,
        step=max(1, market_step(instrument)),
    )


def _takes_pair(turn: Pass, slot: Slot, instrument: Instrument, held: int) -> bool:
    if not (instrument.oco and slot.stop_px and slot.take_px and held > 0):
        return False
    if slot.trails:  # A pair cannot be replaced: it would be gone at each step of the stop.
        return False
    legs = pair_of(turn, slot, instrument, Move("pair", qty=held))
    return not any(check(instrument, leg) for leg in legs)


def _new_ids(turn: Pass, slot: Slot, count: int) -> list[str]:
    leg = slot.legs
    found: list[str] = []
    while len(found) < count:
        made = client_order_id(turn.terms.world, slot.strategy, slot.symbol, slot.moment, leg)
        if made not in turn.books.orders and made not in turn.ordered:
            found.append(made)
        leg += 1
    return found


def _act(turn: Pass, slot: Slot, instrument: Instrument, move: Move) -> None:
    if move.kind == "cancel":
        turn.said.append(_cancel_of(turn, slot, move))
    elif move.kind in ORDERING:
        # What may not enter now may still be protected, and closed.
        what = "entry " if move.kind == "enter" else ""
        key = f"refused {what}{slot_key(slot.strategy, slot.symbol)}"
        if turn.now_ns < turn.windows.wakes.get(key, 0):
            return
        if move.kind == "enter" and not move.limit_px:
            move = _by_now(turn, slot, instrument, move)
            slot = turn.slot(slot.strategy, slot.symbol)
        _say(turn, _orders_of(turn, slot, instrument, move), instrument, key)


def _by_now(turn: Pass, slot: Slot, instrument: Instrument, move: Move) -> Move:
    """Return an entry of as much as its target is by now."""
    wanted = again(turn, slot, instrument)
    left = wanted - (abs(slot.qty) - move.qty)
    if left > 0 and wanted != abs(slot.qty):
        turn.decide(resized(turn, slot, wanted if slot.qty > 0 else -wanted))
    return msgspec.structs.replace(move, qty=max(0, left))


def _orders_of(
    turn: Pass, slot: Slot, instrument: Instrument, move: Move
) -> tuple[OrderIntent, ...]:
    if move.kind == "pair":
        return pair_of(turn, slot, instrument, move)
    return (order_of(turn, slot, instrument, move),)


def _say(turn: Pass, intents: tuple[OrderIntent, ...], instrument: Instrument, key: str) -> None:
    for intent in intents:
        why_not = _why_not(turn, instrument, intent)
        if why_not is not None:
            _refuse(turn, intent, why_not)
            turn.wake(key, turn.now_ns + turn.terms.ttl_ns)
            return
    for intent in intents:
        turn.order(intent)


def _why_not(turn: Pass, instrument: Instrument, intent: OrderIntent) -> str | None:
    own = turn.books.ledger.holding(intent.symbol, strategy_tag(intent.strategy))
    held = abs(lots_held(own, instrument))
    denial = check(instrument, intent) or leaves_an_exit(instrument, intent, held=held)
    if denial is not None:
        return f"{denial.code} {denial.detail}"
    if intent.leg != "entry":
        return None
    return closed(turn, intent.strategy, intent.symbol, 1 if intent.side == "buy" else -1)


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
