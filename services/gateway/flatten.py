"""FLATTEN: everything cancelled, every position closed within the collar, then HALTED.

It needs nobody else: prices come from the exchange, and the verdict is the gateway's own.
"""

from schema.exchange import TopSeen
from schema.identity import client_order_id
from schema.instruments import check
from schema.lifecycle import State
from schema.market import Instrument
from schema.trading import OrderIntent
from schema.units import floor_scale, limit_px, order_qty, widened
from services.gateway.books import CLOSER
from services.gateway.join import own_verdict, submit
from services.gateway.kill import set_level
from services.gateway.position import closable
from services.gateway.questions import ask_top
from services.gateway.state import Pace
from services.gateway.turn import Turn

TOO_SMALL = frozenset({"NOTIONAL_BELOW_MINIMUM", "QUANTITY_BELOW_MINIMUM"})
BPS = 10_000
BPS_EXP = 4


def settle(turn: Turn) -> None:
    """Close what is open, position by position, and be HALTED when nothing is."""
    if turn.books.level != "FLATTEN":
        return
    rest = [symbol for symbol in turn.books.positions if _is_open(turn, symbol)]
    for symbol in rest:
        pace = turn.windows.closing.setdefault(symbol, Pace())
        if not _is_busy(turn, symbol) and turn.due(pace.next_ns):
            ask_top(turn, symbol)
    if not rest and not turn.books.open and turn.windows.reconciled is not None:
        left = f"; too small to be closed: {' '.join(turn.windows.dust)}" * bool(turn.windows.dust)
        why = f"everything is closed{left}; it was told to because: {turn.books.killed.why}"
        set_level(turn, "HALTED", "gateway", why)


def _is_open(turn: Turn, symbol: str) -> bool:
    return turn.books.positions[symbol].n != 0 and symbol not in turn.windows.dust


def _is_busy(turn: Turn, symbol: str) -> bool:
    """Return whether something of a symbol's may still trade that will soon be known."""
    orders = turn.books.open.values()
    return any(o.symbol == symbol and o.place.state is not State.UNCONFIRMED for o in orders)


def take_top(turn: Turn, top: TopSeen) -> None:
    """Close a position, or as much as one order may, at the price that the collar allows."""
    asked = turn.answered(top.effect_id)
    instrument = turn.windows.instruments.get(top.symbol)
    if asked is None or turn.books.level != "FLATTEN":
        return
    if top.symbol not in turn.books.positions or _is_busy(turn, top.symbol):
        return
    turn.later(turn.windows.closing.setdefault(top.symbol, Pace()))
    if instrument is None or turn.windows.clock is None or turn.banned():
        return
    intent = _closing(turn, instrument, top)
    if intent is None:
        return
    denial = check(instrument, intent)
    if denial is None:
        submit(turn, intent, own_verdict(turn, intent, "FLATTEN closes what is open"))
    elif denial.code in TOO_SMALL and not _is_reserved(turn, top.symbol):
        turn.windows.dust.append(top.symbol)


def _is_reserved(turn: Turn, symbol: str) -> bool:
    return any(order.symbol == symbol for order in turn.books.open.values())


def _closing(turn: Turn, instrument: Instrument, top: TopSeen) -> OrderIntent | None:
    symbol, books = top.symbol, turn.books
    sells = books.positions[symbol].n > 0
    side, text = ("sell", top.bid) if sells else ("buy", top.ask)
    px = _collared(turn, instrument, text, sells=sells)
    if px <= 0:
        return None
    qty = closable(books, symbol, side, instrument.qty_exp)
    qty = order_qty(min(qty, instrument.max_qty or qty), instrument.lot)
    leg = books.legs.get(symbol, 0) + 1
    moment = f"flatten {books.flattens}"
    return OrderIntent(
        ts_event=turn.now_ns,
        client_order_id=client_order_id(turn.rules.world, CLOSER, symbol, moment, leg),
        strategy=CLOSER,
        symbol=symbol,
        side="sell" if sells else "buy",
        order_type="limit",
        qty=qty,
        px_exp=instrument.px_exp,
        qty_exp=instrument.qty_exp,
        limit_px=px,
        time_in_force="IOC",
        reduce_only=True,
        ref_px=px,
        valid_until_ns=turn.now_ns + turn.rules.intent_ttl_ns,
        leg="exit",
        reason=moment,
    )


def _collared(turn: Turn, instrument: Instrument, text: str, *, sells: bool) -> int:
    px, exp = widened(text, instrument.px_exp)
    bps = turn.rules.own.collar_bps
    worst = px * (BPS - bps if sells else BPS + bps)
    floored = floor_scale(worst, exp + BPS_EXP, instrument.px_exp)
    return limit_px(floored, instrument.tick, "sell" if sells else "buy")
