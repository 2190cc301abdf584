"""What a person wants to trade by hand, made into a decision of the book that such orders have.

An order by hand goes the way of every other one: a decision, an intent, a verdict, the gate. What
it buys has a slot of its own, so that its stop and its take are kept like those of a strategy, and
nothing that a strategy holds is sold by it.
"""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Literal

import msgspec

from schema.head import Side
from schema.identity import MANUAL, strategy_tag
from schema.market import Instrument
from schema.trading import Decision, TimeInForce
from schema.units import limit_px, order_qty, to_text, trigger_px
from services.engine.gates import closed, opposed
from services.engine.line import Pass, trace_of
from services.engine.orders import orders_of
from services.engine.quantity import touch_px
from services.engine.sizing import least_lots, lots_for, lots_held

DIGITS_MAX = 40
PLAIN = re.compile(r"[0-9.+\-eE]{1,40}")
"""What may be in a number: `1_5` is one for Python, and a slip of a person's."""

ALL = "all"


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person asks for; numbers are decimals as typed, and empty ones are not wanted."""

    symbol: str
    side: Side
    amount: str  # or "all", of what is held by hand
    unit: Literal["base", "quote"] = "base"
    limit: str = ""
    trigger: str = ""
    stop: str = ""
    take: str = ""
    tif: TimeInForce = "GTC"
    post_only: bool = False
    short: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A wish in whole lots and ticks, and the decision that it becomes."""

    decision: Decision
    side: Side
    qty: int
    px: int  # that it is meant at
    held: int  # by hand, before it
    grows: bool
    instrument: Instrument


class RefusedError(Exception):
    """A wish that cannot be met; its text is for the person."""


def plan_of(turn: Pass, wish: Wish, moment: str, why: str) -> Plan:
    """Return what a wish comes to now; RefusedError when it cannot be done."""
    instrument = turn.windows.instruments.get(wish.symbol)
    if wish.symbol not in turn.terms.symbols or instrument is None:
        known = " or ".join(sorted(turn.windows.instruments)) or "none: ingest has told of none"
        raise RefusedError(f"{wish.symbol} is not traded here: expected {known}")
    _refuse_while_busy(turn, wish.symbol)
    held = lots_held(turn.books.ledger.holding(wish.symbol, strategy_tag(MANUAL)), instrument)
    px = _meant_px(turn, wish, instrument)
    qty = _qty(wish, instrument, px, held, turn.terms.reserve_bps)
    grows = held == 0 or (held > 0) == (wish.side == "buy")
    make = _growth if grows else _reduction
    decision = make(turn, wish, instrument, held, qty)
    named = msgspec.structs.replace(decision, moment=moment, reason=why)
    traced = msgspec.structs.replace(named, trace=trace_of(MANUAL, moment))
    return Plan(traced, wish.side, qty, px, held, grows, instrument)


def _refuse_while_busy(turn: Pass, symbol: str) -> None:
    for order_id, order in orders_of(turn.books, MANUAL, symbol).items():
        if not order.place.terminal and order.intent.leg in {"entry", "exit"}:
            raise RefusedError(
                f"order {order_id} by hand in {symbol} is still open: let it end, or "
                f"`rrr cancel {order_id[:12]}`"
            )


def _meant_px(turn: Pass, wish: Wish, instrument: Instrument) -> int:
    for name in ("limit", "trigger"):
        if text := getattr(wish, name):
            return _price(name, text, instrument, up=wish.side == "sell")
    px = touch_px(turn, wish.symbol, instrument, buys=wish.side == "buy")
    if px <= 0:
        raise RefusedError(f"{wish.symbol} has no price now: give a --limit, or look at its feed")
    return px


def _qty(wish: Wish, instrument: Instrument, px: int, held: int, reserve_bps: int) -> int:
    if wish.amount == ALL:
        if held == 0 or (held > 0) == (wish.side == "buy"):
            raise RefusedError(f"`{ALL}` closes what is held by hand, and that is nothing to close")
        return abs(held)
    amount = _number("amount", wish.amount)
    if wish.unit == "quote":
        qty = lots_for(float(amount), px, instrument, reserve_bps if wish.side == "buy" else 0)
    else:
        qty = order_qty(_scaled(amount, instrument.qty_exp, up=False), instrument.lot)
    least = least_lots(instrument, px)
    if qty < least:
        least_text = to_text(least, instrument.qty_exp)
        raise RefusedError(f"{wish.amount} is too little: at least {least_text} {instrument.base}")
    return qty


def _growth(turn: Pass, wish: Wish, instrument: Instrument, held: int, qty: int) -> Decision:
    sign = 1 if wish.side == "buy" else -1
    if sign < 0 and not wish.short:
        raise RefusedError(
            f"nothing of {wish.symbol} is held by hand: `rrr close {wish.symbol}` closes what "
            "strategies hold; --short sells what the account has beside its positions"
        )
    if why_not := closed(turn, MANUAL, wish.symbol, sign) or opposed(
        turn, MANUAL, instrument, sign
    ):
        raise RefusedError(why_not)
    slot = turn.slot(MANUAL, wish.symbol)
    against: Side = "sell" if sign > 0 else "buy"
    _refuse_idle_terms(wish)
    priced = {
        "limit_px": _limit(wish.limit, instrument, wish.side),
        "trigger_px": _trigger(wish.trigger, instrument, wish.side),
        "stop_px": _trigger(wish.stop, instrument, against) or (slot.stop_px if held else 0),
        "take_px": _limit(wish.take, instrument, against) or (slot.take_px if held else 0),
    }
    terms = {"time_in_force": wish.tif if wish.limit else "GTC", "post_only": wish.post_only}
    # Of what is denied, what was held before stays wanted: that is what a resize says.
    action = "resize" if held else "enter"
    return msgspec.structs.replace(
        _decision(turn, wish, instrument, action, held + sign * qty),
        **_on_its_side(wish, priced, _meant_px(turn, wish, instrument)),
        **terms,
    )


def _refuse_idle_terms(wish: Wish) -> None:
    # What would not hold of the order is no detail: it would take where it was to wait.
    if wish.tif != "GTC" and not wish.limit:
        raise RefusedError(f"{wish.tif} is said of a --limit alone: an order without one is over")
    if wish.post_only and (not wish.limit or wish.trigger or wish.tif != "GTC"):
        raise RefusedError("post-only waits in the book: with a --limit, no --trigger, and GTC")


def _on_its_side(wish: Wish, priced: dict[str, int], px: int) -> dict[str, int]:
    sign = 1 if wish.side == "buy" else -1
    if wish.stop and (priced["stop_px"] - px) * sign >= 0:
        raise RefusedError(
            f"its stop {wish.stop} would be passed at once: it is meant at the price"
        )
    if wish.take and (priced["take_px"] - px) * sign <= 0:
        raise RefusedError(
            f"its take {wish.take} would be passed at once: it is meant at the price"
        )
    return priced


def _reduction(turn: Pass, wish: Wish, instrument: Instrument, held: int, qty: int) -> Decision:
    if wish.limit or wish.trigger or wish.stop or wish.take or wish.post_only:
        raise RefusedError("what closes a position by hand goes to the market: without prices")
    if qty > abs(held):
        has = to_text(abs(held), instrument.qty_exp)
        raise RefusedError(f"only {has} {instrument.base} are held by hand: close at most that")
    left = held - qty if held > 0 else held + qty
    if left and abs(left) < least_lots(instrument, _meant_px(turn, wish, instrument)):
        raise RefusedError(f"what it leaves is too little to be sold later: say `{ALL}`")
    if left == 0:
        return _decision(turn, wish, instrument, "exit", 0)
    slot = turn.slot(MANUAL, wish.symbol)
    return msgspec.structs.replace(
        _decision(turn, wish, instrument, "resize", left),
        stop_px=slot.stop_px, take_px=slot.take_px, stop_limit_px=slot.stop_limit_px,
    )  # fmt: skip


def _decision(turn: Pass, wish: Wish, instrument: Instrument, action: str, qty: int) -> Decision:
    return Decision(
        ts_event=turn.now_ns,
        strategy=MANUAL,
        symbol=wish.symbol,
        action=action,
        reason="",
        qty=qty,
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        kind="qty",
        size=qty / 10.0**instrument.qty_exp,
    )


def _limit(text: str, instrument: Instrument, side: Side) -> int:
    if not text:
        return 0
    return limit_px(_price("limit", text, instrument, up=side == "sell"), instrument.tick, side)


def _trigger(text: str, instrument: Instrument, side: Side) -> int:
    if not text:
        return 0
    px = _price("trigger", text, instrument, up=side == "buy")
    return trigger_px(px, instrument.tick, side, "stop")


def _price(name: str, text: str, instrument: Instrument, *, up: bool) -> int:
    return _scaled(_number(name, text), instrument.px_exp, up=up)


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text) if PLAIN.fullmatch(text) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0 or number >= Decimal(10) ** 15:
        raise RefusedError(f"{name} is {text[:DIGITS_MAX]!r}: expected a number above 0")
    return number


def _scaled(number: Decimal, exp: int, *, up: bool) -> int:
    return int(number.scaleb(exp).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))
