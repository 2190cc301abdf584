"""A person's word on an order whose evidence never came, and what follows from it at once.

It is taken for an order in doubt, and for one that the exchange took and does not know any more.
Whoever says "absent" is believed only when the exchange can no longer take the request; what shows
up later all the same is booked, and halts the symbol.
"""

import re

import msgspec

from schema.exchange import OrderReport, VenueTrade
from schema.lifecycle import State
from schema.orders import Fill, OrderCanceled, OrderRejected, OrderResolved
from schema.units import to_text
from services.gateway.amounts import exact, scaled
from services.gateway.answers import OPEN, fill_of
from services.gateway.books import find
from services.gateway.state import Order
from services.gateway.steps import accept, awaited, take_step, tell
from services.gateway.turn import Turn
from services.gateway.unconfirmed import is_over

FATES = ("absent", "present", "filled")
ABSENT = "RESOLVED_ABSENT"
PERSON = "person"
PART_CHARS = 4
TEXT_CHARS = 500
TRADE_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
ASSET = re.compile(r"[0-9A-Z]{1,20}")
AMOUNT = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


class Wish(msgspec.Struct, frozen=True):
    """What a person says of an order; of a fill as the exchange's own page shows it."""

    order: str
    fate: str
    evidence: str
    trade_id: str = ""
    qty: str = ""
    px: str = ""
    fee: str = ""
    fee_asset: str = ""
    quote_qty: str = ""  # what was paid in all, where that is not price times quantity


class RefusedError(ValueError):
    """A wish of a person that cannot be granted, and why."""


def preview(turn: Turn, text: str) -> list[str]:
    """Return what a wish would do, line by line; RefusedError for one that cannot be granted."""
    wish = read(text)
    order = find_order(turn, wish.order)
    fill = _fill(turn, order, wish)
    intent = order.intent
    qty, done = to_text(order.qty, order.exp), to_text(order.filled, order.exp)
    limit = f" limit {to_text(intent.limit_px, intent.px_exp)}" if intent.limit_px else ""
    stop = f" stop {to_text(intent.stop_px, intent.px_exp)}" if intent.stop_px else ""
    lines = [
        f"order {order.id} of {intent.strategy}: {intent.leg}, {intent.side} {qty} {order.symbol}",
        f"{intent.order_type}{limit}{stop}, {done} of it filled, {order.place.state}",
        *_follows(turn, order, wish.fate, fill),
    ]
    if intent.oco and intent.oco in turn.books.open:
        lines.append(f"its other half {intent.oco} stays as it is; look at that one, too")
    return lines


def resolve(turn: Turn, text: str, by: str) -> str:
    """Say a person's word and what follows from it; RefusedError when it cannot be."""
    wish = read(text)
    order = find_order(turn, wish.order)
    fill = _fill(turn, order, wish)
    turn.say(
        OrderResolved(
            ts_event=turn.now_ns,
            trace=order.intent.trace,
            client_order_id=order.id,
            symbol=order.symbol,
            fate=wish.fate,
            by=by,
            evidence=wish.evidence,
        )
    )
    turn.windows.vanished.pop(order.id, None)
    turn.windows.held.pop(order.id, None)
    if wish.fate == "absent":
        _end(turn, order, f"{by}: {wish.evidence}")
    else:
        accept(turn, order, order.venue_order_id, PERSON)
    if fill is not None:
        take_step(turn, order, fill)
    return f"{order.id} is {wish.fate}: {order.place.state}"


def _end(turn: Turn, order: Order, detail: str) -> None:
    if order.filled:  # What has traded was there; only the rest of it is not.
        tell(turn, order, OrderCanceled, reason=ABSENT)
    else:
        tell(turn, order, OrderRejected, code=ABSENT, detail=detail)


def read(text: str) -> Wish:
    """Return a wish; RefusedError for one that says too little or what is nonsense."""
    try:
        wish = msgspec.json.decode(text.encode(), type=Wish)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise RefusedError(f"the wish cannot be read: {error}") from error
    if wish.fate not in FATES:
        raise RefusedError(f"{wish.fate!r} is no fate: expected {', '.join(FATES)}")
    if not wish.evidence.strip():
        raise RefusedError("say what shows it, for the audit")
    return msgspec.structs.replace(wish, evidence=wish.evidence[:TEXT_CHARS])


def find_order(turn: Turn, part: str) -> Order:
    """Return the open order that a beginning of its id names, if its fate may be told."""
    found = [order for name, order in turn.books.open.items() if name.startswith(part)]
    if len(part) < PART_CHARS:
        raise RefusedError(f"{part!r} is too short: give {PART_CHARS} characters of an order's id")
    if len(found) > 1:
        names = " ".join(order.id for order in found[:10])
        raise RefusedError(f"{part!r} begins {len(found)} open orders: {names}")
    if not found:
        ended = find(turn.books, part)
        state = f"it ended as {ended.place.state}" if ended is not None else "none is known"
        raise RefusedError(f"no open order begins with {part!r}: {state}")
    order = found[0]
    if order.place.state is not State.UNCONFIRMED and order.id not in turn.windows.vanished:
        raise RefusedError(
            f"{order.id} is {order.place.state}, and the exchange knows it: only an order that is "
            "UNCONFIRMED, or that the exchange does not know any more, needs a person's word"
        )
    return order


def _follows(turn: Turn, order: Order, fate: str, fill: Fill | None) -> list[str]:
    left = to_text(order.left, order.exp)
    if fill is not None:
        qty, px = to_text(fill.qty, fill.qty_exp), to_text(fill.px, fill.px_exp)
        fee = f"{to_text(fill.fee, fill.fee_exp)} {fill.fee_asset}"
        money = to_text(fill.quote_qty, fill.quote_exp)
        position = turn.books.positions.get(order.symbol)
        held = to_text(position.n, position.exp) if position is not None else "0"
        return [
            f"trade {fill.venue_trade_id} is booked: {qty} at {px} for {money}, fee {fee}",
            f"the position of {order.symbol} is {held} before that",
            "the same trade is not booked twice when the exchange tells it later",
        ]
    if fate == "present":
        return [f"it is taken for open at the exchange; {left} of it stays reserved"]
    return [
        f"it is taken for dead: {left} is reserved no longer, the position stays as it is",
        "should the exchange have it after all, its fills are booked and the symbol is halted",
    ]


def _fill(turn: Turn, order: Order, wish: Wish) -> Fill | None:
    """Return the booking that a wish asks for; None for one without."""
    if wish.fate == "absent" and awaited(order) and not is_over(turn, order):
        raise RefusedError("the exchange may still take its request: ask again in some seconds")
    if wish.fate != "filled":
        return None
    _refuse_nonsense(wish)
    if wish.trade_id in turn.books.seen.get(order.symbol, ()):
        raise RefusedError(f"trade {wish.trade_id} of {order.symbol} is booked already")
    trade = VenueTrade(
        trade_id=wish.trade_id,
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        side=order.intent.side,
        px=wish.px,
        qty=wish.qty,
        quote_qty=wish.quote_qty or _product(wish.px, wish.qty),
        fee=wish.fee,
        fee_asset=wish.fee_asset,
        maker=False,
        at_ms=turn.now_ns // 1_000_000,
    )
    try:
        fill = fill_of(order, trade)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    if fill.cum_qty > scaled(order.qty, order.exp, fill.qty_exp):
        left = to_text(order.left, order.exp)
        raise RefusedError(f"{wish.qty} is more than was left of the order: {left}")
    return fill


def _refuse_nonsense(wish: Wish) -> None:
    named = (("px", wish.px), ("qty", wish.qty), ("fee", wish.fee), ("quote", wish.quote_qty))
    for name, text in named:
        if not AMOUNT.fullmatch(text or "0"):
            raise RefusedError(f"--{name} {text!r} is no plain decimal number")
    for name, text in (*named[:3], ("trade-id", wish.trade_id), ("fee-asset", wish.fee_asset)):
        if not text:
            raise RefusedError(f"--{name} is missing: a fill is booked as the exchange shows it")
    if not TRADE_ID.fullmatch(wish.trade_id):
        raise RefusedError(f"--trade-id {wish.trade_id!r} is no id of a trade")
    if not ASSET.fullmatch(wish.fee_asset):
        raise RefusedError(f"--fee-asset {wish.fee_asset!r} is no asset")


def _product(px: str, qty: str) -> str:
    # Without the zeros at its end, which may be more than an amount can have.
    (left, left_exp), (right, right_exp) = exact(px), exact(qty)
    n, exp = left * right, left_exp + right_exp
    while exp and n % 10 == 0:
        n, exp = n // 10, exp - 1
    return to_text(n, exp)


def take_report(turn: Turn, report: OrderReport) -> None:
    """Halt the symbol of an order that a person called ended and the exchange shows as open."""
    fate = turn.books.resolved.get(report.client_order_id)
    order = find(turn.books, report.client_order_id) if fate else None
    if order is not None and order.ended and report.status in OPEN:
        why = f"{order.id} was resolved {fate} by a person, and the exchange says {report.status}"
        turn.halt(order.symbol, why, order.id, order.intent.trace)
