"""The account's rows and events as Binance writes them: eight decimals, times in milliseconds."""

from collections.abc import Iterable, Mapping

from services.venue.account import EXP, Balance, Terms
from services.venue.columns import Facts
from services.venue.orders import PRICED, STOPPED, Fill, Order, Pair, Report
from services.venue.payload import Json, text

NOTHING = text(0, 0)


def money(amount: int) -> str:
    """Return an amount of an asset."""
    return text(amount, EXP)


def _core(facts: Facts, order: Order) -> Json:
    row: Json = {
        "price": text(order.px, facts.px_exp),
        "origQty": text(order.qty, facts.qty_exp),
        "executedQty": text(order.filled, facts.qty_exp),
        "origQuoteOrderQty": money(order.quote_qty),
        "cummulativeQuoteQty": money(order.money),
        "status": order.status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": order.side,
        "selfTradePreventionMode": "NONE",
    }
    if order.type in STOPPED:
        row["stopPrice"] = text(order.stop_px, facts.px_exp)
    return row


def order_row(facts: Facts, order: Order) -> Json:
    """Return an order as `order`, `openOrders` and `allOrders` list it."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        **_core(facts, order),
        "stopPrice": text(order.stop_px, facts.px_exp),
        "icebergQty": NOTHING,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working,
        "workingTime": order.working_ms,
    }


def placed_row(facts: Facts, order: Order, fills: Iterable[Fill], response: str) -> Json:
    """Return the answer to a new order: ACK, RESULT or FULL."""
    row: Json = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ms,
    }
    if response == "ACK":
        return row
    row |= {**_core(facts, order), "workingTime": order.working_ms}
    if response == "FULL":
        row["fills"] = [_part(facts, fill) for fill in fills]
    return row


def _part(facts: Facts, fill: Fill) -> Json:
    return {
        "price": text(fill.px, facts.px_exp),
        "qty": text(fill.qty, facts.qty_exp),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "tradeId": fill.id,
    }


def cancelled_row(facts: Facts, order: Order, cancel_id: str) -> Json:
    """Return the answer to a cancel, whose own id stands where the order's stood."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_core(facts, order),
    }


def fill_row(facts: Facts, fill: Fill) -> Json:
    """Return a fill as `myTrades` lists it."""
    return {
        "symbol": fill.symbol,
        "id": fill.id,
        "orderId": fill.order_id,
        "orderListId": fill.list_id,
        "price": text(fill.px, facts.px_exp),
        "qty": text(fill.qty, facts.qty_exp),
        "quoteQty": money(fill.money),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "isBuyer": fill.buyer,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def pair_row(pair: Pair, legs: Iterable[Order]) -> Json:
    """Return a pair as `orderList` lists it."""
    return {
        "orderListId": pair.id,
        "contingencyType": "OCO",
        "listStatusType": "ALL_DONE" if pair.done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if pair.done else "EXECUTING",
        "listClientOrderId": pair.client_id,
        "transactionTime": pair.updated_ms,
        "symbol": pair.symbol,
        "orders": [
            {"symbol": leg.symbol, "orderId": leg.id, "clientOrderId": leg.client_id}
            for leg in legs
        ],
    }


def account_row(terms: Terms, balances: Mapping[str, Balance], at_ms: int) -> Json:
    """Return the account as `account` shows it."""
    return {
        "makerCommission": terms.maker_bps,
        "takerCommission": terms.taker_bps,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": text(terms.maker_bps, 4),
            "taker": text(terms.taker_bps, 4),
            "buyer": NOTHING,
            "seller": NOTHING,
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": at_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": money(found.free), "locked": money(found.locked)}
            for asset, found in sorted(balances.items())
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def restrictions_row() -> Json:
    """Return what the key may do: trade, and never withdraw."""
    return {
        "ipRestrict": True,
        "createTime": 0,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
    }


def report_event(facts: Facts, report: Report) -> Json:
    """Return what happened to an order as `executionReport` says it."""
    order, fill = report.order, report.fill
    cancelled = report.kind == "CANCELED"
    return {
        "e": "executionReport",
        "E": report.at_ms,
        "s": order.symbol,
        "c": report.cancel_id if cancelled else order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.tif,
        "q": text(order.qty, facts.qty_exp),
        "p": text(order.px, facts.px_exp),
        "P": text(order.stop_px, facts.px_exp),
        "F": NOTHING,
        "g": order.list_id,
        "C": order.client_id if cancelled else "",
        "x": report.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": text(fill.qty, facts.qty_exp) if fill else NOTHING,
        "z": text(order.filled, facts.qty_exp),
        "L": text(fill.px, facts.px_exp) if fill else NOTHING,
        "n": money(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": report.at_ms,
        "t": fill.id if fill else -1,
        "I": report.number,
        "w": order.working and order.open and order.type in PRICED,
        "m": bool(fill and fill.maker),
        "M": False,
        "O": order.created_ms,
        "Z": money(order.money),
        "Y": money(fill.money) if fill else NOTHING,
        "Q": money(order.quote_qty),
        "W": order.working_ms,
        "V": "NONE",
    }


def position_event(balances: Mapping[str, Balance], at_ms: int) -> Json:
    """Return the assets that changed as `outboundAccountPosition` says them."""
    return {
        "e": "outboundAccountPosition",
        "E": at_ms,
        "u": at_ms,
        "B": [
            {"a": asset, "f": money(found.free), "l": money(found.locked)}
            for asset, found in sorted(balances.items())
        ],
    }
