"""Numbers and rows as Binance writes them: strings of eight decimals, times in milliseconds."""

from schema.units import to_text
from services.venue.book import Depth, Levels, Top
from services.venue.columns import Facts, Tape
from services.venue.klines import Kline
from services.venue.limits import MULTIPLIER

Json = dict[str, object]
Pairs = list[list[str]]

DECIMALS = 8
ORDER_TYPES = (
    *("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"),
    *("TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
)


def text(number: int, exp: int) -> str:
    """Return a scaled integer with eight decimals; further ones are cut off."""
    number = (
        number * 10 ** (DECIMALS - exp) if exp <= DECIMALS else number // 10 ** (exp - DECIMALS)
    )
    return to_text(number, DECIMALS)


def symbol_row(facts: Facts) -> Json:
    """Return a symbol as exchangeInfo lists it."""
    return {
        "symbol": facts.id,
        "status": facts.status,
        "baseAsset": facts.base,
        "baseAssetPrecision": DECIMALS,
        "quoteAsset": facts.quote,
        "quotePrecision": DECIMALS,
        "quoteAssetPrecision": DECIMALS,
        "baseCommissionPrecision": DECIMALS,
        "quoteCommissionPrecision": DECIMALS,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filter_rows(facts),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filter_rows(facts: Facts) -> list[Json]:
    return [
        {"filterType": name, **rows}
        for name, rows in {**_bounds(facts), **_bands(facts), **_counts(facts)}.items()
    ]


def _bounds(facts: Facts) -> dict[str, Json]:
    own = facts.limits
    tick, lot = text(own.tick, DECIMALS), text(own.lot, DECIMALS)
    return {
        "PRICE_FILTER": {
            "minPrice": text(own.least_px or own.tick, DECIMALS),
            "maxPrice": text(own.most_px, DECIMALS),
            "tickSize": tick,
        },
        "LOT_SIZE": {
            "minQty": text(own.least_qty or own.lot, DECIMALS),
            "maxQty": text(own.most_qty, DECIMALS),
            "stepSize": lot,
        },
        "MARKET_LOT_SIZE": {
            "minQty": text(own.market_least, DECIMALS),
            "maxQty": text(own.market_most, DECIMALS),
            "stepSize": text(own.market_lot, DECIMALS),
        },
    }


def _bands(facts: Facts) -> dict[str, Json]:
    own = facts.limits
    exp = len(str(MULTIPLIER)) - 1
    return {
        "NOTIONAL": {
            "minNotional": text(own.least, DECIMALS),
            "applyMinToMarket": own.least_of_market,
            "maxNotional": text(own.most, DECIMALS),
            "applyMaxToMarket": own.most_of_market,
            "avgPriceMins": own.average_mins,
        },
        "PERCENT_PRICE_BY_SIDE": {
            "bidMultiplierUp": to_text(own.bid[1], exp),
            "bidMultiplierDown": to_text(own.bid[0], exp),
            "askMultiplierUp": to_text(own.ask[1], exp),
            "askMultiplierDown": to_text(own.ask[0], exp),
            "avgPriceMins": own.average_mins,
        },
    }


def _counts(facts: Facts) -> dict[str, Json]:
    own = facts.limits
    return {
        "MAX_NUM_ORDERS": {"maxNumOrders": own.orders},
        "MAX_NUM_ALGO_ORDERS": {"maxNumAlgoOrders": own.algo_orders},
        "MAX_NUM_ORDER_LISTS": {"maxNumOrderLists": own.lists},
        "MAX_POSITION": {"maxPosition": text(own.position, DECIMALS)},
    }


def trade_rows(facts: Facts, tape: Tape) -> list[Json]:
    """Return trades as `trades` and `historicalTrades` list them."""
    return [
        {
            "id": trade_id,
            "price": text(px, facts.px_exp),
            "qty": text(qty, facts.qty_exp),
            "quoteQty": text(px * qty, facts.px_exp + facts.qty_exp),
            "time": at_ms,
            "isBuyerMaker": maker,
            "isBestMatch": True,
        }
        for trade_id, at_ms, px, qty, maker in rows(tape)
    ]


def aggregate_rows(facts: Facts, tape: Tape) -> list[Json]:
    """Return trades as `aggTrades` lists them; each trade is its own aggregate here."""
    return [
        {
            "a": trade_id,
            "p": text(px, facts.px_exp),
            "q": text(qty, facts.qty_exp),
            "f": trade_id,
            "l": trade_id,
            "T": at_ms,
            "m": maker,
            "M": True,
        }
        for trade_id, at_ms, px, qty, maker in rows(tape)
    ]


def rows(tape: Tape) -> list[tuple[int, int, int, int, bool]]:
    """Return (id, time, price, quantity, buyer was maker) of each trade."""
    columns = (tape.at_ms.tolist(), tape.px.tolist(), tape.qty.tolist(), tape.maker.tolist())
    return list(zip(range(tape.first_id, tape.first_id + len(tape)), *columns, strict=True))


def kline_row(facts: Facts, kline: Kline, interval_ms: int) -> list[object]:
    """Return a candle as `klines` lists it."""
    px, money = facts.px_exp, facts.px_exp + facts.qty_exp
    return [
        kline.open_ms,
        text(kline.open, px),
        text(kline.high, px),
        text(kline.low, px),
        text(kline.close, px),
        text(kline.volume, facts.qty_exp),
        kline.open_ms + interval_ms - 1,
        text(kline.quote, money),
        kline.count,
        text(kline.taker, facts.qty_exp),
        text(kline.taker_quote, money),
        "0",
    ]


def levels(facts: Facts, side: Levels) -> Pairs:
    """Return levels as pairs of price and quantity."""
    return [[text(px, facts.px_exp), text(qty, facts.qty_exp)] for px, qty in side]


def top_row(facts: Facts, top: Top) -> Json:
    """Return the best bid and ask as `ticker/bookTicker` lists them."""
    (bid, bid_qty), (ask, ask_qty) = top.bid, top.ask
    return {
        "symbol": facts.id,
        "bidPrice": text(bid, facts.px_exp),
        "bidQty": text(bid_qty, facts.qty_exp),
        "askPrice": text(ask, facts.px_exp),
        "askQty": text(ask_qty, facts.qty_exp),
    }


def depth_event(facts: Facts, depth: Depth) -> Json:
    """Return a change of the book as `@depth` says it."""
    return {
        "e": "depthUpdate",
        "E": depth.at_ms,
        "s": facts.id,
        "U": depth.first_id,
        "u": depth.last_id,
        "b": levels(facts, depth.bids),
        "a": levels(facts, depth.asks),
    }


def top_event(facts: Facts, top: Top) -> Json:
    """Return the best bid and ask as `@bookTicker` says them."""
    bids, asks = levels(facts, (top.bid,))[0], levels(facts, (top.ask,))[0]
    return {
        "u": top.update_id,
        "s": facts.id,
        "b": bids[0],
        "B": bids[1],
        "a": asks[0],
        "A": asks[1],
    }


def kline_event(facts: Facts, kline: Kline, interval: str, interval_ms: int, at_ms: int) -> Json:
    """Return a candle as `@kline_…` says it; `x` once its time is over."""
    row = kline_row(facts, kline, interval_ms)
    closed = at_ms >= kline.open_ms + interval_ms
    return {
        "e": "kline",
        "E": at_ms,
        "s": facts.id,
        "k": {
            "t": row[0],
            "T": row[6],
            "s": facts.id,
            "i": interval,
            "f": kline.first_id,
            "L": kline.last_id,
            "o": row[1],
            "c": row[4],
            "h": row[2],
            "l": row[3],
            "v": row[5],
            "n": row[8],
            "x": closed,
            "q": row[7],
            "V": row[9],
            "Q": row[10],
            "B": "0",
        },
    }
