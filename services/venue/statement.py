"""The account's rows and events as Binance writes them: eight decimals, times in milliseconds."""

from collections.abc import Iterable, Mapping, Sequence

from schema.setting_types import PLAY_KEY_WITHDRAWS
from services.venue.account import EXP, Balance, Moved, Terms
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


def _head(order: Order) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
    }


def order_row(facts: Facts, order: Order) -> Json:
    """Return an order as `order`, `openOrders` and `allOrders` list it."""
    return {
        **_head(order),
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
    row: Json = {**_head(order), "transactTime": order.updated_ms}
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
        **_head(order),
        "origClientOrderId": order.client_id,
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


def pair_row(pair: Pair, legs: Sequence[Order]) -> Json:
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


def pair_event(pair: Pair, legs: Sequence[Order], at_ms: int) -> Json:
    """Return how a pair stands as `listStatus` says it."""
    row = pair_row(pair, legs)
    return {
        "e": "listStatus",
        "E": at_ms,
        "s": pair.symbol,
        "g": pair.id,
        "c": row["contingencyType"],
        "l": row["listStatusType"],
        "L": row["listOrderStatus"],
        "r": "NONE",
        "C": pair.client_id,
        "T": pair.updated_ms,
        "O": [{"s": leg.symbol, "i": leg.id, "c": leg.client_id} for leg in legs],
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


def restrictions_row(key: str) -> Json:
    """Return what a key may do: trade, and withdraw if it is the one for that."""
    return {
        "ipRestrict": True,
        "createTime": 0,
        "enableReading": True,
        "enableWithdrawals": key == PLAY_KEY_WITHDRAWS,
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
    order = report.order
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
        **_progress(facts, order),
        **_executed(facts, report.fill),
        "T": report.at_ms,
        "I": report.number,
        "O": order.created_ms,
        "Q": money(order.quote_qty),
        "V": "NONE",
    }


def _progress(facts: Facts, order: Order) -> Json:
    return {
        "z": text(order.filled, facts.qty_exp),
        "Z": money(order.money),
        "w": order.working and order.open and order.type in PRICED,
        "W": order.working_ms,
    }


def _executed(facts: Facts, fill: Fill | None) -> Json:
    return {
        "l": text(fill.qty, facts.qty_exp) if fill else NOTHING,
        "L": text(fill.px, facts.px_exp) if fill else NOTHING,
        "Y": money(fill.money) if fill else NOTHING,
        "n": money(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "t": fill.id if fill else -1,
        "m": bool(fill and fill.maker),
        "M": False,
    }


def moved_event(moved: Moved) -> Json:
    """Return what came or went by other ways than trading as `balanceUpdate` says it."""
    return {
        "e": "balanceUpdate",
        "E": moved.at_ms,
        "a": moved.asset,
        "d": money(moved.amount),
        "T": moved.at_ms,
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
