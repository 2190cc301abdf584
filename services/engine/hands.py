"""Orders by hand: buy, sell, close, cancel, each previewed by the same code that does it."""

from collections.abc import Iterable
from typing import TypeGuard

import msgspec

from bus.service import Said
from schema.house import Command, CommandDone
from schema.identity import MANUAL, strategy_tag
from schema.ledger import ACCOUNT
from schema.locks import ANY
from schema.trading import CancelIntent, OrderIntent
from schema.units import floor_scale, to_text
from services.engine.acting import can_steer, steer_slot
from services.engine.decisions import exit_of
from services.engine.hands_plan import Plan, RefusedError, Wish, plan_of
from services.engine.line import Pass
from services.engine.sizing import lots_held
from services.engine.state import Order, Slot
from services.engine.worth import unexplained

Told = tuple[str, list[str]]
"""What is answered in a line, and what it is about: lines of a preview, or ids of orders."""

BY_HAND = "by hand: "
LEGS_KEPT = {"stop": "protects a position", "target": "closes a position", "exit": "closes one"}
PART_MIN = 6
LOOK = "-look"
VERBS = frozenset(
    verb + look for verb in ("order", "close-symbol", "cancel") for look in ("", LOOK)
)
USAGE = "expected order WISH WHY, close-symbol SYMBOL WHY or cancel ORDER WHY, each also as -look"


def obey(turn: Pass, command: Command) -> list[Said]:
    """Return what an order by hand leads to, its answer last; a refusal changes nothing."""
    is_look = command.verb.endswith(LOOK)
    try:
        text, lines = _done(turn, command, is_look=is_look)
    except RefusedError as error:
        return [CommandDone(request_id=command.request_id, ok=False, text=str(error))]
    body = msgspec.json.encode(lines)
    done = CommandDone(request_id=command.request_id, ok=True, text=text, body=body)
    return [done] if is_look else [*turn.said, done]


def _done(turn: Pass, command: Command, *, is_look: bool) -> Told:
    match command.verb.removesuffix(LOOK), command.args:
        case "order", (text, why) if why.strip():
            return _order(turn, _wish(text), command, f"{BY_HAND}{why}", is_look=is_look)
        case "close-symbol", (symbol, why) if why.strip():
            return _close(turn, symbol, f"{BY_HAND}{why}", is_look=is_look)
        case "cancel", (part, why) if why.strip():
            return _cancel(turn, part, f"{BY_HAND}{why}")
    raise RefusedError(USAGE)


def _wish(text: str) -> Wish:
    try:
        return msgspec.json.decode(text, type=Wish)
    except msgspec.MsgspecError as error:
        raise RefusedError(f"the wish cannot be read: {error}") from error


def _order(turn: Pass, wish: Wish, command: Command, why: str, *, is_look: bool) -> Told:
    _require_way(turn)
    moment = f"hand {command.request_id}"
    _require_news(turn, wish.symbol, moment)
    plan = plan_of(turn, wish, moment, why)
    if is_look:
        return "", _lines(turn, wish, plan)
    turn.decide(plan.decision)
    steer_slot(turn, MANUAL, wish.symbol)
    ids = [said.client_order_id for said in turn.said if _is_asked_for(said)]
    return f"order {ids[0]} goes to risk" if ids else "what rests there gives way first", ids


def _is_asked_for(said: Said) -> TypeGuard[OrderIntent]:
    # A smaller stop may be said before what it lets go of is sold.
    return isinstance(said, OrderIntent) and said.leg in {"entry", "exit"}


def _require_news(turn: Pass, symbol: str, moment: str) -> None:
    # Whoever answers is another process after a restart: what it was asked stands in its books.
    if turn.slot(MANUAL, symbol).moment == moment:
        raise RefusedError("it was done before: `rrr orders` shows what came of it")


def _require_way(turn: Pass) -> None:
    if not can_steer(turn):
        raise RefusedError(
            "the gateway does not answer, or what was said before is still being heard: "
            "`rrr status` shows what is missing"
        )


def _lines(turn: Pass, wish: Wish, plan: Plan) -> list[str]:
    wanted, base = plan.decision, plan.instrument.base
    ends = (("stop", wanted.stop_px), ("take", wanted.take_px))
    held, then = to_text(plan.held, wanted.qty_exp), to_text(wanted.qty, wanted.qty_exp)
    lines = [
        _deal(turn, wish, plan),
        f"held by hand: {held} {base}, then {then}",
        *[f"{name} at {to_text(px, wanted.px_exp)}" for name, px in ends if px],
    ]
    if plan.grows and not wanted.stop_px:
        lines.append("without a stop: nothing closes it but a person")
    return lines


def _deal(turn: Pass, wish: Wish, plan: Plan) -> str:
    wanted, at = plan.decision, plan.instrument
    exp = wanted.px_exp + wanted.qty_exp
    money = _money(plan.px * plan.qty, exp, at.quote_exp)
    fee = _money(plan.px * plan.qty * turn.terms.fee_bps, exp + 4, at.quote_exp)
    where = "at" if wish.limit else "from" if wish.trigger else "at the market, now about"
    return (
        f"{plan.side} {to_text(plan.qty, wanted.qty_exp)} {at.base} {where} "
        f"{to_text(plan.px, wanted.px_exp)}: {money} {at.quote}, and about {fee} as fee"
    )


def _money(n: int, exp: int, quote_exp: int) -> str:
    return to_text(floor_scale(n, exp, quote_exp), quote_exp)


def _close(turn: Pass, symbol: str, why: str, *, is_look: bool) -> Told:
    _require_way(turn)
    if symbol not in (*turn.terms.symbols, ANY):
        known = " or ".join((*turn.terms.symbols, ANY))
        raise RefusedError(f"{symbol!r} is not traded here: expected {known}")
    slots = [slot for slot in turn.books.slots.values() if symbol in (slot.symbol, ANY)]
    lines = [line for slot in slots for line in _holds(turn, slot)]
    if not is_look:
        for slot in slots:
            _end(turn, slot, why)
    lines += _strays(turn, {slot.symbol for slot in slots} or {symbol})
    told = "; ".join(lines) if lines else "nothing is held, and nothing is wanted"
    return told, lines or [told]


def _holds(turn: Pass, slot: Slot) -> list[str]:
    instrument = turn.windows.instruments.get(slot.symbol)
    if instrument is None or turn.shadows(slot.strategy):
        return []
    own = lots_held(turn.books.ledger.holding(slot.symbol, strategy_tag(slot.strategy)), instrument)
    entries = [order for order in _open(turn) if _is_entry_of(order, slot)]
    if not (own or slot.qty or entries):
        return []
    waits = f", and what it wanted to enter is cancelled ({len(entries)})" if entries else ""
    return [f"{slot.strategy} closes {to_text(own, instrument.qty_exp)} of {slot.symbol}{waits}"]


def _end(turn: Pass, slot: Slot, why: str) -> None:
    if turn.shadows(slot.strategy):
        return
    if slot.qty:
        turn.decide(exit_of(turn, slot, why))
    steer_slot(turn, slot.strategy, slot.symbol)


def _strays(turn: Pass, symbols: Iterable[str]) -> list[str]:
    found = []
    for symbol in sorted(symbols):
        rest, exp = unexplained(turn, symbol)
        if rest and turn.books.ledger.holding(symbol, ACCOUNT) is not None:
            found.append(
                f"{to_text(rest, exp)} of {symbol} are in nobody's book and stay: "
                '`rrr kill --flatten "why"` closes the whole account'
            )
    return found


def _cancel(turn: Pass, part: str, why: str) -> Told:
    found = [o for o in _open(turn) if o.intent.client_order_id.startswith(part.lower())]
    if len(part) < PART_MIN or len(found) != 1:
        raise RefusedError(
            f"{len(found)} open orders begin with {part!r}: expected the id of one, or "
            f"{PART_MIN} characters of it and more; `rrr orders --open` lists them"
        )
    intent = found[0].intent
    if intent.leg in LEGS_KEPT:
        raise RefusedError(
            f"order {intent.client_order_id} {LEGS_KEPT[intent.leg]}, and {intent.strategy} would "
            f"make it anew: `rrr close {intent.symbol}` closes the position and ends it"
        )
    turn.said.append(
        CancelIntent(
            ts_event=turn.now_ns, trace=intent.trace, client_order_id=intent.client_order_id,
            strategy=intent.strategy, symbol=intent.symbol, reason=why,
        )
    )  # fmt: skip
    qty = to_text(found[0].left, intent.qty_exp)
    told = f"the {intent.side} of {qty} {intent.symbol} by {intent.strategy} is cancelled"
    return told, [told]


def _open(turn: Pass) -> list[Order]:
    return [order for order in turn.books.orders.values() if not order.place.terminal]


def _is_entry_of(order: Order, slot: Slot) -> bool:
    intent = order.intent
    return (intent.leg, intent.strategy, intent.symbol) == ("entry", slot.strategy, slot.symbol)
