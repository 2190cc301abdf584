"""The exchange's texts and the gateway's own, both ways: orders out, rows and events in.

No number passes through a float, and none is rounded: an order says the text of its integers.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schema.exchange import BalanceMoved, OrderReport, ReportPushed, VenueTrade
from schema.head import Side
from schema.instruments import LIMITS, TIMED, TRIGGERS, VENUE_TIFS, VENUE_TYPES
from schema.trading import OrderIntent
from schema.units import exp_of, floor_scale, to_int, to_text
from services.gateway.wire_rows import AccountRow, Event, MoneyEvent, OrderRow, TradeRow

Names = Mapping[str, str]
"""Symbols of the house by the exchange's own name; others keep theirs."""

STOPS = frozenset(VENUE_TYPES[kind] for kind in TRIGGERS)
SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}
MONEY_DECIMALS = 8


def order_params(intent: OrderIntent) -> dict[str, str]:
    """Return what an order is sent with; every number is the text of its integer."""
    params = {
        "symbol": venue_name(intent.symbol),
        "side": intent.side.upper(),
        "type": VENUE_TYPES[intent.order_type],
        "quantity": to_text(intent.qty, intent.qty_exp),
        "newClientOrderId": intent.client_order_id,
        "newOrderRespType": "FULL",
    }
    return params | {name[0].lower() + name[1:]: text for name, text in _terms(intent).items()}


def replace_params(replaced: str, intent: OrderIntent) -> dict[str, str]:
    """Return what an order is sent with that takes the place of one which has not traded."""
    return order_params(intent) | {
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelOrigClientOrderId": replaced,
        "cancelRestrictions": "ONLY_NEW",
    }


def pair_params(stop: OrderIntent, target: OrderIntent) -> dict[str, str]:
    """Return what two orders of which one alone is done are sent with, as one request."""
    halves = (target, stop) if stop.side == "sell" else (stop, target)
    params = {
        "symbol": venue_name(stop.symbol),
        "side": stop.side.upper(),
        "quantity": to_text(stop.qty, stop.qty_exp),
        "listClientOrderId": f"{stop.client_order_id}-oco",
        "newOrderRespType": "FULL",
    }
    for place, half in zip(("above", "below"), halves, strict=True):
        names = {"Type": VENUE_TYPES[half.order_type], "ClientOrderId": half.client_order_id}
        params |= {place + name: text for name, text in (names | _terms(half)).items()}
    return params


def _terms(intent: OrderIntent) -> dict[str, str]:
    """Return at which prices and for how long, by names as they stand in a pair's parameters."""
    terms = {}
    if intent.order_type in LIMITS:
        terms["Price"] = to_text(intent.limit_px, intent.px_exp)
    if intent.order_type in TIMED:
        terms["TimeInForce"] = VENUE_TIFS[intent.time_in_force]
    if intent.order_type in TRIGGERS:
        terms["StopPrice"] = to_text(intent.stop_px, intent.px_exp)
    return terms


def venue_name(symbol: str) -> str:
    """Return the exchange's name of a symbol."""
    return symbol.replace("/", "")


def report_of(row: OrderRow, names: Names) -> OrderReport:
    """Return an order of REST; after a cancel its own id is the original one."""
    return OrderReport(
        client_order_id=row.orig_client_order_id or row.client_order_id,
        venue_order_id=str(row.order_id),
        symbol=names.get(row.symbol, row.symbol),
        side=SIDES[row.side],
        status=row.status,
        order_type=row.type,
        qty=row.orig_qty,
        executed_qty=row.executed_qty,
        executed_quote=row.cummulative_quote_qty,
        limit_px=row.price,
        stop_px=row.stop_price,
        working=is_working(
            row.type, row.executed_qty, active=row.is_working or row.working_time > 0
        ),
        update_ms=row.update_time or row.transact_time,
    )


def is_working(order_type: str, executed_qty: str, *, active: bool) -> bool:
    """Return False for a stop that waits for its price; what has traded was triggered."""
    return order_type not in STOPS or active or executed_qty.strip("0.") != ""


def placed_trades(row: OrderRow, names: Names) -> tuple[VenueTrade, ...]:
    """Return the executions in the answer to a new order; it took them all from the book."""
    return tuple(
        VenueTrade(
            trade_id=str(part.trade_id),
            venue_order_id=str(row.order_id),
            symbol=names.get(row.symbol, row.symbol),
            side=SIDES[row.side],
            px=part.price,
            qty=part.qty,
            quote_qty=product(part.price, part.qty),
            fee=part.commission,
            fee_asset=part.commission_asset,
            maker=False,
            at_ms=row.transact_time,
            client_order_id=row.client_order_id,
        )
        for part in row.fills
    )


def product(px: str, qty: str) -> str:
    """Return price times quantity, cut off as the exchange cuts what it calls quoteQty."""
    px_exp, qty_exp = exp_of(px), exp_of(qty)
    amount = to_int(px, px_exp) * to_int(qty, qty_exp)
    return to_text(floor_scale(amount, px_exp + qty_exp, MONEY_DECIMALS), MONEY_DECIMALS)


def trade_of(row: TradeRow, names: Names) -> VenueTrade:
    """Return an execution of `myTrades`."""
    return VenueTrade(
        trade_id=str(row.id),
        venue_order_id=str(row.order_id),
        symbol=names.get(row.symbol, row.symbol),
        side="buy" if row.is_buyer else "sell",
        px=row.price,
        qty=row.qty,
        quote_qty=row.quote_qty,
        fee=row.commission,
        fee_asset=row.commission_asset,
        maker=row.is_maker,
        at_ms=row.time,
    )


def pushed(event: Mapping[str, Any], names: Names) -> ReportPushed:
    """Return what an `executionReport` says; msgspec.ValidationError when it is none."""
    said = msgspec.convert(event, type=Event)
    report = OrderReport(
        client_order_id=said.C or said.c,  # of a cancel, the second is the cancel's own
        venue_order_id=str(said.i),
        symbol=names.get(said.s, said.s),
        side=SIDES[said.S],
        status=said.X,
        order_type=said.o,
        qty=said.q,
        executed_qty=said.z,
        executed_quote=said.Z,
        limit_px=said.p,
        stop_px=said.P,
        working=is_working(said.o, said.z, active=said.w or said.W > 0),
        update_ms=said.T,
    )
    trades = (_executed(said, report),) if said.x == "TRADE" else ()
    reason = "" if said.r == "NONE" else said.r
    return ReportPushed(report=report, execution=said.x, reason=reason, trades=trades)


def moved(event: Mapping[str, Any]) -> BalanceMoved:
    """Return what a `balanceUpdate` says; msgspec.ValidationError when it is none."""
    said = msgspec.convert(event, type=MoneyEvent)
    name = f"{said.T}-{said.d}"  # It has no other name: none of an asset has both in common.
    return BalanceMoved(asset=said.a, delta=said.d, venue_id=name)


def _executed(said: Event, report: OrderReport) -> VenueTrade:
    return VenueTrade(
        trade_id=str(said.t),
        venue_order_id=report.venue_order_id,
        symbol=report.symbol,
        side=report.side,
        px=said.L,
        qty=said.l,
        quote_qty=said.Y,
        fee=said.n or "0",
        fee_asset=said.N or "",
        maker=said.m,
        at_ms=said.T,
        client_order_id=report.client_order_id,
    )


def balances_of(account: AccountRow) -> tuple[tuple[str, str, str], ...]:
    """Return asset, free and locked of everything that the account has any of."""
    return tuple(
        (row.asset, row.free, row.locked)
        for row in account.balances
        if row.free.strip("0.") or row.locked.strip("0.")
    )
