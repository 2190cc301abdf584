"""From an entry of the exchange's listing to an `Instrument`.

The numbers come from the exchange's own text. A bound with more decimals than its instrument has
is rounded to the strict side; a maximum beyond 64 bits is none. Filters are known by name: what
has no meaning for our orders is ignored by its name, and what nobody here knows is named.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schema.market import Instrument
from schema.units import at_least, at_most, exp_of, quote_exp, to_int

Filters = Mapping[str, Mapping[str, Any]]

READ = frozenset(
    {
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "MIN_NOTIONAL",
        "NOTIONAL",
        "PERCENT_PRICE",
        "PERCENT_PRICE_BY_SIDE",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
        "MAX_NUM_ORDER_LISTS",
        "MAX_POSITION",
    }
)

IGNORED = frozenset(
    {"ICEBERG_PARTS", "MAX_NUM_ICEBERG_ORDERS", "MAX_NUM_ORDER_AMENDS", "TRAILING_DELTA"}
)
"""Of icebergs, amendments and trailing stops; none is ever sent from here."""

_DEFAULT_EXP = 8
_COUNT_MAX = 10**9


def instrument_of(entry: Mapping[str, Any], ts_event: int) -> Instrument:
    """Return the instrument that an entry of exchangeInfo describes; ValueError names the field."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"{entry!r:.80}: expected an entry of a listing")  # noqa: TRY004 - as one
    symbol = f"{entry.get('baseAsset')}/{entry.get('quoteAsset')}"
    try:
        return _instrument(symbol, entry, _filters(entry["filters"]), ts_event)
    except KeyError as error:
        raise ValueError(f"{symbol}: expected {error} in its listing, found none") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{symbol}: {error}") from None


def _filters(rows: Any) -> Filters:
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        name = row["filterType"]
        if not isinstance(name, str) or name in found:
            raise ValueError(f"filter {name!r:.40} is named twice, or not by a word")
        found[name] = row
    return found


def _instrument(symbol: str, entry: Mapping[str, Any], found: Filters, ts_event: int) -> Instrument:
    price, lot = found["PRICE_FILTER"], found["LOT_SIZE"]
    tick, step = _text(price, "tickSize"), _text(lot, "stepSize")
    px_exp, qty_exp = _exp(tick), _exp(step)
    names = sorted(found)
    return Instrument(
        ts_event=ts_event,
        symbol=symbol,
        venue_symbol=_word(entry, "symbol"),
        base=_word(entry, "baseAsset"),
        quote=_word(entry, "quoteAsset"),
        px_exp=px_exp,
        qty_exp=qty_exp,
        quote_exp=quote_exp(px_exp, qty_exp),
        tick=to_int(tick, px_exp),
        lot=to_int(step, qty_exp),
        min_px=_bound(price, "minPrice", px_exp, at_least),
        max_px=_bound(price, "maxPrice", px_exp, at_most),
        min_qty=_bound(lot, "minQty", qty_exp, at_least),
        max_qty=_bound(lot, "maxQty", qty_exp, at_most),
        status=_word(entry, "status"),
        order_types=tuple(_word({"orderTypes": one}, "orderTypes") for one in _types(entry)),
        oco=entry.get("ocoAllowed") is True,
        cancel_replace=entry.get("cancelReplaceAllowed") is True,
        ignored_filters=tuple(name for name in names if name in IGNORED),
        unknown_filters=tuple(name for name in names if name not in READ | IGNORED),
        **_market_lot(found.get("MARKET_LOT_SIZE", {}), qty_exp),
        **_worth(found, quote_exp(px_exp, qty_exp)),
        **_band(found),
        **_counts(found, qty_exp),
    )


def _market_lot(row: Mapping[str, Any], exp: int) -> dict[str, Any]:
    return {
        "market_min_qty": _bound(row, "minQty", exp, at_least),
        "market_max_qty": _bound(row, "maxQty", exp, at_most),
        "market_lot": to_int(_text(row, "stepSize"), exp) if "stepSize" in row else 0,
    }


def _worth(found: Filters, exp: int) -> dict[str, Any]:
    """Return the bounds of both names; where one holds for market orders, the stricter does."""
    new, old = found.get("NOTIONAL", {}), found.get("MIN_NOTIONAL", {})
    least = [_bound(row, "minNotional", exp, at_least) for row in (new, old)]
    spares = [_spares(new, "applyMinToMarket"), _spares(old, "applyToMarket")]
    return {
        "min_notional": max(least),
        "max_notional": _bound(new, "maxNotional", exp, at_most),
        "min_spares_market": all(one for row, one in zip((new, old), spares, strict=True) if row)
        and bool(new or old),
        "max_spares_market": _spares(new, "applyMaxToMarket"),
    }


def _spares(row: Mapping[str, Any], name: str) -> bool:
    found = row.get(name, True)
    if not isinstance(found, bool):
        raise ValueError(f"{name} is {found!r:.40}: not true or false")  # noqa: TRY004 - as one
    return not found


def _band(found: Filters) -> dict[str, Any]:
    """Return the multiples of both names; the tighter of two holds."""
    plain, sided = found.get("PERCENT_PRICE", {}), found.get("PERCENT_PRICE_BY_SIDE", {})
    texts = {
        f"{side}_{way.lower()}": [
            *([_text(plain, f"multiplier{way}")] if plain else ()),
            *([_text(sided, f"{side}Multiplier{way}")] if sided else ()),
        ]
        for side in ("bid", "ask")
        for way in ("Up", "Down")
    }
    exp = max((exp_of(text) for each in texts.values() for text in each), default=0)
    rows = (plain, sided, found.get("NOTIONAL", {}), found.get("MIN_NOTIONAL", {}))
    return {
        "band_exp": exp,
        "average_mins": max(_count(row, "avgPriceMins") for row in rows),
        **{
            name: (min if name.endswith("up") else max)(
                (_positive(to_int(text, exp), name) for text in each), default=0
            )
            for name, each in texts.items()
        },
    }


def _counts(found: Filters, qty_exp: int) -> dict[str, Any]:
    return {
        "max_orders": _count(found.get("MAX_NUM_ORDERS", {}), "maxNumOrders"),
        "max_algo_orders": _count(found.get("MAX_NUM_ALGO_ORDERS", {}), "maxNumAlgoOrders"),
        "max_order_lists": _count(found.get("MAX_NUM_ORDER_LISTS", {}), "maxNumOrderLists"),
        "max_position": _bound(found.get("MAX_POSITION", {}), "maxPosition", qty_exp, at_most),
    }


def _types(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(entry.get("orderTypes", ()))


def _word(values: Mapping[str, Any], name: str) -> str:
    word = values[name]
    if not isinstance(word, str) or not word:
        raise ValueError(f"{name} is {word!r:.40}: expected a word")
    return word


def _text(values: Mapping[str, Any], name: str) -> str:
    text = values[name]
    if not isinstance(text, str):
        raise ValueError(f"{name} is {text!r:.40}: expected decimal text")  # noqa: TRY004 - as one
    if text.startswith("-"):
        raise ValueError(f"{name} is {text!r:.40}: expected no number below zero")
    return text


def _count(values: Mapping[str, Any], name: str) -> int:
    """Return a whole number, which the exchange writes as one and ccxt as its text."""
    text = str(values.get(name, 0))
    if not (text.isascii() and text.isdecimal()) or not int(text[:20]) <= _COUNT_MAX:
        raise ValueError(f"{name} is {text!r:.40}: expected a whole number")
    return int(text)


def _exp(step: str) -> int:
    # A step of zero means that the exchange asks for none.
    return exp_of(step) if step.strip("0.") else _DEFAULT_EXP


def _bound(values: Mapping[str, Any], name: str, exp: int, way: Callable[[str, int], int]) -> int:
    return way(_text(values, name), exp) if name in values else 0


def _positive(n: int, name: str) -> int:
    if n <= 0:
        raise ValueError(f"{name} is {n}: expected a multiple above zero")
    return n
