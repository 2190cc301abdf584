"""An order that closes a position at once, and never at a price beyond the collar."""

import msgspec

from schema.exchange import TopSeen
from schema.identity import client_order_id
from schema.market import Instrument
from schema.trading import OrderIntent
from schema.units import floor_scale, limit_px, order_qty, widened
from services.gateway.turn import Turn

BPS = 10_000
BPS_EXP = 4


class Part(msgspec.Struct, frozen=True):
    """What is to be traded, for whom, and the decision that it follows from."""

    strategy: str
    sells: bool
    qty: int  # of the instrument's decimals
    moment: str
    number: int = 1


def at_once(turn: Turn, instrument: Instrument, top: TopSeen, part: Part) -> OrderIntent | None:
    """Return a limit order that trades now or never; None without a price to go by."""
    px = _collared(turn, instrument, top.bid if part.sells else top.ask, sells=part.sells)
    if px <= 0:
        return None
    qty = order_qty(min(part.qty, instrument.max_qty or part.qty), instrument.lot)
    return closing(
        turn,
        instrument,
        part,
        order_type="limit",
        qty=qty,
        limit_px=px,
        time_in_force="IOC",
        ref_px=px,
        leg="exit",
    )


def closing(turn: Turn, instrument: Instrument, part: Part, **fields: object) -> OrderIntent:
    """Return an order of the gateway's own that can only reduce."""
    symbol = instrument.symbol
    order_id = client_order_id(turn.rules.world, part.strategy, symbol, part.moment, part.number)
    wanted = {
        "ts_event": turn.now_ns,
        "client_order_id": order_id,
        "strategy": part.strategy,
        "symbol": symbol,
        "side": "sell" if part.sells else "buy",
        "px_exp": instrument.px_exp,
        "qty_exp": instrument.qty_exp,
        "reduce_only": True,
        "valid_until_ns": turn.now_ns + turn.rules.intent_ttl_ns,
        "reason": part.moment,
    }
    return OrderIntent(**{**wanted, **fields})  # type: ignore[arg-type]


def _collared(turn: Turn, instrument: Instrument, text: str, *, sells: bool) -> int:
    px, exp = widened(text, instrument.px_exp)
    bps = turn.rules.own.collar_bps
    worst = px * (BPS - bps if sells else BPS + bps)
    floored = floor_scale(worst, exp + BPS_EXP, instrument.px_exp)
    return limit_px(floored, instrument.tick, "sell" if sells else "buy")
