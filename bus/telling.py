"""How a message is told to a person: one line for each kind, exact numbers."""

from typing import Any

import msgspec

from schema import forecast, house, market, orders, strategy, trading
from schema.head import Message
from schema.units import iso, iso_ms, to_text

STEPS: dict[type[Message], str] = {
    market.Trade: "trade",
    market.Quote: "quote",
    market.Bar: "bar",
    forecast.Forecast: "forecast",
    trading.Decision: "decision",
    trading.OrderIntent: "intent",
    trading.CancelIntent: "cancel wanted",
    trading.Verdict: "verdict",
    orders.OrderSubmitted: "submitted",
    orders.OrderDenied: "denied",
    orders.OrderUnconfirmed: "unconfirmed",
    orders.OrderAccepted: "accepted",
    orders.OrderRejected: "rejected",
    orders.OrderTriggered: "triggered",
    orders.OrderPendingCancel: "cancel sent",
    orders.OrderCancelRejected: "cancel refused",
    orders.OrderCanceled: "canceled",
    orders.OrderExpired: "expired",
    orders.Fill: "fill",
    orders.OrderResolved: "resolved",
    orders.OrderAdopted: "adopted",
    orders.LiveArmed: "armed",
    orders.LiveDisarmed: "disarmed",
}
"""What each message is called as a step on the way of an order."""


def step_name(message: Message) -> str:
    """Return what a message is called as a step."""
    return STEPS.get(type(message), type(message).__name__)


def tell(message: Message) -> str:
    """Return what a message says, in one line."""
    match message:
        case market.Trade() | market.Quote() | market.Bar():
            return _market(message)
        case forecast.Forecast():
            return _forecast(message)
        case trading.Decision():
            return decision(message)
        case trading.OrderIntent():
            return intent(message)
        case trading.Verdict():
            return _verdict(message)
        case orders.Fill():
            return _fill(message)
        case strategy.ShadowFill() | strategy.StrategyLoaded():
            return _strategy(message)
    return _event(message)


def told_of(message: Message) -> str:
    """Return what a message is about: the symbol, or the order, strategy, limit that it names."""
    names = (getattr(message, name, "") for name in ("symbol", "strategy", "limit_name", "scope"))
    return next((str(name) for name in names if name), "")


def plain(value: Any) -> Any:
    """Return a message or a part of it as JSON can hold it, fields by name, bytes as text."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(part) for name, part in msgspec.structs.asdict(value).items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.hex() if isinstance(value, bytes) else value


def _market(message: market.Trade | market.Quote | market.Bar) -> str:
    match message:
        case market.Trade() as m:
            taker = "seller" if m.buyer_maker else "buyer"
            px, qty = to_text(m.px, m.px_exp), to_text(m.qty, m.qty_exp)
            return f"{m.symbol} {qty} at {px}, the {taker} took; trade {m.trade_id}"
        case market.Quote() as m:
            return f"{m.symbol} bid {to_text(m.bid_px, m.px_exp)} ask {to_text(m.ask_px, m.px_exp)}"
        case market.Bar() as m:
            names = ("open", "high", "low", "close")
            prices = " ".join(f"{name} {to_text(getattr(m, name), m.px_exp)}" for name in names)
            volume = f"volume {to_text(m.volume, m.qty_exp)} in {m.trades} trades"
            return f"{m.symbol} {m.timeframe} of {iso(m.open_ns)}: {prices} {volume}"


def _forecast(m: forecast.Forecast) -> str:
    return (
        f"{m.symbol} rises with probability {m.probability_up:.4f}, confidence "
        f"{m.confidence:.4f}, expected return {m.expected_return:+.6f}, "
        f"within {m.horizon_ns // 1_000_000_000} s; {m.source} {m.model[:16]}"
    )


def decision(m: trading.Decision) -> str:
    """Return what a strategy decided, and why."""
    size = f" {to_text(m.qty, m.qty_exp)}" if m.qty else ""
    ends = [("limit", m.limit_px), ("stop", m.stop_px), ("take", m.take_px)]
    ends += [("rung", px) for px, _ in m.rungs] + [("take", px) for px, _ in m.takes[m.taken :]]
    ends += [("trails by", m.trail_px), ("trails from", m.trail_from_px)]
    prices = "".join(f", {name} {to_text(px, m.px_exp)}" for name, px in ends if px)
    prices += f", trails by {to_text(m.trail_ppm, 2)} bps" if m.trail_ppm else ""
    who = f"{m.strategy} (shadow)" if m.shadow else m.strategy
    return f"{who}: {m.action} {m.symbol}{size}{prices}: {m.reason}{notes(m)}"


def notes(m: trading.Decision) -> str:
    """Return the notes of a decision in brackets."""
    text = ", ".join(f"{name} {value}" for name, value in m.notes)
    return f" ({text})" if text else ""


def intent(m: trading.OrderIntent) -> str:
    """Return what a strategy wants."""
    limit = f", limit {to_text(m.limit_px, m.px_exp)}" if m.limit_px else ""
    stop = f", stop {to_text(m.stop_px, m.px_exp)}" if m.stop_px else ""
    seen = f", seen at {to_text(m.ref_px, m.px_exp)}" if m.ref_px else ""
    why = f": {m.reason}" if m.reason else ""
    qty = to_text(m.qty, m.qty_exp)
    return (
        f"{m.strategy}: {m.leg}, {m.side} {qty} {m.symbol} {m.order_type}{limit}{stop}{seen}{why}"
    )


def _verdict(m: trading.Verdict) -> str:
    word = "approved" if m.approved else "denied"
    detail = f" {m.detail}" if m.detail else ""
    return f"{word} by {m.by}: {m.code}{detail}; good until {iso_ms(m.expires_ns)}"


def _fill(m: orders.Fill) -> str:
    px, qty, fee = to_text(m.px, m.px_exp), to_text(m.qty, m.qty_exp), to_text(m.fee, m.fee_exp)
    kind = "maker" if m.maker else "taker"
    late = ", late" if m.late else ""
    money = to_text(m.quote_qty, m.quote_exp)
    return (
        f"{m.side} {qty} at {px} for {money}, fee {fee} {m.fee_asset}, {kind}{late}; "
        f"trade {m.venue_trade_id}"
    )


def _strategy(message: strategy.ShadowFill | strategy.StrategyLoaded) -> str:
    match message:
        case strategy.ShadowFill() as m:
            px, fee = to_text(m.px, m.px_exp), to_text(m.fee, m.quote_exp)
            would = f"would {m.side} {to_text(m.qty, m.qty_exp)} {m.symbol} at {px}, fee {fee}"
            return f"{m.strategy}: {would}: {m.reason}"
        case strategy.StrategyLoaded(offer=offer) as m:
            return f"{offer.role} from {offer.file} {offer.digest[:16]}, by {m.by}: {m.reason}"


def _event(message: Message) -> str:
    match message:
        case orders.OrderSubmitted() as m:
            return f"to the exchange, signed {iso_ms(m.signed_ms * 1_000_000)}"
        case orders.OrderAccepted() as m:
            return f"as order {m.venue_order_id} of the exchange, known by its {m.evidence}"
        case orders.OrderDenied() as m:
            return f"by {m.by}: {m.code} {m.detail}".rstrip()
        case orders.OrderRejected() | orders.OrderCancelRejected() as m:
            return f"by the exchange: {m.code} {m.detail}".rstrip()
        case orders.OrderResolved() | orders.OrderAdopted():
            return _person(message)
        case trading.PairLocked() | trading.Protection() as m:
            return _lock(m)
        case orders.LiveArmed() as m:
            return f"live orders until {iso_ms(m.until_ns)}, by {m.by}: {m.reason}"
        case orders.LiveDisarmed() as m:
            return f"no live orders any more, by {m.by}: {m.reason}"
        case orders.AccountSnapshot() as m:
            parts = f", part {m.part} of {m.parts}" if m.parts > 1 else ""
            halted = "".join(f", {one.symbol} halted" for one in m.halted)
            return f"{m.level}{halted}, {len(m.orders)} orders open{parts}"
    return _state(message)


def _person(message: orders.OrderResolved | orders.OrderAdopted) -> str:
    match message:
        case orders.OrderResolved() as m:
            return f"{m.fate}, by {m.by}: {m.evidence}"
        case orders.OrderAdopted() as m:
            return f"order {m.venue_order_id} of somebody else, by {m.by}: {m.reason}"


def _lock(message: trading.PairLocked | trading.Protection) -> str:
    side = f"{message.side}s " if message.side != "*" else ""
    by = message.name if isinstance(message, trading.Protection) else message.by or "engine"
    if message.until_ns <= message.ts_event:
        return f"{side}may be entered again, by {by}: {message.reason}"
    return f"no {side or 'entries '}until {iso(message.until_ns)}, by {by}: {message.reason}"


def _state(message: Message) -> str:
    match message:
        case orders.OrderTriggered():
            return "its price was reached"
        case orders.KillLevel() as m:
            return f"{m.level}, by {m.by}: {m.reason}"
        case orders.Deposit() as m:
            why = f": {m.reason}" if m.reason else ""
            return f"{to_text(m.amount, m.exp)} {m.asset} into the {m.book} book{why}"
        case trading.RiskState() as m:
            return f"{m.state}, by {m.by}: {m.reason}"
        case trading.LimitBreached() as m:
            latched = "; it stays until it is released" if m.latched else ""
            return f"{m.observed}, allowed {m.limit}{latched}"
        case trading.LimitChanged() as m:
            later = f" at {iso(m.effective_ns)}" if m.effective_ns > m.ts_event else ""
            return f"from {m.before} to {m.after}{later}, by {m.by}: {m.reason}"
        case trading.EquityMarked() as m:
            return f"{m.kind} of {m.scope}: {to_text(m.equity, m.quote_exp)} {m.quote}"
        case trading.StrategyFailed() as m:
            return f"{m.reason} {m.detail}".rstrip()
        case house.Alert() as m:
            return f"{m.name} {m.severity} {m.state}: {m.summary}"
    by = getattr(message, "by", "")
    reason = str(getattr(message, "reason", ""))
    return f"by {by}: {reason}" if by else reason
