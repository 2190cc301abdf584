"""What the desk did, in the words that the gateway's edge brings home."""

from schema.exchange import OrderReport, ReportPushed, SendOrder, VenueTrade
from schema.instruments import VENUE_TIFS, VENUE_TYPES
from schema.joined import SendPair
from schema.trading import OrderIntent
from schema.units import rescale, to_text
from services.venue.account import EXP
from services.venue.columns import Facts
from services.venue.orders import STOPPED, Fill, Order, PairTicket, Report, Ticket


def ticket_of(facts: Facts, effect: SendOrder) -> Ticket:
    """Return the order that the gateway sends, as the desk takes it."""
    return _ticket(facts, effect.intent)


def _ticket(facts: Facts, intent: OrderIntent) -> Ticket:
    return Ticket(
        symbol=facts.id,
        side="BUY" if intent.side == "buy" else "SELL",
        type=VENUE_TYPES[intent.order_type],  # type: ignore[arg-type]
        tif=VENUE_TIFS[intent.time_in_force],
        qty=rescale(intent.qty, intent.qty_exp, EXP),
        px=rescale(intent.limit_px, intent.px_exp, EXP),
        stop_px=rescale(intent.stop_px, intent.px_exp, EXP),
        client_id=intent.client_order_id,
    )


def pair_of(facts: Facts, effect: SendPair) -> PairTicket:
    """Return the pair that the gateway sends, as the desk takes it."""
    stop, target = _ticket(facts, effect.stop), _ticket(facts, effect.target)
    above, below = (target, stop) if effect.stop.side == "sell" else (stop, target)
    return PairTicket(above=above, below=below)


def report_of(facts: Facts, order: Order) -> OrderReport:
    """Return how an order stands."""
    return OrderReport(
        client_order_id=order.client_id,
        venue_order_id=str(order.id),
        symbol=facts.symbol,
        side="buy" if order.buys else "sell",
        status=order.status,
        order_type=order.type,
        qty=to_text(order.qty, facts.qty_exp),
        executed_qty=to_text(order.filled, facts.qty_exp),
        executed_quote=to_text(order.money, EXP),
        limit_px=to_text(order.px, facts.px_exp),
        stop_px=to_text(order.stop_px, facts.px_exp),
        working=order.type not in STOPPED or order.working or order.filled > 0,
        update_ms=order.updated_ms,
    )


def trade_of(facts: Facts, fill: Fill, client_order_id: str) -> VenueTrade:
    """Return one execution."""
    return VenueTrade(
        trade_id=str(fill.id),
        venue_order_id=str(fill.order_id),
        symbol=facts.symbol,
        side="buy" if fill.buyer else "sell",
        px=to_text(fill.px, facts.px_exp),
        qty=to_text(fill.qty, facts.qty_exp),
        quote_qty=to_text(fill.money, EXP),
        fee=to_text(fill.fee, EXP),
        fee_asset=fill.fee_asset,
        maker=fill.maker,
        at_ms=fill.at_ms,
        client_order_id=client_order_id,
    )


def push_of(facts: Facts, report: Report) -> ReportPushed:
    """Return what the user stream says of one event."""
    order = report.order
    trades = (trade_of(facts, report.fill, order.client_id),) if report.fill else ()
    return ReportPushed(report=report_of(facts, order), execution=report.kind, trades=trades)
